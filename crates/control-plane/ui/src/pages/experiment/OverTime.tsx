// Over time: the lift and its interval at every look, and below it the p that only falls.

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { History } from "../../api/types";
import { ofExperiment } from "../../api/client";
import { useResource } from "../../api/resource";
import { primaryOf } from "../../model";
import { Card } from "../../parts/Card";
import { Sign } from "../../parts/Picture";
import { Switch } from "../../parts/Switch";
import { Table } from "../../parts/Table";
import { pValue } from "../../numbers";
import { go, query, withQuery } from "../../router";
import { moment } from "../../times";
import { units } from "../../words/part";
import { ArmChart } from "./ArmChart";
import type { Speech } from "../../columns";
import type { Shown } from "./Experiment";
import { type Point, spanOf, timesOf } from "./series";
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
  const path = metric ? ofExperiment(experiment.experiment, `history?metric=${encodeURIComponent(metric.metric)}${until}`) : null;
  const history = useResource<History>(path);
  useEffect(() => {
    if (frozen || !history) return;
    const timer = setInterval(() => !document.hidden && history.reload(), REFRESH_MS);
    return () => clearInterval(timer);
  }, [history, frozen]);
  if (!metric) return null;
  const { comparisons, series, all, y, minimum, speech } = timesOf(experiment, results, metric, history?.data.value ?? null, scale);
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
        {!byWeek.value && <Sign of="wait">waiting period: too few {units(experiment.unit_name)} or events</Sign>}
        {!byWeek.value && minimum !== null && <Sign of="l">minimum effect</Sign>}
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
            columns={["Look, UTC", "Arm", `#${units(experiment.unit_name)}`, `#${scale}`, "#interval", "#p so far"]}
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

function Tabs({ experiment, chosen }: { experiment: Shown["experiment"]; chosen: string }) {
  if (experiment.metrics.length < 2) return null;
  const primary = primaryOf(experiment)?.metric;
  const choose = (metric: string) => go(withQuery({ metric: metric === primary ? null : metric }), true);
  return <Switch label="Metric of the charts" now={chosen} options={experiment.metrics.map((it) => [it.metric, it.name] as const)} choose={choose} />;
}
