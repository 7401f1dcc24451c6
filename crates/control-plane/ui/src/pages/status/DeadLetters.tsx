// Records that were not accepted, by reason, and how to see them.

import type { Status } from "../../api/schema";
import { Card } from "../../parts/Card";
import { Table } from "../../parts/Table";
import { count } from "../../numbers";
import { query } from "../../router";
import { perSecond } from "./words";

export function DeadLetters({ report }: { report: Status }) {
  const wanted = query.value.get("reason");
  const letters = report.events.dead_letters.filter((it) => wanted === null || it.name === wanted);
  return (
    <Card
      title={wanted === null ? "By reason" : `Reason: ${wanted}`}
      about="Every one is kept with its bytes and its place in the log, and can be sent again once its cause is gone."
      side={
        wanted === null ? undefined : (
          <a class="btn s" href="/status/dead-letters">
            All reasons
          </a>
        )
      }
    >
      {letters.length === 0 ? (
        <p class="empty">None since this process started.</p>
      ) : (
        <Table
          caption="Dead letters by reason"
          columns={["Reason", "#Now", "#Total"]}
          rows={letters.map((it) => [<a href={`/status/dead-letters?reason=${encodeURIComponent(it.name)}`}>{it.name}</a>, perSecond(it.per_second), count(it.total)])}
        />
      )}
      <pre>{`assay dead-letters list${wanted ? ` --reason ${wanted}` : ""}`}</pre>
    </Card>
  );
}
