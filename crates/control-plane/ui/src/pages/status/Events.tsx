// What became of events.

import type { Status } from "../../api/schema";
import { Card } from "../../parts/Card";
import { Table } from "../../parts/Table";
import { count } from "../../numbers";
import { outcome, perSecond } from "./words";

export function Events({ report }: { report: Status }) {
  const { outcomes, dead_letters } = report.events;
  const letters = dead_letters.reduce((sum, it) => sum + it.total, 0);
  return (
    <Card title="Events" about="By what became of them, since this process started; what it read again after its start is among them.">
      {outcomes.length === 0 ? (
        <p class="empty">None was read here.</p>
      ) : (
        <Table
          caption="Events by outcome"
          columns={["Outcome", "#Now", "#Total"]}
          rows={outcomes.map((it) => [outcome(it.name), perSecond(it.per_second), count(it.total)])}
        />
      )}
      <div class="key line">
        <span class="faint">
          {letters === 0 ? "No dead letters." : <a href="/status/dead-letters">{count(letters)} dead letters by reason</a>}
        </span>
      </div>
    </Card>
  );
}
