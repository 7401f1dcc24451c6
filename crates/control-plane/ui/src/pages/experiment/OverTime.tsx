// Over time: the lift and its interval at every look, and below it the p that only falls.

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { History } from "../../api/types";
import { useResource } from "../../api/resource";
import { compare, minimumOf, primaryOf } from "../../model";
import { Card } from "../../parts/Card";
import { Table } from "../../parts/Table";
import { pValue } from "../../numbers";
import { go, query, withQuery } from "../../router";
import { reachOf } from "../../scale";
import { moment } from "../../times";
import { units } from "../../words/part";
import { ArmChart } from "./ArmChart";
import { type Speech, speechOf } from "../../columns";
import type { Shown } from "./Experiment";
import { type Point, pointsOf, withNewest } from "./series";
import { Weeks, weeksAbout } from "./Weeks";

/** The line goes on by itself with each look; what was thinned on the way is fetched again now and then. */
const REFRESH_MS = 60_000;

export function OverTime({ experiment, results, scale, frozen }: Shown & { frozen: boolean }) {
  const byUnits = useSignal(false);
  const asTable = useSignal(false);
  const byWeek = useSignal(false);
  const asked = query.value.get("metric");
  const metric = experiment.metrics.find((it) => it.metric === asked) ?? primaryOf(experiment);
  const until = frozen ? `&to=${encodeURIComponent(results.look)}` : "";
  const path = metric ? `/v1/experiments/${encodeURIComponent(experiment.experiment)}/history?metric=${encodeURIComponent(metric.metric)}${until}` : null;
  const history = useResource<History>(path);
  useEffect(() => {
    if (frozen || !history) return;
    const timer = setInterval(() => !document.hidden && history.reload(), REFRESH_MS);
    return () => clearInterval(timer);
  }, [history, frozen]);
  if (!metric) return null;
  const comparisons = compare(experiment, metric);
  const speech = speechOf(metric, comparisons, scale);
  const control = metric.variants.find((it) => it.control);
  const series = comparisons.map((it) => {
    const pair = (control?.units ?? 0) + it.arm.units;
    return { it, points: withNewest(pointsOf(history?.data.value ?? null, metric.metric, it.arm.variant, scale), it.arm, pair, results, scale) };
  });
  const ok = series.flatMap(({ points }) => points.filter((it) => it.ok));
  const base = scale === "lift" ? 1 : (control?.mean ?? null);
  const minimum = metric.role === "guardrail" || base === null ? null : (minimumOf(metric) ?? 0) * base || null;
  const lasts = series.flatMap(({ points }) => points.slice(-1)).flatMap((it) => [it.low, it.high]);
  const y = reachOf(
    ok.map((it) => [it.low, it.high]),
    ok.flatMap((it) => it.value ?? []),
    [Math.min(0, ...lasts.filter((it) => it !== null)), Math.max(0, ...lasts.filter((it) => it !== null))],
    minimum === null ? [] : [minimum],
  );
  const all = series.flatMap((it) => it.points);
  const about = `Cumulative ${scale === "lift" ? "lift" : "difference"} with its interval at every look, and below it the always-valid p, which can only fall. ${byUnits.value ? "The axis counts" : "Second line of the axis:"} ${units(experiment.unit_name)} in the pair.`;
  return (
    <Card id="time" class="block" title="Over time" about={byWeek.value ? weeksAbout(experiment.alpha, units(experiment.unit_name)) : about} side={<Tabs experiment={experiment} chosen={metric.metric} />}>
      {byWeek.value ? (
        <Weeks metric={metric} comparisons={comparisons} speech={speech} scale={scale} alpha={experiment.alpha} unit={units(experiment.unit_name)} />
      ) : all.length < 2 ? (
        <p class="empty">{history?.error.value ? `The history could not be loaded: ${history.error.value.message}` : "A line begins with the second look. Looks close every few seconds while events come in."}</p>
      ) : (
        <div class={series.length > 1 ? "charts" : "charts one"}>
          {series.map(({ it, points }) => (
            <ArmChart it={it} points={points} y={y} minimum={minimum} speech={speech} alpha={experiment.alpha} unit={experiment.unit_name} byUnits={byUnits.value} span={spanOf(all, byUnits.value)} scale={scale} />
          ))}
        </div>
      )}
      <div class="key line">
        <span hidden={byWeek.value}>
          <i class="wait" />
          waiting period: too few {units(experiment.unit_name)} or events
        </span>
        {!byWeek.value && minimum !== null && (
          <span>
            <i class="l" />
            minimum effect
          </span>
        )}
        <span class="grow" />
        <button type="button" class="btn s" aria-pressed={byWeek.value} onClick={() => (byWeek.value = !byWeek.value)}>
          {byWeek.value ? "Cumulative" : "Week by week"}
        </button>
        <button type="button" class="btn s" hidden={byWeek.value} aria-pressed={byUnits.value} onClick={() => (byUnits.value = !byUnits.value)}>
          {byUnits.value ? "By time" : `By ${units(experiment.unit_name)}`}
        </button>
        <button type="button" class="btn s" hidden={byWeek.value} aria-expanded={asTable.value} onClick={() => (asTable.value = !asTable.value)}>
          {asTable.value ? "Hide table" : "Show as table"}
        </button>
      </div>
      {asTable.value && !byWeek.value && (
        <div class="tbl-tall">
          <Table
            caption={`${metric.name} at every look shown above`}
            columns={[{ name: "Look, UTC" }, { name: "Arm" }, { name: units(experiment.unit_name), number: true }, { name: scale, number: true }, { name: "interval", number: true }, { name: "p so far", number: true }]}
            rows={series.flatMap(({ it, points }) => points.map((point) => rowOf(it.name, point, speech)))}
          />
        </div>
      )}
    </Card>
  );
}

const rowOf = (name: string, it: Point, speech: Speech) => [
  moment(it.look, true),
  name,
  it.units.toLocaleString("en"),
  it.ok ? speech.point(it.value) : "waiting",
  it.ok ? speech.range({ low: it.low, point: it.value, high: it.high, shape: "bounded" }) : "–",
  pValue(it.p),
];

/** All panels have the same axes. */
function spanOf(points: Point[], byUnits: boolean): [number, number] {
  const values = points.map((it) => (byUnits ? it.units : it.at));
  return [byUnits ? 0 : Math.min(...values), Math.max(...values)];
}

function Tabs({ experiment, chosen }: { experiment: Shown["experiment"]; chosen: string }) {
  if (experiment.metrics.length < 2) return null;
  return (
    <div class="seg" role="group" aria-label="Metric of the charts">
      {experiment.metrics.map((it) => (
        <button type="button" aria-pressed={it.metric === chosen} onClick={() => go(withQuery({ metric: it.metric === primaryOf(experiment)?.metric ? null : it.metric }), true)}>
          {it.name}
        </button>
      ))}
    </div>
  );
}

