// The split over time: the evidence at each look, and the running p, which has an alarm at a line; of everybody, or within a segment value.

import { useSignal } from "@preact/signals";
import type { Experiment, History } from "../../api/types";
import { ofExperiment } from "../../api/client";
import { useResource } from "../../api/resource";
import { count, pValue } from "../../numbers";
import { Plot } from "../../parts/Plot";
import { Table } from "../../parts/Table";
import { across, area, line, pct, SIZE } from "../../path";
import { pAxis, timeText, timeTicks } from "../../scale";
import { moment } from "../../times";
import { units } from "../../words/part";
import { splitPoints } from "./series";

type Within = Experiment["srm"]["segments"][number];

const nameOf = (it: Within) => `${it.attribute.replaceAll("_", " ")} ${it.value}`;

export function Split({ experiment, until }: { experiment: Experiment; until: string | null }) {
  const picked = useSignal<string | null>(null);
  const { segments } = experiment.srm;
  const within = segments.find((it) => nameOf(it) === picked.value) ?? null;
  return (
    <>
      <Chart experiment={experiment} within={within} until={until} />
      <Values experiment={experiment} picked={within && nameOf(within)} pick={(name) => (picked.value = name)} />
    </>
  );
}

function Chart({ experiment, within, until }: { experiment: Experiment; within: Within | null; until: string | null }) {
  const to = until ? `&to=${encodeURIComponent(until)}` : "";
  const segment = within ? `&segment=${encodeURIComponent(`${within.attribute}:${within.value}`)}` : "";
  const history = useResource<History>(ofExperiment(experiment.experiment, `history?metric=srm${segment}${to}`));
  const { srm } = experiment;
  // One of so many values: the first to be corrected is multiplied by their number.
  const threshold = within ? srm.threshold / srm.segments.length : srm.threshold;
  const now = (within ?? srm).p_value_running;
  const rows = splitPoints(history?.data.value ?? null);
  if (rows.length < 2) {
    return <p class="empty">Running p now {pValue(now)}; the alarm is at {pValue(threshold)}. A line begins with the second look.</p>;
  }
  const [from, end] = [rows[0]?.at ?? 0, rows[rows.length - 1]?.at ?? 1];
  const { top, y, level } = pAxis(Math.min(threshold / 10, ...rows.map((row) => row.p)), threshold);
  const x = (at: number) => ((at - from) / Math.max(1, end - from)) * SIZE;
  const state = (within ?? srm).alarm ? "It crossed the alarm line." : "It stays away from the alarm line.";
  const of = within ? `the split within ${nameOf(within)}` : "the split";
  const readings = rows.map((row) => {
    const size = row.units === null ? "" : `, ${count(row.units)} ${units(experiment.unit_name)}`;
    const single = row.now === null ? "" : `, by this look alone ${pValue(row.now)}`;
    return { x: x(row.at), y: top(row.p), lines: [`${moment(row.at)} UTC${size}`, `p of ${of} so far ${pValue(row.p)}${single}`] };
  });
  return (
    <figure class="fig pad">
      <Plot
        label={`Running p of ${of} over time, log scale. Now ${pValue(now)}. ${state}`}
        height="mid"
        x={timeTicks(from, end, 6).map((tick) => ({ at: x(tick), text: timeText(tick, end - from) }))}
        y={y}
        readings={readings}
        inks={[
          { d: area([0, level], [SIZE, Math.max(level, SIZE)]), fill: "alarm-soft" },
          { d: across(level), line: "alarm", dashed: true },
          { d: line(rows.flatMap((row) => (row.now === null ? [] : [[x(row.at), top(row.now)]]))), line: "ink-3", width: 1 },
          { d: line(rows.map((row) => [x(row.at), top(row.p)])), line: "ink", width: 1.8 },
        ]}
      >
        <span class="note t-alarm bare" style={{ left: "4px", top: `calc(${pct(level)} + 2px)` }}>
          alarm at {count(Math.round(1 / threshold))} to 1: decisions are refused
        </span>
        <span class="note dim bare right" style={{ top: "1px" }}>
          {within && `${nameOf(within)}: `}now {pValue(now)}
        </span>
      </Plot>
    </figure>
  );
}

/** The split within each segment value; a click shows one over time. */
function Values({ experiment, picked, pick }: { experiment: Experiment; picked: string | null; pick: (name: string | null) => void }) {
  const { segments } = experiment.srm;
  if (segments.length === 0) return null;
  const off = segments.filter((it) => it.alarm).length;
  const worst = [...segments].sort((a, b) => a.p_value_adjusted - b.p_value_adjusted);
  const button = (name: string) => (
    <button type="button" class="link" aria-pressed={picked === name} title="Show over time" onClick={() => pick(picked === name ? null : name)}>
      {name}
    </button>
  );
  return (
    <details class="within">
      <summary>
        Within segments: {off === 0 ? `as planned in all ${segments.length} values` : `off in ${off} of ${segments.length} values`}, least corrected p {pValue(worst[0]?.p_value_adjusted)}
      </summary>
      <Table
        caption="Split within segments"
        columns={["Segment", "Result", "#p, any time", "#corrected"]}
        rows={worst.map((it) => [button(nameOf(it)), it.alarm ? <span class="t-alarm">off</span> : "as planned", pValue(it.p_value_running), pValue(it.p_value_adjusted)])}
      />
    </details>
  );
}
