// One partition, with all that is known of it.

import type { Status } from "../../api/schema";
import { Card } from "../../parts/Card";
import { type Fact, Facts } from "../../parts/Facts";
import { exact } from "../../numbers";
import { age, full } from "../../times";
import { State } from "./Partitions";

export function Partition({ report, number }: { report: Status; number: number }) {
  const it = report.partitions.find((one) => one.partition === number);
  if (!it) {
    const last = report.partitions.length;
    return (
      <section class="card pad-all">
        {last === 0 ? "No partition is processed by this process." : "There is no such partition here."} <a href="/status">See all</a>
      </section>
    );
  }
  const facts: Fact[] = [
    ["State", <State it={it} />],
    ["Log time", it.log_time ?? "no record yet"],
    ["Behind the server’s clock", it.behind_ms === null ? "–" : age(it.behind_ms)],
    ["Newest closed look", it.closed_look ? full(it.closed_look) : "none yet"],
    ["Holds the cut", it.holds_cut ? "yes: results wait for it" : "no"],
    ["Next offset", exact(it.next_offset)],
    ["Records waiting", exact(it.lag)],
    ["Version of the definitions", `${it.config_version} of ${report.config.version}`],
  ];
  return (
    <Card title="What it does" about={it.why ?? undefined}>
      <Facts class="facts-list" rows={facts} />
    </Card>
  );
}
