// One arm over time: band and line, grey until it was decided, and the running p.

import { type Comparison, signOf } from "../../model";
import { count, countShort, pValue } from "../../numbers";
import { alternate, beside, Plot, type Reading, type Tick, Upright } from "../../parts/Plot";
import { ArmName, Shape } from "../../parts/Shape";
import { across, area, band, type Ink, line, pct, type Point as Place, SIZE, steps } from "../../path";
import { at, hold, pAxis, type Scale as Axis, ticksOf, timeText, timeTicks } from "../../scale";
import { moment } from "../../times";
import { units } from "../../words/part";
import { drawn, type Speech, tickText } from "../../columns";
import type { Scale } from "../../columns";
import { type Point, runs } from "./series";

interface Props {
  it: Comparison;
  points: Point[];
  y: Axis;
  minimum: number | null;
  speech: Speech;
  alpha: number;
  unit: string;
  byUnits: boolean;
  span: [number, number];
  scale: Scale;
}

export function ArmChart({ it, points, y, minimum, speech, alpha, unit, byUnits, span, scale }: Props) {
  const [from, to] = span;
  const x = (point: { at: number; units: number }) => (((byUnits ? point.units : point.at) - from) / Math.max(1, to - from)) * SIZE;
  const top = (value: number) => SIZE - (hold(at(y, value), 0, 100) / 100) * SIZE;
  const ok = points.filter((point) => point.ok && point.value !== null);
  const first = ok[0];
  const crossed = it.test.crossed ?? null;
  const crossing = crossed && { at: Date.parse(crossed.look), units: crossed.units, value: scale === "lift" ? crossed.lift : (ok.find((point) => point.look >= crossed.look)?.value ?? null) };
  const tone = it.kind === "void" || !crossing ? "same" : signOf(it.metric) * (crossing.value ?? 0) > 0 ? "better" : "worse";
  const split = crossing ? crossing.at : Number.POSITIVE_INFINITY;
  const before = runs(ok).map((run) => run.filter((point) => point.at <= split));
  // The decided part begins where the grey one ends, so that no hole is between them.
  const joint = ok.findLast((point) => point.at <= split);
  const after = runs(ok.filter((point) => point.at > split || point === joint));
  const place = (point: Point, value: number | null, edge: number): Place => [x(point), top(value ?? edge)];
  const bandOf = (run: Point[]) => band(run.map((point) => place(point, point.high, y.high)), run.map((point) => place(point, point.low, y.low)));
  const lineOf = (run: Point[]) => line(run.map((point) => place(point, point.value, 0)));
  const xs = ticksAt(points, span, byUnits);
  const versions = points.filter((point, index) => index > 0 && point.version !== null && points[index - 1]?.version !== null && point.version !== points[index - 1]?.version);
  const now = drawn(it, scale);
  const decided = crossing && crossed ? `Decided ${moment(crossed.look)}` : "Not decided";
  const label = `${scale === "lift" ? "Lift" : "Difference"} of ${it.name} over time. Now ${speech.point(now.point)}, interval ${speech.range(now)}. ${decided}.`;
  const readings = ok.map((point): Reading => ({
    x: x(point),
    y: top(point.value ?? 0),
    lines: [
      `${moment(point.look)} UTC, ${count(point.units)} ${units(unit)}`,
      `${scale} ${speech.point(point.value)}, ${speech.range({ low: point.low, point: point.value, high: point.high, shape: "bounded" })}`,
      `p so far ${pValue(point.p)}`,
    ],
  }));
  const mark = crossing && x(crossing);
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
  return (
    <div class="figs">
      <figure class="fig">
        <figcaption>
          <ArmName index={it.index} name={it.name} strong />
          <span class="dim">
            now <b class="ink">{speech.point(now.point)}</b>, {speech.range(now)}
          </span>
        </figcaption>
        <Plot label={label} x={xs} y={y.ticks.map((tick) => ({ at: top(tick), text: tick === 0 ? "0" : scale === "lift" ? tickText(tick) : speech.tick(tick) }))} twoLines={!byUnits} readings={readings} inks={inks}>
          {minimum !== null && (
            <span class="note bare right t-better" style={{ top: pct(top(minimum)) }}>
              minimum {scale === "lift" ? tickText(minimum) : speech.point(minimum)}
            </span>
          )}
          {versions.map((point) => (
            <>
              <Upright at={x(point)} tone="version" />
              <span class="note bare faint" style={{ left: pct(x(point)), bottom: "0" }}>
                v{point.version}
              </span>
            </>
          ))}
          {mark !== null && crossing && crossed && (
            <>
              <Upright at={mark} tone={tone} />
              <span class={`mk ${tone}`} style={{ left: pct(mark), top: pct(top(crossing.value ?? 0)) }}>
                <Shape index={it.index} />
              </span>
              <span class="note wrap" style={beside(mark)}>
                <b>Decided {moment(crossed.look)}</b>
                <br />
                at {count(crossed.units)} {units(unit)}
                {crossing.value !== null && `, ${speech.point(crossing.value)}`}
              </span>
            </>
          )}
        </Plot>
      </figure>
      <RunningP it={it} points={points} alpha={alpha} x={x} mark={mark} tone={tone} />
    </div>
  );
}

function RunningP({ it, points, alpha, x, mark, tone }: { it: Comparison; points: Point[]; alpha: number; x: (point: Point) => number; mark: number | null; tone: string }) {
  const known = points.filter((point) => point.p !== null);
  const axis = pAxis(Math.min(alpha / 2, ...known.map((point) => point.p ?? 1)), alpha);
  return (
    <figure class="fig">
      <figcaption class="small faint low">Always-valid p so far, log scale</figcaption>
      <Plot
        label={`Always-valid p of ${it.name} over time; it only falls. Now ${pValue(it.test.p_value_running)}.`}
        height="low"
        x={[]}
        y={axis.y}
        level={axis.level}
        inks={[{ d: steps(known.map((point) => [x(point), axis.top(point.p ?? 1)])), line: "ink", width: 1.6 }]}
      >
        <span class="note faint bare right above" style={{ top: pct(axis.level) }}>
          below {alpha}: decided
        </span>
        {mark !== null && <Upright at={mark} tone={tone} />}
      </Plot>
    </figure>
  );
}

function ticksAt(points: Point[], [from, to]: [number, number], byUnits: boolean): Tick[] {
  const values = byUnits ? ticksOf(from, to) : timeTicks(from, to);
  const text = (tick: number) => (byUnits ? countShort(tick) : `${timeText(tick, to - from)}\n${countShort(points.findLast((point) => point.at <= tick)?.units ?? 0)}`);
  return alternate(values.map((tick) => ({ at: (SIZE * (tick - from)) / Math.max(1, to - from), text: text(tick) })));
}
