// Where rows go, who answers from which definitions, and what the machine has left.

import type { ComponentChildren } from "preact";
import type { Status } from "../../api/schema";
import { Card } from "../../parts/Card";
import { Facts } from "../../parts/Facts";
import { percent, plural } from "../../numbers";
import { capital } from "../../words/part";
import { age, clock } from "../../times";
import { bytes, configWords, edgesWords, sinkWords } from "./words";

export function Rest({ report }: { report: Status }) {
  const { disk, edges } = report;
  const facts: [string, ComponentChildren, ComponentChildren][] = [
    ...report.sinks.map((sink): [string, ComponentChildren, ComponentChildren] => [capital(sink.name), sinkWords(sink), sink.in_flight > 0 && `${plural(sink.in_flight, "chunk")} on the way`]),
    ["Edges", edgesWords(edges), edges?.slice(0, 5).map((it) => `${it.id}: version ${it.version}${it.state === "current" ? "" : `, ${it.state}`}, seen ${clock(it.seen)}`).join(" · ")],
    ["Definitions", report.config.version === 0 ? "–" : `Version ${report.config.version}`, configWords(report.config, report.partitions.length)],
    ["Results", report.analysis.fine ? "Kept up to date" : report.analysis.says, report.analysis.fine && report.analysis.says === "not here" && "by another process"],
    ["Disk", disk ? `${bytes(disk.free)} free` : "–", disk && `${percent(disk.free / Math.max(1, disk.total))} of ${bytes(disk.total)}`],
    ["Build", report.build.version, `running for ${age(Date.parse(report.server_time) - Date.parse(report.build.started))}`],
  ];
  return (
    <Card title="Around it" about="What partitions write to, and what they run on.">
      <Facts
        class="facts-list"
        rows={facts.map(([name, value, more]) => [
          name,
          <>
            {value}
            {more && <span class="more">{more}</span>}
          </>,
        ])}
      />
    </Card>
  );
}
