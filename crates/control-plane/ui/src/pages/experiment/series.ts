// The history of one comparison, read from columns into points, in the scale that is shown.

import type { Arm, History, Results } from "../../api/types";
import { millis } from "../../times";
import type { Scale } from "../../columns";

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

export function pointsOf(history: History | null, metric: string, variant: string, scale: Scale): Point[] {
  if (!history) return [];
  const column = (name: string) => history.columns.indexOf(name);
  const names = scale === "lift" ? ["lift", "lift_low", "lift_high"] : ["difference", "low", "high"];
  const [look, units, status, p, version] = ["look", "units", "status", "p_value_running", "config_version"].map(column);
  const [value, low, high] = names.map(column);
  const number = (row: (string | number | null)[], at: number | undefined) => {
    const it = at === undefined || at < 0 ? null : row[at];
    return typeof it === "number" ? it : null;
  };
  return (history.series[`${metric}/${variant}`] ?? []).map((row) => ({
    look: String(row[look ?? 0]),
    at: millis(String(row[look ?? 0])),
    units: number(row, units) ?? 0,
    ok: row[status ?? -1] === "ok" || row[status ?? -1] === "srm_blocked",
    value: number(row, value),
    low: number(row, low),
    high: number(row, high),
    p: number(row, p),
    version: number(row, version),
  }));
}

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
    ok: test.status === "ok" || test.status === "srm_blocked",
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

export interface SplitPoint {
  at: number;
  units: number | null;
  /** The least so far. */
  p: number;
  /** At this look alone: one by the evidence. */
  now: number | null;
}

export function splitPoints(history: History | null): SplitPoint[] {
  if (!history) return [];
  const [look, many, p, lnE] = ["look", "units", "p_value_running", "ln_e"].map((name) => history.columns.indexOf(name));
  const number = (row: (string | number | null)[], at: number | undefined) => (typeof row[at ?? -1] === "number" ? Number(row[at ?? -1]) : null);
  return (history.series.srm ?? []).map((row) => {
    const evidence = number(row, lnE);
    return { at: millis(String(row[look ?? 0])), units: number(row, many), p: number(row, p) ?? 1, now: evidence === null ? null : Math.min(1, Math.exp(-evidence)) };
  });
}
