// What one arm over time looks like, for the page and for files: band and line, grey until it was decided, and the running p. Pure.

import { drawn, type Scale, type Speech, tickText } from "../../columns";
import { type Comparison, signOf } from "../../model";
import { countShort } from "../../numbers";
import { across, alternate, area, band, type Ink, line, type Point as Place, SIZE, steps, type Tick } from "../../path";
import { at, hold, pAxis, type Scale as Axis, ticksOf, timeText, timeTicks } from "../../scale";
import { type Point, runs } from "./series";

export interface Drawing {
  it: Comparison;
  points: Point[];
  y: Axis;
  minimum: number | null;
  speech: Speech;
  alpha: number;
  byUnits: boolean;
  span: [number, number];
  scale: Scale;
}

export function armPicture({ it, points, y, minimum, speech, alpha, byUnits, span, scale }: Drawing) {
  const [from, to] = span;
  const x = (point: { at: number; units: number }) => (((byUnits ? point.units : point.at) - from) / Math.max(1, to - from)) * SIZE;
  const top = (value: number) => SIZE - (hold(at(y, value), 0, 100) / 100) * SIZE;
  const ok = points.filter((point) => point.ok && point.value !== null);
  const first = ok[0];
  const { crossed } = it.test;
  const crossing = crossed && { look: crossed.look, at: Date.parse(crossed.look), units: crossed.units, value: scale === "lift" ? crossed.lift : (ok.find((point) => point.look >= crossed.look)?.value ?? null) };
  const tone = it.kind === "void" || !crossing ? "same" : signOf(it.metric) * (crossing.value ?? 0) > 0 ? "better" : "worse";
  const split = crossing ? crossing.at : Number.POSITIVE_INFINITY;
  const before = runs(ok).map((run) => run.filter((point) => point.at <= split));
  // The decided part begins where the grey one ends, so that no hole is between them.
  const joint = ok.findLast((point) => point.at <= split);
  const after = runs(ok.filter((point) => point.at > split || point === joint));
  const place = (point: Point, value: number | null, edge: number): Place => [x(point), top(value ?? edge)];
  const bandOf = (run: Point[]) => band(run.map((point) => place(point, point.high, y.high)), run.map((point) => place(point, point.low, y.low)));
  const lineOf = (run: Point[]) => line(run.map((point) => place(point, point.value, 0)));
  const inks: Ink[] = [
    // Grey ground until there is anything to infer from.
    { d: area([0, 0], [first ? Math.max(0, x(first)) : SIZE, SIZE]), fill: "same-soft" },
    ...before.map((run) => ({ d: bandOf(run), fill: "same-band", opacity: 0.6 })),
    ...after.map((run) => ({ d: bandOf(run), fill: `${tone}-band`, opacity: 0.6 })),
    ...(minimum === null ? [] : [{ d: across(top(minimum)), line: "better", dashed: true, opacity: 0.8 }]),
    { d: across(top(0)), line: "ink-3" },
    ...before.map((run) => ({ d: lineOf(run), line: "same", width: 1.8 })),
    ...after.map((run) => ({ d: lineOf(run), line: tone, width: 2 })),
  ];
  const known = points.filter((point) => point.p !== null);
  const p = pAxis(Math.min(alpha / 2, ...known.map((point) => point.p ?? 1)), alpha);
  return {
    ok,
    top,
    xOf: x,
    tone,
    now: drawn(it, scale),
    crossing: crossing && { ...crossing, place: [x(crossing), top(crossing.value ?? 0)] as Place },
    x: ticksAt(points, span, byUnits),
    y: y.ticks.map((tick) => ({ at: top(tick), text: tick === 0 ? "0" : scale === "lift" ? tickText(tick) : speech.tick(tick) })),
    minimumText: minimum === null ? null : `minimum ${scale === "lift" ? tickText(minimum) : speech.point(minimum)}`,
    inks,
    p: { y: p.y, level: p.level, inks: [{ d: steps(known.map((point) => [x(point), p.top(point.p ?? 1)])), line: "ink", width: 1.6 }] },
  };
}

function ticksAt(points: Point[], [from, to]: [number, number], byUnits: boolean): Tick[] {
  const values = byUnits ? ticksOf(from, to) : timeTicks(from, to);
  const text = (tick: number) => (byUnits ? countShort(tick) : `${timeText(tick, to - from)}\n${countShort(points.findLast((point) => point.at <= tick)?.units ?? 0)}`);
  return alternate(values.map((tick) => ({ at: (SIZE * (tick - from)) / Math.max(1, to - from), text: text(tick) })));
}
