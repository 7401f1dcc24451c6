// What the metric table says in either scale: lifts share one axis, differences have one for each metric.

import type { AlwaysValid, Arm, Metric } from "./api/types";
import { type Comparison, harmOf, hasInterval, minimumOf } from "./model";
import { decimalsOf, decimalsOfGroup, difference, factorOf, lift, mean, range } from "./numbers";
import type { Marks } from "./parts/Interval";
import { type Ends, type Scale as Axis, axisOf } from "./scale";

/** Relative, or absolute in the metric's unit. */
export type Scale = "lift" | "difference";

export interface Drawn {
  low: number | null;
  point: number | null;
  high: number | null;
  shape: string | null;
}

export const drawn = (it: Comparison, scale: Scale): Drawn => drawnOf(it.test, it.arm, scale);

type Bounds = Pick<AlwaysValid, "low" | "high" | "lift_low" | "lift_high" | "lift_shape">;

export function drawnOf(test: Bounds, arm: Pick<Arm, "lift" | "difference">, scale: Scale): Drawn {
  if (scale === "difference") return { low: test.low, point: arm.difference ?? null, high: test.high, shape: test.low === null && test.high === null ? "unbounded" : "bounded" };
  return { low: test.lift_low, point: arm.lift ?? null, high: test.lift_high, shape: test.lift_shape };
}

/** An exclusive set is everything but its middle: on an axis it goes on at both ends. */
export const endsOf = (it: Drawn): Ends => (it.shape === "bounded" ? [it.low, it.high] : [null, null]);

/** The control's mean turns a margin in lifts into one in differences. */
export function marksOf(metric: Metric, scale: Scale): Marks {
  const base = scale === "lift" ? 1 : (metric.variants.find((it) => it.control)?.mean ?? null);
  const scaled = (value: number | null) => (value === null || base === null ? null : value * base);
  return { minimum: metric.role === "guardrail" ? null : scaled(minimumOf(metric)), harm: scaled(harmOf(metric)) };
}

export function axisFor(rows: { comparisons: Comparison[]; marks: Marks }[], scale: Scale, most = 8): Axis {
  const all = rows.flatMap((it) => it.comparisons.filter(hasInterval)).map((it) => drawn(it, scale));
  const marks = rows.flatMap(({ marks: it }) => [it.minimum, it.harm]).filter((it): it is number => it != null);
  const points = all.flatMap((it) => it.point ?? []);
  return axisOf(all.map(endsOf), points, marks, most);
}

export interface Speech {
  point: (value: number | null) => string;
  range: (it: Drawn) => string;
  /** For those who listen. */
  both: (it: Drawn) => string;
  mean: (value: number | null) => string;
  tick: (value: number) => string;
}

/** One number of decimals for all arms of a metric. */
export function speechOf(metric: Metric, comparisons: Comparison[], scale: Scale): Speech {
  const all = comparisons.filter(hasInterval).map((it) => drawn(it, scale));
  const factor = scale === "lift" ? 100 : factorOf(metric.unit);
  const decimals = decimalsOfGroup(all.filter((it) => it.shape === "bounded").map((it) => [it.low, it.high]), factor);
  const halves = comparisons.filter(hasInterval).map(({ test }) => (test.low === null || test.high === null ? 0 : ((test.high - test.low) / 2) * factorOf(metric.unit)));
  const meanDecimals = decimalsOf(Math.max(0, ...halves));
  const say = scale === "lift" ? (value: number) => lift(value, decimals) : (value: number) => difference(value, metric.unit, decimals);
  const point = (value: number | null) => (value === null ? (scale === "lift" ? "undefined" : "–") : say(value));
  // The unit is said once.
  const between = (it: Drawn) => range(it.low, it.high, it.shape, say).replace(/ points(?= (to|or) )/g, "");
  return {
    point,
    range: between,
    both: (it) => `${point(it.point)}, interval ${between(it)}`,
    mean: (value) => mean(value, metric.unit, Math.max(meanDecimals, fewest(metric, value))),
    tick: (value) => (scale === "lift" ? tickText(value) : bare(difference(value, metric.unit, 6))),
  };
}

/** While there is no interval, three significant digits of the mean have to do. */
function fewest(metric: Metric, value: number | null): number {
  if (value === null || value === 0) return 0;
  const size = Math.abs(value) * factorOf(metric.unit);
  return size >= 100 ? 0 : Math.min(3, Math.max(0, 1 - Math.floor(Math.log10(size))));
}

export function tickText(value: number): string {
  const decimals = [0, 1, 2, 3].find((it) => Math.abs(value * 100 - Number((value * 100).toFixed(it))) < 1e-9) ?? 3;
  return lift(value, decimals);
}

/** +0.500000 points is +0.5 under an axis. */
const bare = (text: string) => text.replace(" points", "").replace(/\.(\d*?)0+$/, (_, kept: string) => (kept ? `.${kept}` : ""));
