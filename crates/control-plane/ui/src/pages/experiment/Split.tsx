// The split over time: the evidence at each look, and the running p, which has an alarm at a line; of everybody, or within a segment value.

import { useSignal } from "@preact/signals";
import type { Experiment, History } from "../../api/types";
import { useResource } from "../../api/resource";
import { count, pValue, superscript } from "../../numbers";
import { Plot } from "../../parts/Plot";
import { Table } from "../../parts/Table";
import { across, line, SIZE } from "../../path";
import { logTicks, timeTicks } from "../../scale";
import { clock, day, moment } from "../../times";
import { units } from "../../words/part";
import { splitPoints } from "./series";

const DAY_MS = 86_400_000;

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
  const history = useResource<History>(`/v1/experiments/${encodeURIComponent(experiment.experiment)}/history?metric=srm${segment}${to}`);
  const { srm } = experiment;
  // One of so many values: the first to be corrected is multiplied by their number.
  const threshold = within ? srm.threshold / srm.segments.length : srm.threshold;
  const now = (within ?? srm).p_value_running;
  const rows = splitPoints(history?.data.value ?? null);
  if (rows.length < 2) {
    return <p class="empty">Running p now {pValue(now)}; the alarm is at {pValue(threshold)}. A line begins with the second look.</p>;
  }
  const [from, end] = [rows[0]?.at ?? 0, rows[rows.length - 1]?.at ?? 1];
  const least = Math.min(threshold / 10, ...rows.map((row) => row.p));
  const ticks = logTicks(least);
  const depth = Math.max(ticks[ticks.length - 1] ?? 1, -Math.log10(Math.max(least, 1e-300)));
  const top = (p: number) => (-Math.log10(Math.max(p, 1e-300)) / depth) * SIZE;
  const x = (at: number) => ((at - from) / Math.max(1, end - from)) * SIZE;
  const alarm = top(threshold);
  const state = (within ?? srm).alarm ? "It crossed the alarm line." : "It stays away from the alarm line.";
  const of = within ? `the split within ${nameOf(within)}` : "the split";
  return (
    <figure class="fig pad">
      <Plot
        label={`Running p of ${of} over time, log scale. Now ${pValue(now)}. ${state}`}
        height="mid"
        x={timeTicks(from, end, 6).map((tick) => ({ at: x(tick) / 10, text: end - from > 2 * DAY_MS ? day(tick) : clock(tick).slice(0, 5) }))}
        y={[...ticks.filter((tick) => Math.abs((tick / depth) * SIZE - alarm) > 60).map((tick) => ({ at: (tick / depth) * 100, text: tick === 0 ? "1" : `10${superscript(-tick)}` })), { at: alarm / 10, text: pValue(threshold) }]}
        readings={rows.map((row) => {
          const size = row.units === null ? "" : `${count(row.units)} ${units(experiment.unit_name)}`;
          const single = row.now === null ? "" : `, by this look alone ${pValue(row.now)}`;
          return {
            x: x(row.at) / 10,
            y: top(row.p) / 10,
            spoken: `${moment(row.at)} UTC, ${size}: p ${pValue(row.p)}${single}`,
            text: (
              <>
                <b>{moment(row.at)} UTC</b> {size && `· ${size}`}
                <br />p of {of} so far {pValue(row.p)}
                {single}
              </>
            ),
          };
        })}
        over={
          <>
            <span class="note t-alarm bare" style={{ left: "4px", top: `calc(${(alarm / 10).toFixed(1)}% + 2px)` }}>
              alarm below this line, where evidence is {count(Math.round(1 / threshold))} to 1: decisions are refused
            </span>
            <span class="note dim bare right" style={{ top: "1px" }}>
              {within && `${nameOf(within)}: `}now {pValue(now)}
            </span>
          </>
        }
      >
        <rect x="0" y={alarm.toFixed(1)} width={SIZE} height={Math.max(0, SIZE - alarm).toFixed(1)} fill="var(--alarm-soft)" />
        {ticks.map((tick) => (
          <path d={across((tick / depth) * SIZE)} stroke="var(--grid)" />
        ))}
        <path d={across(alarm)} stroke="var(--alarm)" stroke-dasharray="4 3" />
        <path d={line(rows.flatMap((row) => (row.now === null ? [] : [[x(row.at), top(row.now)]])))} fill="none" stroke="var(--ink-3)" stroke-width="1" />
        <path d={line(rows.map((row) => [x(row.at), top(row.p)]))} fill="none" stroke="var(--ink)" stroke-width="1.8" />
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
        columns={[{ name: "Segment" }, { name: "Result" }, { name: "p, any time", number: true }, { name: "corrected", number: true }]}
        rows={worst.map((it) => [button(nameOf(it)), it.alarm ? <span class="t-alarm">off</span> : "as planned", pValue(it.p_value_running), pValue(it.p_value_adjusted)])}
      />
    </details>
  );
}
