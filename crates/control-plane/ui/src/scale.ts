// Scales: from values to per cent of a picture's width or height. Pure, so that tables can test them.

import { superscript } from "./numbers";
import { SIZE } from "./path";
import { clock, day } from "./times";

export interface Scale {
  low: number;
  high: number;
  ticks: number[];
}

const STEPS = [1, 2, 5, 10];
/** An interval wider than so many times the median does not shrink the others: it is cut, with an arrow. */
const CUT_AT = 4;
const TICKS = 6;

/** The 1-2-5 step that gives at most `most` ticks. */
export function stepOf(span: number, most = TICKS): number {
  const raw = span / most;
  const size = 10 ** Math.floor(Math.log10(raw));
  return (STEPS.find((it) => it * size >= raw * (1 - 1e-9)) ?? 10) * size;
}

/** Multiples of the step inside [low, high]. */
export function ticksOf(low: number, high: number, most = TICKS): number[] {
  if (!(high > low)) return [low];
  const step = stepOf(high - low, most);
  const ticks: number[] = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + step * 1e-9; k += 1) ticks.push(Number((k * step).toPrecision(12)));
  return ticks;
}

/** Where a value lies, in per cent from the low end; not held inside. */
export const at = (scale: Scale, value: number): number => ((value - scale.low) / (scale.high - scale.low)) * 100;

export const hold = (value: number, low: number, high: number): number => Math.min(high, Math.max(low, value));

export type Ends = [low: number | null, high: number | null];

/**
 * One axis for a group of intervals. Zero and the marks are always inside; an interval without an end, or much wider than the others, is cut.
 */
export function axisOf(intervals: Ends[], points: number[], marks: number[] = [], most = TICKS): Scale {
  const closed = intervals.filter((it): it is [number, number] => it[0] !== null && it[1] !== null);
  const widths = closed.map(([low, high]) => high - low).sort((a, b) => a - b);
  const median = widths[Math.floor((widths.length - 1) / 2)] ?? 0;
  const kept = closed.filter(([low, high]) => high - low <= CUT_AT * median);
  // A cut interval still shows its point, unless that is as far away as its ends.
  const near = points.filter((it) => kept.length === 0 || Math.abs(it) <= CUT_AT * Math.max(median, ...kept.flat().map(Math.abs)));
  return pad([0, ...marks, ...near, ...kept.flat()], most);
}

function pad(values: number[], most: number): Scale {
  let low = Math.min(...values);
  let high = Math.max(...values);
  if (high - low <= 0) [low, high] = [low - 0.1, high + 0.1];
  const room = (high - low) * 0.06;
  [low, high] = [low - room, high + room];
  return { low, high, ticks: ticksOf(low, high, most) };
}

/** A scale for what is drawn over time: it starts where the data need it. */
export function rangeOf(values: number[], most = 6): Scale {
  const finite = values.filter(Number.isFinite);
  let low = Math.min(...finite);
  let high = Math.max(...finite);
  if (finite.length === 0) [low, high] = [-0.1, 0.1];
  if (high - low <= 0) [low, high] = [low - 0.1, high + 0.1];
  const step = stepOf(high - low, most);
  low = Math.floor(low / step + 1e-9) * step;
  high = Math.ceil(high / step - 1e-9) * step;
  return { low, high, ticks: ticksOf(low, high, most) };
}

/**
 * Where a band over time is cut: early looks have intervals so wide that nothing else could be seen. Four times the reach of the last
 * interval is kept, and all that lies inside anyway.
 */
export function reachOf(bands: Ends[], lifts: number[], last: Ends, marks: number[]): Scale {
  const reach = Math.max(1e-6, ...last.filter((it) => it !== null).map(Math.abs), ...marks.map(Math.abs), ...lifts.slice(-1).map(Math.abs));
  const inside = [...bands.flat(), ...lifts].filter((it): it is number => it !== null && Math.abs(it) <= 1.25 * reach);
  return rangeOf([0, ...marks, ...inside], 8);
}

/** Powers of ten for an axis of p-values from 1 down to `least`. */
export function logTicks(least: number): number[] {
  const depth = Math.max(1, Math.ceil(-Math.log10(Math.max(least, 1e-300)) - 1e-9));
  const step = depth <= 3 ? depth : Math.ceil(depth / 3);
  const ticks = [0];
  for (let k = step; k <= depth; k += step) ticks.push(k);
  return ticks;
}

/** No p is lower on any axis. */
const P_LEAST = 1e-300;
/** A tick so near to the line that p is compared with has no room for its words. */
const NEAR = 75;

/** A log axis of p-values that falls from 1 to `least`, with a tick at the line that they are compared with. */
export function pAxis(least: number, level: number): { top: (p: number) => number; y: { at: number; text: string }[]; level: number } {
  const ticks = logTicks(least);
  const depth = Math.max(-Math.log10(Math.max(least, P_LEAST)), ...ticks);
  const top = (p: number) => (-Math.log10(Math.max(p, P_LEAST)) / depth) * SIZE;
  const powers = ticks.map((tick) => ({ at: (tick / depth) * SIZE, text: tick === 0 ? "1" : `10${superscript(-tick)}` }));
  return { top, level: top(level), y: [...powers.filter((it) => Math.abs(it.at - top(level)) > NEAR), { at: top(level), text: String(level) }] };
}

/** Midnights (UTC) inside a span of time, at most `most` of them, or hours where the span is short. */
export function timeTicks(from: number, to: number, most = 8): number[] {
  const HOUR = 3_600_000;
  const steps = [HOUR / 60, HOUR / 12, HOUR / 4, HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, ...[1, 2, 4, 7, 14, 28, 56, 112, 364].map((days) => days * 24 * HOUR)];
  const step = steps.find((it) => (to - from) / it <= most) ?? (to - from) / most;
  const ticks: number[] = [];
  for (let t = Math.ceil(from / step) * step; t <= to; t += step) ticks.push(t);
  return ticks;
}

/** Their words under the axis: days, or hours where the span is short. */
export const timeText = (tick: number, span: number): string => (span > 2 * 86_400_000 ? day(tick) : clock(tick).slice(0, 5));
