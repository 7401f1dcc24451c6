// Where the lines of the planner's pictures go. Pure.

import type { PeekAnswer, PlanAnswer, StillFinds } from "../../api/schema";
import { type Point, SIZE, type Tick } from "../../path";
import { ticksOf } from "../../scale";
import { plain, tickCount } from "./words";

type Pair = [number, number] | number[];

/** Points of a share between 0 and 1 over sizes up to `end`, in the box of a picture. */
export const shares = (points: Pair[], end: number): Point[] => points.map(([units = 0, share = 0]): Point => [(SIZE * units) / end, SIZE * (1 - share)]);

/** Where the picture of chances ends: where its longer line does. */
export function endOf(answer: PlanAnswer): number {
  const line = answer.curve.one_look.at(-1)?.[0] ?? 1;
  return Math.max(line, answer.headline.at_most);
}

/** A line that stays where it is until the next look, from nothing to the end of the picture. */
export function stepped(points: Pair[], end: number): Pair[] {
  const last = points.at(-1);
  return last ? [[0, 0], ...points, [end, last[1] ?? 0]] : [];
}

/** Ticks of sizes: 1-2-5 steps, each with the day on which it is reached below it. */
export function sizeTicks(end: number, perDay: number | null, most = 8): Tick[] {
  return ticksOf(0, end, most).map((units) => {
    const day = perDay === null ? "" : `\nday ${plain(Math.round((units / perDay) * 10) / 10, 3)}`;
    return { at: (SIZE * units) / end, text: tickCount(units) + day };
  });
}

/** A value of a line at a size, by the line between its points. */
export function valueAt(points: Pair[], at: number): number | null {
  const after = points.findIndex(([x = 0]) => x >= at);
  if (after < 0) return points.at(-1)?.[1] ?? null;
  const [x1 = 0, y1 = 0] = points[after] ?? [];
  const [x0 = 0, y0 = 0] = points[after - 1] ?? [0, 0];
  return x1 === x0 ? y1 : y0 + ((y1 - y0) * (at - x0)) / (x1 - x0);
}

/** The value of a line that stays until its next point. */
export function stepAt(points: Pair[], at: number): number {
  return points.filter(([x = 0]) => x <= at).at(-1)?.[1] ?? 0;
}

/** The lowest p that a picture shows: the lowest there is, but one tenth of alpha is always seen. */
export function leastOf(peek: PeekAnswer): number {
  const least = Math.min(peek.alpha / 10, ...peek.path.map((it) => it.ordinary));
  return Math.max(1e-12, least * 0.8);
}

/** Runs of looks at which the ordinary p is below alpha: from and to, as shares of the picture. */
export function falls(peek: PeekAnswer): [number, number][] {
  const half = SIZE / peek.looks / 2;
  const runs: [number, number][] = [];
  peek.path.forEach((it, at) => {
    if (it.ordinary >= peek.alpha) return;
    const middle = (SIZE * (at + 1)) / peek.looks;
    const last = runs.at(-1);
    if (last && middle - half <= last[1] + 1e-6) last[1] = middle + half;
    else runs.push([middle - half, middle + half]);
  });
  return runs;
}

/** Numbers of looks on a log axis. */
export const looksAt = (looks: number, most: number): number => (most <= 1 ? 0 : (SIZE * Math.log10(looks)) / Math.log10(most));

/** Sizes on a log axis, and effects from 0 up. */
export function effects(curve: StillFinds[], of: (it: StillFinds) => number | null): Pair[] {
  return curve.flatMap((it) => {
    const value = of(it);
    return value === null ? [] : [[it.units, Math.abs(value)] as [number, number]];
  });
}
