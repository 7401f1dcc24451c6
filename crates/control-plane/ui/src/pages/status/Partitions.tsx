// Every partition: how far it is, and why it does not go on.

import type { Status, StatusPartition } from "../../api/schema";
import { Card } from "../../parts/Card";
import { Pill } from "../../parts/Pill";
import { Table } from "../../parts/Table";
import { count } from "../../numbers";
import { age, clock, local } from "../../times";
import { inOrder, STATES } from "./words";

export function Partitions({ report }: { report: Status }) {
  const rows = inOrder(report.partitions).map((it) => [
    <a href={`/status/partitions/${it.partition}`} data-row>
      {it.partition}
    </a>,
    <State it={it} />,
    <time dateTime={it.log_time ?? undefined} title={local(it.log_time)}>
      {clock(it.log_time)}
    </time>,
    it.behind_ms === null ? "–" : age(it.behind_ms),
    count(it.lag),
    <>
      {it.holds_cut && (
        <>
          <Pill tone="warn" icon="clock" text="holds the cut" />{" "}
        </>
      )}
      {clock(it.closed_look)}
    </>,
    count(it.next_offset),
    it.config_version,
  ]);
  return (
    <Card title="Partitions" about="Log time is the newest record’s; a look closes when log time has passed its end. Times are UTC." class="block">
      {rows.length === 0 ? (
        <p class="empty">None is processed by this process.</p>
      ) : (
        <div class={rows.length > 16 ? "tbl-tall" : ""}>
          <Table
            caption="Partitions, those that need attention first"
            columns={["Partition", "State", "#Log time", "#Behind", "#Records waiting", "#Closed look", "#Next offset", "#Definitions"]}
            rows={rows}
          />
        </div>
      )}
    </Card>
  );
}

export function State({ it }: { it: StatusPartition }) {
  const { tone, icon, word } = STATES[it.state];
  return (
    <>
      <Pill tone={tone} icon={icon} text={word} />
      {it.why && <span class="why">{it.why}</span>}
    </>
  );
}
