// The history of one comparison, read from columns into points, in the scale that is shown.

import type { Arm, Experiment, History, Metric, Results } from "../../api/types";
import { millis } from "../../times";
import { marksOf, type Scale, speechOf } from "../../columns";
import { compare } from "../../model";
import { reachOf } from "../../scale";

export interface Point {
  look: string;
  at: number;
  units: number;
  /** Whether there is anything to infer from yet. */
  ok: boolean;
  value: number | null;
  low: number | null;
  high: number | null;
  p: number | null;
  version: number | null;
}

/** The rows of a series, whose cells are found by the names of their columns. */
const cellsOf = (history: History | null, series: string) =>
  (history?.series[series] ?? []).map((row) => {
    const of = (column = "") => row[history?.columns.indexOf(column) ?? -1];
    const number = (column?: string) => {
      const it = of(column);
      return typeof it === "number" ? it : null;
    };
    return { of, number };
  });

export function pointsOf(history: History | null, metric: string, variant: string, scale: Scale): Point[] {
  const [value, low, high] = scale === "lift" ? ["lift", "lift_low", "lift_high"] : ["difference", "low", "high"];
  return cellsOf(history, `${metric}/${variant}`).map(({ of, number }) => {
    const look = String(of("look"));
    return {
      look,
      at: millis(look),
      units: number("units") ?? 0,
      ok: isOk(of("status")),
      value: number(value),
      low: number(low),
      high: number(high),
      p: number("p_value_running"),
      version: number("config_version"),
    };
  });
}

/** A blocked split is not to be believed, but there is a line. */
const isOk = (status: unknown) => status === "ok" || status === "srm_blocked";

/** The look that the page shows belongs to the line even before the history has it. */
export function withNewest(points: Point[], arm: Arm, pair: number, results: Results, scale: Scale): Point[] {
  const test = arm.always_valid;
  const last = points[points.length - 1];
  const at = millis(results.look);
  if (!test || (last && last.at >= at)) return points.filter((it) => it.at <= at);
  const lift = scale === "lift";
  const newest: Point = {
    look: results.look,
    at,
    units: pair,
    ok: isOk(test.status),
    value: (lift ? arm.lift : arm.difference) ?? null,
    low: lift ? test.lift_low : test.low,
    high: lift ? test.lift_high : test.high,
    p: test.p_value_running ?? null,
    version: results.provenance.config_version,
  };
  return [...points, newest];
}

/** Parts between which looks are missing: far longer than between others. */
export function runs(points: Point[]): Point[][] {
  const steps = points.slice(1).map((it, at) => it.at - (points[at]?.at ?? it.at));
  const usual = [...steps].sort((a, b) => a - b)[Math.floor(steps.length / 2)] ?? 0;
  const gap = Math.max(GAP_LEAST_MS, GAP_TIMES * usual);
  const out: Point[][] = [];
  points.forEach((point, at) => {
    const before = points[at - 1];
    if (!before || point.at - before.at > gap) out.push([]);
    out[out.length - 1]?.push(point);
  });
  return out;
}

const GAP_TIMES = 20;
const GAP_LEAST_MS = 5 * 60_000;

/** Lines of all arms of a metric, and the axis that they share. */
export function timesOf(experiment: Experiment, results: Results, metric: Metric, history: History | null, scale: Scale) {
  const comparisons = compare(experiment, metric);
  const control = metric.variants.find((it) => it.control);
  const series = comparisons.map((it) => ({ it, points: withNewest(pointsOf(history, metric.metric, it.arm.variant, scale), it.arm, (control?.units ?? 0) + it.arm.units, results, scale) }));
  const all = series.flatMap((it) => it.points);
  const ok = all.filter((it) => it.ok);
  const { minimum = null } = marksOf(metric, scale);
  const lasts = series.flatMap(({ points }) => points.slice(-1)).flatMap((it) => [it.low, it.high].filter((end) => end !== null));
  const y = reachOf(
    ok.map((it) => [it.low, it.high]),
    ok.flatMap((it) => it.value ?? []),
    [Math.min(0, ...lasts), Math.max(0, ...lasts)],
    minimum === null ? [] : [minimum],
  );
  return { comparisons, series, all, y, minimum, speech: speechOf(metric, comparisons, scale) };
}

/** All panels have the same axes. */
export function spanOf(points: Point[], byUnits: boolean): [number, number] {
  const values = points.map((it) => (byUnits ? it.units : it.at));
  return [byUnits ? 0 : Math.min(...values), Math.max(...values)];
}

export interface SplitPoint {
  at: number;
  units: number | null;
  /** The least so far. */
  p: number;
  /** At this look alone: one by the evidence. */
  now: number | null;
}

export const splitPoints = (history: History | null): SplitPoint[] =>
  cellsOf(history, "srm").map(({ of, number }) => {
    const evidence = number("ln_e");
    return { at: millis(String(of("look"))), units: number("units"), p: number("p_value_running") ?? 1, now: evidence === null ? null : Math.min(1, Math.exp(-evidence)) };
  });
