// Segments: small multiples beside the overall effect. They explain and never decide.

import type { Experiment, Metric, Segment } from "../../api/types";
import { compare, type Comparison, hasInterval, primaryOf, sum, totalUnits } from "../../model";
import { count, difference, pValue } from "../../numbers";
import { Card } from "../../parts/Card";
import { Axis, NoInterval } from "../../parts/Interval";
import { Picture, Sign, Value } from "../../parts/Picture";
import { Pill } from "../../parts/Pill";
import { type Header, HeadRow } from "../../parts/Table";
import { ArmName } from "../../parts/Shape";
import { query } from "../../router";
import { capital, inner, joined, units } from "../../words/part";
import { axisFor, drawn, type Speech, speechOf, tickText } from "../../columns";
import type { Scale as Lines } from "../../scale";
import type { Scale } from "../../columns";
import type { Shown } from "./Experiment";

/** More values than people compare; the rest is in the JSON and in SQL. */
const VALUES_MAX = 12;
/** More columns of pictures do not fit; the others are one click away. */
const ARMS_MAX = 2;

export function Segments({ experiment, scale }: Shown) {
  const metric = primaryOf(experiment);
  if (!metric) return null;
  const wanted = query.value.get("segment");
  const attributes = [...new Set(experiment.segments.map((it) => it.attribute))].filter((it) => wanted === null || it === wanted);
  const about = `${metric.name} by what was known at exposure. Exploratory: segments never change the verdict. The dotted line is the overall ${scale}, which is what a segment should be compared with.`;
  if (attributes.length === 0) {
    return (
      <Card id="segments" class="block" title="Segments">
        <p class="empty">No attributes are kept. Name them under “segments” in the definition, and send them with the exposure; they show from then on.</p>
      </Card>
    );
  }
  const overall = compare(experiment, metric).slice(0, ARMS_MAX);
  const groups = attributes.map((attribute) => ({ attribute, rows: rowsOf(experiment, attribute, metric) }));
  const all = [...overall, ...groups.flatMap(({ rows }) => rows.flatMap((it) => it.comparisons))];
  const axis = axisFor([{ comparisons: all, marks: {} }], scale, 5);
  const speech = speechOf(metric, overall, scale);
  const left = experiment.variants.length - 1 - overall.length;
  return (
    <Card id="segments" class="block" title="Segments" about={about} side={<Differing experiment={experiment} />}>
      <table class="forest seg-t" role="table">
        <caption class="vh">
          {capital(scale)} in {inner(metric.name)} by segment
        </caption>
        <HeadRow
          headers={[
            ["Segment"],
            [capital(units(experiment.unit_name)), "num"],
            ...overall.flatMap((it, at): Header[] => [
              [
                <>
                  <span class="vh">Picture of {it.name}</span>
                  <span class="sd arm" aria-hidden="true">
                    <ArmName index={it.index} name={it.name} />
                  </span>
                  <Axis scale={axis} say={scale === "lift" ? tickText : speech.tick} />
                </>,
                at > 0 ? "fx w half" : "fx half",
              ],
              [
                <>
                  {capital(scale)}
                  <span class="vh"> of {it.name}</span>
                </>,
                "num",
              ],
            ]),
          ]}
        />
        <tbody role="rowgroup">
          <ValueRow name={`All ${units(experiment.unit_name)}`} units={totalUnits(experiment)} comparisons={overall} overall={overall} axis={axis} speech={speech} scale={scale} last whole />
        </tbody>
        {groups.map(({ attribute, rows }) => (
          <tbody role="rowgroup">
            <tr class="g" role="row">
              <th colSpan={2 + 2 * overall.length} scope="rowgroup" role="rowheader">
                <b>{capital(attribute.replaceAll("_", " "))}</b>
                <span class="role">{evidence(experiment, attribute)}</span>
                <Stratified experiment={experiment} attribute={attribute} metric={metric} />
              </th>
            </tr>
            {rows.map((it, at) => (
              <ValueRow name={it.value} units={it.units} comparisons={it.comparisons.slice(0, ARMS_MAX)} overall={overall} axis={axis} speech={speech} scale={scale} last={at === rows.length - 1} />
            ))}
          </tbody>
        ))}
      </table>
      <div class="key">
        <Sign of="o">overall {scale}</Sign>
        <Sign of="z">no effect</Sign>
        <span class="faint">
          An arrow means that the interval goes on beyond the axis. p values here are fixed-horizon and for reading only.
          {left > 0 && ` ${left} more arms are in the JSON and in SQL.`}
        </span>
      </div>
    </Card>
  );
}

interface ValueOf {
  value: string;
  units: number;
  comparisons: Comparison[];
}

/** Largest first, "other" last. */
function rowsOf(experiment: Experiment, attribute: string, metric: Metric): ValueOf[] {
  const of = (segment: Segment) => segment.metrics.find((it) => it.metric === metric.metric);
  return experiment.segments
    .filter((it) => it.attribute === attribute)
    .map((it) => ({ value: it.value, units: sum(Object.values(it.units)), comparisons: of(it) ? compare(experiment, of(it) as Metric) : [] }))
    // "other" is always there, and says nothing while nobody is in it.
    .filter((it) => it.units > 0 || it.value !== "other")
    .sort((a, b) => Number(a.value === "other") - Number(b.value === "other") || b.units - a.units)
    .slice(0, VALUES_MAX);
}

interface ValueRowProps {
  name: string;
  units: number;
  comparisons: Comparison[];
  overall: Comparison[];
  axis: Lines;
  speech: Speech;
  scale: Scale;
  last: boolean;
  whole?: boolean;
}

function ValueRow({ name, units: size, comparisons, overall, axis, speech, scale, last, whole = false }: ValueRowProps) {
  return (
    <tr class={last ? "r last" : "r"} role="row">
      <th scope="row" role="rowheader">
        {whole ? <b>{name}</b> : name}
      </th>
      <td class={whole ? "num c-n" : "num c-n faint"} role="cell">
        {count(size)}
      </td>
      {overall.map((all, at) => {
        const it = comparisons.find((other) => other.arm.variant === all.arm.variant);
        const marks = { overall: drawn(all, scale).point };
        const said = (text: string) => `${name}, ${all.name}: ${text}`;
        return (
          <>
            <td class={at > 0 ? "fx w" : "fx"} role="cell">
              {it && hasInterval(it) ? <Picture it={it} scale={scale} axis={axis} marks={marks} label={said(speech.both(drawn(it, scale)))} /> : <NoInterval scale={axis} marks={marks} label={said("too little data")} />}
            </td>
            <td class="num c-lift hide-s" role="cell">
              <Value it={it} scale={scale} speech={speech} none="waiting" />
            </td>
          </>
        );
      })}
    </tr>
  );
}

const tests = (experiment: Experiment) => experiment.heterogeneity.filter((it) => it.status === "ok");

/** "1 of 6 comparisons below 0.05; 0 after correction" */
function Differing({ experiment }: { experiment: Experiment }) {
  const all = tests(experiment);
  if (all.length === 0) return null;
  const below = all.filter((it) => (it.p_value_fixed ?? 1) < experiment.alpha).length;
  const after = all.filter((it) => (it.p_value_bh ?? 1) < experiment.alpha).length;
  return <Pill text={`${below} of ${all.length} comparisons below ${experiment.alpha}; ${after} after correction`} />;
}

/** "effects differ? men’s p 0.31, women’s p 0.18 (uncorrected)" */
function evidence(experiment: Experiment, attribute: string): string {
  const mine = tests(experiment).filter((it) => it.attribute === attribute && it.metric === primaryOf(experiment)?.metric);
  if (mine.length === 0) return "too little data to say whether effects differ";
  const name = (variant: string) => (experiment.variants.length > 2 ? `${inner(experiment.variants.find((it) => it.variant === variant)?.name ?? variant)} ` : "");
  return `effects differ? ${joined(mine.map((it) => `${name(it.variant)}p ${pValue(it.p_value_fixed)}`))} (uncorrected)`;
}

function Stratified({ experiment, attribute, metric }: { experiment: Experiment; attribute: string; metric: Metric }) {
  const alarm = experiment.stratified.find((it) => it.attribute === attribute && it.alarm);
  if (!alarm || alarm.total === null || alarm.stratified === null) return null;
  const say = (value: number) => difference(value, metric.unit, 3);
  const text = alarm.reversal ? `every value says ${say(alarm.stratified)}, the total ${say(alarm.total)}` : `averaged over its values ${say(alarm.stratified)}, plain ${say(alarm.total)}`;
  return (
    <span class="hint">
      <Pill tone="warn" icon="warn" text={`Mixtures differ: ${text}`} />
    </span>
  );
}
