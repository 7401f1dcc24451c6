// The metrics: a group for each, a row for each arm, and behind a row everything that is known of it.

import { useSignal } from "@preact/signals";
import type { Metric } from "../../api/types";
import { COHORTS, cohortOf, KEYS } from "../../cohorts";
import { lazy } from "../../lazy";
import { compare, type Comparison, controlOf, hasInterval } from "../../model";
import { pValue } from "../../numbers";
import { Card } from "../../parts/Card";
import { Axis } from "../../parts/Interval";
import { Icon } from "../../parts/Icon";
import { Menu } from "../../parts/Menu";
import { Picture, Sign, Value } from "../../parts/Picture";
import { Pill } from "../../parts/Pill";
import { type Header, HeadRow } from "../../parts/Table";
import { ArmName } from "../../parts/Shape";
import type { Scale as Lines } from "../../scale";
import { go, query, withQuery } from "../../router";
import { opened } from "../../shell/dialogs";
import { minimumText } from "../../words/lifts";
import { capital, inner } from "../../words/part";
import { pillOf } from "../../words/pills";
import { axisFor, drawn, marksOf, type Speech, speechOf, tickText } from "../../columns";
import type { Scale } from "../../columns";
import type { Shown } from "./Experiment";

const CohortTable = lazy(() => import("./later").then((it) => it.CohortTable));
const Drawer = lazy(() => import("./later").then((it) => it.Drawer));

const ROLES = { primary: 0, guardrail: 1, secondary: 2 } as const;
const COLUMNS = 7;

export function Metrics({ experiment, results, scale }: Shown) {
  const open = useSignal<string | null>(null);
  const cohort = cohortOf(query.value);
  const metrics = [...experiment.metrics].sort((a, b) => ROLES[a.role] - ROLES[b.role]);
  const groups = metrics.map((metric) => ({ metric, comparisons: compare(experiment, metric), marks: marksOf(metric, scale) }));
  const control = controlOf(experiment);
  const common = scale === "lift" ? axisFor(groups, scale) : null;
  const better = groups.every((it) => it.metric.direction === "increase") ? "right" : groups.every((it) => it.metric.direction === "decrease") ? "left" : null;
  const provisional = results.freshness.kind === "provisional";
  const level = `${+((1 - experiment.alpha) * 100).toFixed(2)}%`;
  const about =
    experiment.deciding === "fixed_horizon"
      ? `Bars are ${level} intervals that may be read at any time. What decides is the one test at the planned end.`
      : `Bars are ${level} intervals that may be read at any time, as often as you like. Colour says direction, shape says arm.`;
  const headers: Header[] = [
    ["Metric and arm"],
    ["Control", "num c-ctrl"],
    ["Arm", "num c-trt"],
    [`${capital(scale)} and ${level} interval`, "num"],
    [
      <>
        <span class="vh">Picture</span>
        {common && <Axis scale={common} say={tickText} better={better} />}
      </>,
      "fx wide",
    ],
    ["p, any time", "num"],
    ["In words"],
  ];
  return (
    <Card
      id="metrics"
      class="block"
      title="Metrics"
      about={about}
      side={
        <span class="acts-row">
          {experiment.metrics.some((it) => it.cohorts) && (
            <Menu
              label={`Cohort: ${cohort ? COHORTS[cohort] : "all"}`}
              choices={[null, ...KEYS].map((to) => ({ text: to ? `First exposed in the ${COHORTS[to]}` : "All", chosen: to === cohort, choose: () => go(withQuery({ cohort: to }), true) }))}
            />
          )}
          <button type="button" class="btn s" onClick={() => (opened.value = "how")}>
            How to read this
          </button>
        </span>
      }
    >
      <table class="forest" role="table">
        <caption class="vh">
          {capital(scale)} of each arm against {inner(control?.name ?? "the control")}, with intervals that are valid at every look
        </caption>
        <HeadRow headers={headers} />
        {groups.map(({ metric, comparisons, marks }) => {
          const axis = common ?? axisFor([{ comparisons, marks }], scale);
          const speech = speechOf(metric, comparisons, scale);
          return (
            <tbody role="rowgroup">
              <GroupRow metric={metric} many={experiment.variants.length > 2} axis={common ? null : axis} speech={speech} />
              {comparisons.map((it, at) => {
                const key = `${metric.metric}/${it.arm.variant}`;
                return (
                  <>
                    <Row
                      it={it}
                      axis={axis}
                      speech={speech}
                      scale={scale}
                      control={metric.variants.find((arm) => arm.control)?.mean ?? null}
                      last={at === comparisons.length - 1}
                      loose={provisional}
                      open={open.value === key}
                      toggle={() => (open.value = open.value === key ? null : key)}
                    />
                    {open.value === key && (
                      <tr class="drawer" role="row" id={drawerId(it)}>
                        <td colSpan={COLUMNS} role="cell">
                          <Drawer experiment={experiment} it={it} />
                        </td>
                      </tr>
                    )}
                  </>
                );
              })}
            </tbody>
          );
        })}
      </table>
      <Key harm={groups.some((it) => it.marks.harm != null)} minimum={groups.some((it) => it.marks.minimum != null)} />
      {cohort && <CohortTable experiment={experiment} cohort={cohort} scale={scale} />}
    </Card>
  );
}

const drawerId = (it: Comparison) => `drawer-${it.metric.metric}-${it.arm.variant}`;

function GroupRow({ metric, many, axis, speech }: { metric: Metric; many: boolean; axis: Lines | null; speech: Speech }) {
  const title = (
    <>
      <b>{metric.name}</b>
      <span class="role">{roleOf(metric, many)}</span>
    </>
  );
  if (!axis) {
    return (
      <tr class="g" role="row">
        <th colSpan={COLUMNS} scope="rowgroup" role="rowheader">
          {title}
        </th>
      </tr>
    );
  }
  return (
    <tr class="g with-axis" role="row">
      <th colSpan={4} scope="rowgroup" role="rowheader">
        {title}
      </th>
      <td class="fx" role="cell">
        <Axis scale={axis} say={speech.tick} better={metric.direction === "increase" ? "right" : "left"} />
      </td>
      <td colSpan={2} role="cell" />
    </tr>
  );
}

/** "Primary · minimum effect +20% · p corrected for two arms" */
function roleOf(metric: Metric, many: boolean): string {
  const parts = [capital(metric.role)];
  const worse = metric.direction === "increase" ? "fall" : "rise";
  if (metric.role === "guardrail" && metric.margin !== null) parts.push(`must not ${worse} by more than ${minimumText(metric.margin)}`);
  else if (metric.minimum_effect !== null) parts.push(`minimum effect ${metric.direction === "increase" ? "+" : "−"}${minimumText(metric.minimum_effect)}`);
  if (metric.direction === "decrease" && metric.role !== "guardrail") parts.push("less is better");
  if (many && metric.role === "primary") parts.push("p corrected for several arms");
  if (metric.maturity === "matured" && metric.window_seconds !== null) parts.push("ended windows only");
  return parts.join(" · ");
}

interface RowProps {
  it: Comparison;
  axis: Lines;
  speech: Speech;
  scale: Scale;
  control: number | null;
  last: boolean;
  loose: boolean;
  open: boolean;
  toggle: () => void;
}

export function Row({ it, axis, speech, scale, control, last, loose, open, toggle }: RowProps) {
  const pill = pillOf(it);
  const click = (event: MouseEvent) => {
    // Text can be selected without opening the row.
    if ((event.target as Element).closest("button, a") || getSelection()?.toString()) return;
    toggle();
  };
  return (
    <tr class={`r${last ? " last" : ""}${it.kind === "void" ? " void" : ""}`} role="row" onClick={click}>
      <th scope="row" role="rowheader">
        <button type="button" class="opener" data-row aria-expanded={open} aria-controls={open ? drawerId(it) : undefined} onClick={toggle}>
          <ArmName index={it.index} name={it.name} />
          <Icon name="more" />
        </button>
      </th>
      <td class="num c-ctrl" role="cell" title={control === null ? undefined : String(control)}>
        {speech.mean(control)}
      </td>
      <td class="num c-trt" role="cell" title={it.arm.mean === null ? undefined : String(it.arm.mean)}>
        {speech.mean(it.arm.mean)}
      </td>
      <td class="num c-lift" role="cell">
        <Value it={it} scale={scale} speech={speech} />
      </td>
      <td class="fx" role="cell">
        <Picture
          it={it}
          scale={scale}
          axis={axis}
          marks={marksOf(it.metric, scale)}
          kind={loose ? "loose" : it.kind}
          label={`${it.name}, ${inner(it.metric.name)}: ${pill.text}. ${capital(scale)} ${hasInterval(it) ? speech.both(drawn(it, scale)) : "no interval"}`}
        />
      </td>
      <td class="num c-p" role="cell" title={it.p === null ? undefined : String(it.p)}>
        <span class="only-s">p&nbsp;</span>
        {loose || it.code === "blocked" ? "–" : pValue(it.p)}
      </td>
      <td class="c-v" role="cell">
        {loose ? <Pill tone="warn" icon="clock" text="Provisional" /> : <Pill {...pill} />}
      </td>
    </tr>
  );
}

function Key({ harm, minimum }: { harm: boolean; minimum: boolean }) {
  return (
    <div class="key">
      <Sign of="b">excludes zero</Sign>
      <Sign of="u">does not</Sign>
      <Sign of="z">no effect</Sign>
      {minimum && <Sign of="l">minimum effect worth shipping</Sign>}
      {harm && <Sign of="h">harm margin</Sign>}
      <span class="faint">An arrow means that the interval goes on beyond the axis.</span>
    </div>
  );
}
