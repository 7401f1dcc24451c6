// An interval on an axis: bar with end caps, its point in the arm's shape, zero, and the lines that it is compared with.

import { at, hold, type Scale } from "../scale";
import { Shape } from "./Shape";

/** Colour says direction; `void` is hatched (blocked), `loose` dashed (provisional). */
export type Kind = "better" | "worse" | "same" | "void" | "loose";

export interface Marks {
  /** Smallest effect worth shipping. */
  minimum?: number | null | undefined;
  /** Harm margin of a guardrail, with the sign of harm. */
  harm?: number | null | undefined;
  /** Lift over all units, for segments. */
  overall?: number | null | undefined;
}

interface Props {
  scale: Scale;
  low: number | null;
  point: number | null;
  high: number | null;
  kind: Kind;
  arm: number;
  marks?: Marks;
  /** False while nothing can be said: only the axis is drawn. */
  shown?: boolean;
  /** The same in a sentence. */
  label: string;
}

const left = (value: number) => ({ left: `${value.toFixed(2)}%` });
/** Room for the arrow of an interval that goes on beyond the axis, in per cent. */
const ARROW = 1.4;

export function Lines({ scale, marks = {} }: { scale: Scale; marks?: Marks }) {
  const line = (name: string, value: number | null | undefined) => value != null && <i class={name} style={left(hold(at(scale, value), 0, 100))} />;
  return (
    <>
      {scale.ticks.filter((tick) => tick !== 0).map((tick) => line("gl", tick))}
      {line("zl", 0)}
      {line("ml", marks.minimum)}
      {line("hl", marks.harm)}
      {line("ol", marks.overall)}
    </>
  );
}

export function Interval({ scale, low, point, high, kind, arm, marks, shown = true, label }: Props) {
  return (
    <div class="fi" role="img" aria-label={label}>
      <Lines scale={scale} marks={marks ?? {}} />
      {shown && <Bar scale={scale} low={low} high={high} kind={kind} />}
      {shown && point !== null && inside(scale, point) && (
        <span class={`pt ${kind}`} style={left(at(scale, point))}>
          <Shape index={arm} />
        </span>
      )}
    </div>
  );
}

/** Only the axis, while nothing can be said. */
export const NoInterval = ({ scale, marks, label }: { scale: Scale; marks: Marks; label: string }) => (
  <div class="fi" role="img" aria-label={label}>
    <Lines scale={scale} marks={marks} />
  </div>
);

const inside = (scale: Scale, value: number) => value >= scale.low && value <= scale.high;

function Bar({ scale, low, high, kind }: { scale: Scale; low: number | null; high: number | null; kind: Kind }) {
  const cutLeft = low === null || low < scale.low;
  const cutRight = high === null || high > scale.high;
  const from = hold(cutLeft ? ARROW : at(scale, low), 0, 99);
  const to = hold(cutRight ? 100 - ARROW : at(scale, high), from, 100);
  const cut = `${cutLeft ? " cl" : ""}${cutRight ? " cr" : ""}`;
  return <span class={`iv ${kind}${cut}`} style={{ left: `${from.toFixed(2)}%`, width: `${(to - from).toFixed(2)}%` }} />;
}

/** The axis above a column of intervals. For the eye only: each row says its own numbers. */
export function Axis({ scale, say, better }: { scale: Scale; say: (tick: number) => string; better?: "right" | "left" | null }) {
  const zero = at(scale, 0);
  const every = scale.ticks.indexOf(0) % 2;
  return (
    <div class="fi" aria-hidden="true">
      {better && (
        <>
          <span class="sd" style={{ right: `${(101.5 - zero).toFixed(1)}%` }}>
            {better === "right" ? "◂ worse" : "◂ better"}
          </span>
          <span class="sd" style={{ left: `${(zero + 1.5).toFixed(1)}%` }}>
            {better === "right" ? "better ▸" : "worse ▸"}
          </span>
        </>
      )}
      {scale.ticks.map((tick, index) => (
        <span class={index % 2 === every || every < 0 ? "tk" : "tk alt"} style={left(at(scale, tick))}>
          {tick === 0 ? "0" : say(tick)}
        </span>
      ))}
    </div>
  );
}
