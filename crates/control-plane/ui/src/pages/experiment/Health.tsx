// Health: whether units are divided as planned, whether arms are alike, and what became of every event.

import type { ComponentChildren } from "preact";
import type { Experiment, History } from "../../api/types";
import { ofExperiment } from "../../api/client";
import { useResource } from "../../api/resource";
import { count, pValue } from "../../numbers";
import { Card } from "../../parts/Card";
import { Icon } from "../../parts/Icon";
import { Pill } from "../../parts/Pill";
import { Plot } from "../../parts/Plot";
import { Table } from "../../parts/Table";
import { across, area, line, pct, SIZE } from "../../path";
import { pAxis, timeText, timeTicks } from "../../scale";
import { millis, moment } from "../../times";
import { checksOf } from "../../words/checks";
import { units } from "../../words/part";
import type { Shown } from "./Experiment";

const BALANCE_ALARM = 0.1;
/** Where the axis of standardised differences ends. */
const BALANCE_END = 0.12;

export function Health({ experiment, results, frozen }: Shown & { frozen: boolean }) {
  const { srm } = experiment;
  const off = srm.alarm || srm.segments.some((it) => it.alarm);
  const sure = `${+((1 - srm.threshold) * 100).toFixed(2)}%`;
  return (
    <div class="two w block" id="health" tabIndex={-1}>
      <Card
        title="Health: the split"
        about={`Evidence that ${units(experiment.unit_name)} are not divided as planned. Under a correct split the running p stays above ${srm.threshold} for ever, with probability ${sure}.`}
        side={off ? <Pill tone="alarm" icon="warn" text="Off" /> : <Pill tone="better" icon="ok" text="As planned" />}
      >
        <SplitChart experiment={experiment} until={frozen ? results.look : null} />
        <SplitWithin experiment={experiment} />
        <Balance experiment={experiment} />
      </Card>
      <Card title="Health: the events" about={`${count(results.events.exposures)} exposures and ${count(results.events.conversions)} conversions accepted over the whole log, each counted exactly once.`}>
        <Table caption="Checks" columns={["Check", "Result", "Detail"]} stack rows={checksOf(experiment, results).map(checkRow)} />
      </Card>
    </div>
  );
}

function checkRow(it: ReturnType<typeof checksOf>[number]): ComponentChildren[] {
  const icon = { good: "ok", off: "warn", bad: "warn", none: "flat" } as const;
  const tone = { good: "yes", off: "maybe", bad: "bad", none: "faint" } as const;
  return [
    <span class="nb">
      <span class={`check-icon ${tone[it.state]}`}>
        <Icon name={icon[it.state]} />
      </span>
      {it.name}
    </span>,
    <span class="badge">{it.result}</span>,
    <span class="dim">
      {it.detail}
      {it.link && (
        <>
          {" "}
          <a href={it.link.to}>{it.link.text}</a>
        </>
      )}
    </span>,
  ];
}

function SplitChart({ experiment, until }: { experiment: Experiment; until: string | null }) {
  const to = until ? `&to=${encodeURIComponent(until)}` : "";
  const history = useResource<History>(ofExperiment(experiment.experiment, `history?metric=srm${to}`));
  const { srm } = experiment;
  const rows = (history?.data.value?.series.srm ?? []).map((row) => ({ at: millis(String(row[0])), units: Number(row[1]), p: Number(row[2]) }));
  if (rows.length < 2) {
    return <p class="empty">Running p now {pValue(srm.p_value_running)}; the alarm is at {srm.threshold}. A line begins with the second look.</p>;
  }
  const [from, end] = [rows[0]?.at ?? 0, rows[rows.length - 1]?.at ?? 1];
  const { top, y, level } = pAxis(Math.min(srm.threshold / 10, ...rows.map((row) => row.p)), srm.threshold);
  const x = (at: number) => ((at - from) / Math.max(1, end - from)) * SIZE;
  const state = srm.alarm ? "It crossed the alarm line." : "It stays away from the alarm line.";
  return (
    <figure class="fig pad">
      <Plot
        label={`Running p of the split over time, log scale. Now ${pValue(srm.p_value_running)}. ${state}`}
        height="mid"
        x={timeTicks(from, end, 6).map((tick) => ({ at: x(tick), text: timeText(tick, end - from) }))}
        y={y}
        readings={rows.map((row) => ({ x: x(row.at), y: top(row.p), lines: [`${moment(row.at)} UTC, ${count(row.units)} ${units(experiment.unit_name)}`, `p of the split so far ${pValue(row.p)}`] }))}
        inks={[
          { d: area([0, level], [SIZE, Math.max(level, SIZE)]), fill: "alarm-soft" },
          { d: across(level), line: "alarm", dashed: true },
          { d: line(rows.map((row) => [x(row.at), top(row.p)])), line: "ink", width: 1.8 },
        ]}
      >
        <span class="note t-alarm bare" style={{ left: "4px", top: `calc(${pct(level)} + 2px)` }}>
          alarm below this line: decisions are refused
        </span>
        <span class="note dim bare right" style={{ top: "1px" }}>
          now {pValue(srm.p_value_running)}
        </span>
      </Plot>
    </figure>
  );
}

/** The split within each segment value, after a click. */
function SplitWithin({ experiment }: { experiment: Experiment }) {
  const { segments } = experiment.srm;
  if (segments.length === 0) return null;
  const off = segments.filter((it) => it.alarm).length;
  const worst = [...segments].sort((a, b) => a.p_value_adjusted - b.p_value_adjusted);
  return (
    <details class="within">
      <summary>
        Within segments: {off === 0 ? `as planned in all ${segments.length} values` : `off in ${off} of ${segments.length} values`}, least corrected p {pValue(worst[0]?.p_value_adjusted)}
      </summary>
      <Table
        caption="Split within segments"
        columns={["Segment", "Result", "#p, any time", "#corrected"]}
        rows={worst.map((it) => [`${it.attribute.replaceAll("_", " ")} ${it.value}`, it.alarm ? <span class="t-alarm">off</span> : "as planned", pValue(it.p_value_running), pValue(it.p_value_adjusted)])}
      />
    </details>
  );
}

function Balance({ experiment }: { experiment: Experiment }) {
  if (experiment.balance.length === 0) return null;
  const rows = experiment.balance.map((it) => {
    const value = it.std_difference;
    const share = Math.min(1, (value ?? BALANCE_END) / BALANCE_END) * 100;
    return [
      it.attribute.replaceAll("_", " "),
      <div class="sds" role="img" aria-label={`largest standardised difference ${value === null ? "without limit" : value.toFixed(3)}`}>
        <i class="ax" />
        <i class="th" style={{ left: `${((BALANCE_ALARM / BALANCE_END) * 100).toFixed(1)}%` }} />
        <i class={(value ?? 1) > BALANCE_ALARM ? "p off" : "p"} style={{ left: `${share.toFixed(1)}%` }} />
      </div>,
      value === null ? "no limit" : value.toFixed(3),
      pValue(it.p_value_running),
    ];
  });
  return <Table caption="Attributes known before exposure" columns={["Attribute at exposure", `Standardised difference, line at ${BALANCE_ALARM}`, "#Largest", "#p, any time"]} rows={rows} />;
}

