// The newest of each partition, on request: in a frame that says what it is, with dashed bars and no p. It feeds nothing else on the page.

import { provisionalWanted } from "../../provisional";
import type { Experiment, Results } from "../../api/types";
import { compare } from "../../model";
import { Axis } from "../../parts/Interval";
import { Picture, Value } from "../../parts/Picture";
import { Say } from "../../parts/Say";
import { HeadRow } from "../../parts/Table";
import { ArmName } from "../../parts/Shape";
import { millis } from "../../times";
import { inner } from "../../words/part";
import { provisionalSentence } from "../../words/provisional";
import { axisFor, drawn, marksOf, speechOf, tickText } from "../../columns";

export function Provisional({ experiment, results }: { experiment: Experiment; results: Results }) {
  const newer = results.provisional;
  const now = newer?.experiments.find((it) => it.experiment === experiment.experiment && it.salt === experiment.salt);
  if (!newer || !now) return null;
  const wanted = provisionalWanted.value;
  // On call one must see a guardrail at once: its rows show by themselves.
  const guardrails = now.metrics.filter((it) => it.role === "guardrail");
  const metrics = wanted ? now.metrics : guardrails;
  if (metrics.length === 0) return null;
  const groups = metrics.map((metric) => ({ metric, comparisons: compare(now, metric), marks: marksOf(metric, "lift") }));
  const axis = axisFor(groups, "lift");
  const by = Math.max(0, millis(newer.look) - millis(results.look));
  return (
    <section class="card block frame" aria-label="Provisional numbers">
      <p>
        <Say parts={provisionalSentence(aheadOf(newer, results), results.freshness.partitions, by, results.look)} />
        {!wanted && " Guardrails only. "}
        <button type="button" class="link" onClick={() => (provisionalWanted.value = !wanted)}>
          {wanted ? "Hide provisional" : "Show all provisional"}
        </button>
      </p>
      <table class="forest" role="table">
        <caption class="vh">Provisional lifts, not for deciding</caption>
        <HeadRow
          headers={[
            ["Metric and arm"],
            ["Lift and interval", "num"],
            [
              <>
                <span class="vh">Picture</span>
                <Axis scale={axis} say={tickText} />
              </>,
              "fx wide",
            ],
          ]}
        />
        <tbody role="rowgroup">
          {groups.flatMap(({ metric, comparisons, marks }) => {
            const speech = speechOf(metric, comparisons, "lift");
            return comparisons.map((it) => (
              <tr class="r" role="row">
                <th scope="row" role="rowheader">
                  <ArmName index={it.index} name={`${it.name}, ${inner(metric.name)}`} />
                </th>
                <td class="num c-lift" role="cell">
                  <Value it={it} scale="lift" speech={speech} />
                </td>
                <td class="fx" role="cell">
                  <Picture it={it} scale="lift" axis={axis} marks={marks} kind="loose" label={`${it.name}, ${inner(metric.name)}, provisional: ${speech.both(drawn(it, "lift"))}`} />
                </td>
              </tr>
            ));
          })}
        </tbody>
      </table>
    </section>
  );
}

/** Partitions of which the provisional numbers have read more. */
const aheadOf = (newer: Results, aligned: Results): number =>
  Object.entries(newer.provenance.offsets).filter(([partition, [, to]]) => (to ?? 0) > (aligned.provenance.offsets[partition]?.[1] ?? 0)).length;
