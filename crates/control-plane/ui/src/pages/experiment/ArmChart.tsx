// One arm over time: band and line, grey until it was decided, and the running p.

import { type Comparison, signOf } from "../../model";
import { count, countShort, pValue, superscript } from "../../numbers";
import { Plot, type Reading, type Tick } from "../../parts/Plot";
import { ArmName, Shape } from "../../parts/Shape";
import { across, band, line, type Point as Place, SIZE, steps } from "../../path";
import { at, hold, logTicks, type Scale as Axis, ticksOf, timeTicks } from "../../scale";
import { clock, day, moment } from "../../times";
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

const DAY_MS = 86_400_000;

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
  const readings = ok.map((point): Reading => {
    const value = { low: point.low, point: point.value, high: point.high, shape: "bounded" };
    const text = `${speech.point(point.value)}, ${speech.range(value)}`;
    return {
      x: x(point) / 10,
      y: top(point.value ?? 0) / 10,
      spoken: `${moment(point.look)} UTC, ${count(point.units)} ${units(unit)}: ${text}. p so far ${pValue(point.p)}`,
      text: (
        <>
          <b>{moment(point.look)} UTC</b> · {count(point.units)} {units(unit)}
          <br />
          {scale} <b>{speech.point(point.value)}</b>, {speech.range(value)}
          <br />p so far {pValue(point.p)}
        </>
      ),
    };
  });
  const mark = crossing ? x(crossing) / 10 : null;
  return (
    <div class="figs">
      <figure class="fig">
        <figcaption>
          <ArmName index={it.index} name={it.name} strong />
          <span class="dim">
            now <b class="ink">{speech.point(now.point)}</b>, {speech.range(now)}
          </span>
        </figcaption>
        <Plot
          label={label}
          x={xs}
          y={y.ticks.map((tick) => ({ at: 100 - at(y, tick), text: tick === 0 ? "0" : scale === "lift" ? tickText(tick) : speech.tick(tick) }))}
          twoLines={!byUnits}
          readings={readings}
          over={
            <>
              {minimum !== null && (
                <span class="note bare right t-better" style={{ top: `${(100 - at(y, minimum)).toFixed(1)}%` }}>
                  minimum {scale === "lift" ? tickText(minimum) : speech.point(minimum)}
                </span>
              )}
              {versions.map((point) => (
                <>
                  <span class="vl version" style={{ left: `${(x(point) / 10).toFixed(2)}%` }} />
                  <span class="note bare faint" style={{ left: `${(x(point) / 10).toFixed(2)}%`, bottom: "0" }}>
                    v{point.version}
                  </span>
                </>
              ))}
              {mark !== null && crossing && crossed && (
                <>
                  <span class={`vl ${tone}`} style={{ left: `${mark.toFixed(2)}%` }} />
                  <span class={`mk ${tone}`} style={{ left: `${mark.toFixed(2)}%`, top: `${(top(crossing.value ?? 0) / 10).toFixed(2)}%` }}>
                    <Shape index={it.index} />
                  </span>
                  <span class="note wrap" style={noteAt(mark)}>
                    <b>Decided {moment(crossed.look)}</b>
                    <br />
                    at {count(crossed.units)} {units(unit)}
                    {crossing.value !== null && `, ${speech.point(crossing.value)}`}
                  </span>
                </>
              )}
            </>
          }
        >
          {first && <rect x="0" y="0" width={Math.max(0, x(first)).toFixed(1)} height={SIZE} fill="var(--same-soft)" />}
          {!first && <rect x="0" y="0" width={SIZE} height={SIZE} fill="var(--same-soft)" />}
          {y.ticks.map((tick) => (
            <path d={across(top(tick))} stroke="var(--grid)" />
          ))}
          {before.map((run) => (
            <path d={bandOf(run)} fill="var(--same-band)" opacity=".6" />
          ))}
          {after.map((run) => (
            <path d={bandOf(run)} fill={`var(--${tone}-band)`} opacity=".6" />
          ))}
          {minimum !== null && <path d={across(top(minimum))} stroke="var(--better)" stroke-dasharray="4 3" opacity=".8" />}
          <path d={across(top(0))} stroke="var(--ink-3)" />
          {before.map((run) => (
            <path d={lineOf(run)} fill="none" stroke="var(--same)" stroke-width="1.8" />
          ))}
          {after.map((run) => (
            <path d={lineOf(run)} fill="none" stroke={`var(--${tone})`} stroke-width="2" />
          ))}
        </Plot>
      </figure>
      <RunningP it={it} points={points} alpha={alpha} x={x} mark={mark} tone={tone} />
    </div>
  );
}

/** On the side of the mark that has more room, and never beyond the picture. */
const noteAt = (mark: number) =>
  mark < 50 ? { left: `${(mark + 1).toFixed(2)}%`, maxWidth: `${(99 - mark).toFixed(2)}%` } : { right: `${(101 - mark).toFixed(2)}%`, maxWidth: `${(mark - 1).toFixed(2)}%` };

function RunningP({ it, points, alpha, x, mark, tone }: { it: Comparison; points: Point[]; alpha: number; x: (point: Point) => number; mark: number | null; tone: string }) {
  const known = points.filter((point) => point.p !== null);
  const least = Math.min(alpha / 2, ...known.map((point) => point.p ?? 1));
  const ticks = logTicks(least);
  const depth = Math.max(-Math.log10(Math.max(least, 1e-300)), ticks[ticks.length - 1] ?? 1);
  const top = (p: number) => (-Math.log10(Math.max(p, 1e-300)) / depth) * SIZE;
  const decides = top(alpha);
  return (
    <figure class="fig">
      <figcaption class="small faint low">Always-valid p so far, log scale</figcaption>
      <Plot
        label={`Always-valid p of ${it.name} over time; it only falls. Now ${pValue(it.test.p_value_running)}.`}
        height="low"
        x={[]}
        y={[
          ...ticks.filter((tick) => Math.abs((tick / depth) * SIZE - decides) > 90).map((tick) => ({ at: (tick / depth) * 100, text: tick === 0 ? "1" : `10${superscript(-tick)}` })),
          { at: decides / 10, text: String(alpha) },
        ]}
        over={
          <>
            <span class="note faint bare right above" style={{ top: `${(decides / 10).toFixed(1)}%` }}>
              below {alpha}: decided
            </span>
            {mark !== null && <span class={`vl ${tone}`} style={{ left: `${mark.toFixed(2)}%` }} />}
          </>
        }
      >
        {ticks.map((tick) => (
          <path d={across((tick / depth) * SIZE)} stroke="var(--grid)" />
        ))}
        <path d={across(decides)} stroke="var(--ink-2)" stroke-dasharray="4 3" />
        <path d={steps(known.map((point) => [x(point), top(point.p ?? 1)]))} fill="none" stroke="var(--ink)" stroke-width="1.6" />
      </Plot>
    </figure>
  );
}

function ticksAt(points: Point[], [from, to]: [number, number], byUnits: boolean): Tick[] {
  const share = (value: number) => ((value - from) / Math.max(1, to - from)) * 100;
  if (byUnits) return ticksOf(from, to).map((tick, index) => ({ at: share(tick), text: countShort(tick), extra: index % 2 === 1 }));
  const long = to - from > 2 * DAY_MS;
  return timeTicks(from, to, 8).map((tick, index) => {
    const there = points.findLast((point) => point.at <= tick);
    return {
      at: share(tick),
      extra: index % 2 === 1,
      text: (
        <>
          {long ? day(tick) : clock(tick).slice(0, 5)}
          <br />
          {countShort(there?.units ?? 0)}
        </>
      ),
    };
  });
}
