// The pictures of a metric as files. Pure; loaded when somebody asks for one.

import type { Experiment, History, Metric, Results } from "../../api/types";
import { axisFor, drawn, endsOf, marksOf, type Scale, speechOf, tickText } from "../../columns";
import { compare, hasInterval } from "../../model";
import { type Ink, type Point, SIZE } from "../../path";
import { at } from "../../scale";
import { type Panel, svgOf } from "./svg";
import { moment } from "../../times";
import { capital, inner } from "../../words/part";
import { armPicture } from "./armPicture";
import { provenanceOf } from "./provenance";
import { spanOf, timesOf } from "./series";

export { inked } from "./svg";

const ROW = 46;

const titled = (experiment: Experiment, metric: Metric, what: string) => `${experiment.title || experiment.experiment} · ${inner(metric.name)}, ${what}`;
const factsOf = (experiment: Experiment, results: Results) => [`Experiment ${experiment.experiment}`, ...provenanceOf(results).map((it) => it.join(" "))];

export function overTimeSvg(experiment: Experiment, results: Results, metric: Metric, history: History, scale: Scale): string {
  const { series, y, minimum, speech, all } = timesOf(experiment, results, metric, history, scale);
  const panels = series.flatMap(({ it, points }): Panel[] => {
    const picture = armPicture({ it, points, y, minimum, speech, alpha: experiment.alpha, byUnits: false, span: spanOf(all, false), scale });
    const { crossing, now, tone } = picture;
    const decided: Ink[] = crossing ? [{ d: upright(crossing.place[0]), line: tone }] : [];
    const left = (crossing?.place[0] ?? 0) > SIZE / 2;
    return [
      {
        title: `${it.name}: now ${speech.point(now.point)}, ${speech.range(now)}`,
        height: 220,
        x: picture.x,
        y: picture.y,
        inks: [...picture.inks, ...decided],
        points: crossing ? [{ at: crossing.place, arm: it.index, tone }] : [],
        words: [
          ...(crossing ? [{ at: [crossing.place[0] + (left ? -8 : 8), 60] as Point, text: `Decided ${moment(crossing.look)} UTC`, end: left }] : []),
          ...(picture.minimumText ? [{ at: [SIZE - 4, picture.top(minimum ?? 0) - 16] as Point, text: picture.minimumText, tone: "better", end: true }] : []),
        ],
      },
      { title: "Always-valid p so far, log scale", height: 90, x: [], ...picture.p, inks: [...picture.p.inks, ...decided] },
    ];
  });
  return svgOf(titled(experiment, metric, `${scale} over time`), panels, factsOf(experiment, results));
}

export function intervalsSvg(experiment: Experiment, results: Results, metric: Metric, scale: Scale): string {
  const comparisons = compare(experiment, metric);
  const marks = marksOf(metric, scale);
  const axis = axisFor([{ comparisons, marks }], scale);
  const speech = speechOf(metric, comparisons, scale);
  const x = (value: number) => at(axis, value) * (SIZE / 100);
  const line = (value: number | null | undefined, name: string, dashed: boolean): Ink[] => (value == null ? [] : [{ d: upright(x(value)), line: name, dashed }]);
  const rows = comparisons.map((it, row) => ({ it, value: drawn(it, scale), middle: (SIZE * (row + 0.5)) / comparisons.length, shown: hasInterval(it), tone: it.kind === "better" || it.kind === "worse" ? it.kind : "same" }));
  const half = (SIZE / comparisons.length) * 0.16;
  const panel: Panel = {
    title: `${capital(scale)} against the control, with intervals that are valid at every look`,
    height: ROW * comparisons.length,
    x: axis.ticks.map((tick) => ({ at: x(tick), text: tick === 0 ? "0" : scale === "lift" ? tickText(tick) : speech.tick(tick) })),
    y: rows.map(({ it, value, middle, shown }) => ({ at: middle, text: `${it.name}\n${shown ? `${speech.point(value.point)}, ${speech.range(value)}` : "no interval yet"}` })),
    inks: [
      ...axis.ticks.flatMap((tick) => line(tick, "grid", false)),
      ...line(0, "ink-3", false),
      ...line(marks.minimum, "better", true),
      ...line(marks.harm, "alarm", true),
      ...rows
        .filter((it) => it.shown)
        .flatMap(({ value, middle, tone }): Ink[] => {
          const [low, high] = endsOf(value);
          const [from, to] = [low === null ? 0 : x(low), high === null ? SIZE : x(high)];
          const cap = (end: number | null, place: number): Ink[] => (end === null ? [] : [{ d: upright(place, middle - half, middle + half), line: tone, width: 2 }]);
          return [{ d: `M${from.toFixed(1)} ${middle.toFixed(1)}H${to.toFixed(1)}`, line: `${tone}-band`, width: 12 }, ...cap(low, from), ...cap(high, to)];
        }),
    ],
    points: rows.flatMap(({ it, value, middle, shown, tone }) => (shown && value.point !== null ? [{ at: [x(value.point), middle] as Point, arm: it.index, tone }] : [])),
  };
  return svgOf(titled(experiment, metric, "intervals"), [panel], factsOf(experiment, results));
}

const upright = (x: number, from = 0, to = SIZE) => `M${x.toFixed(1)} ${from.toFixed(1)}V${to.toFixed(1)}`;
