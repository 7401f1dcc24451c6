// A comparison in a table: its point and interval in figures, and the same as a picture.

import type { ComponentChildren } from "preact";
import { drawn, endsOf, type Scale, type Speech } from "../columns";
import { type Comparison, hasInterval } from "../model";
import type { Scale as Axis } from "../scale";
import { Interval, type Kind, type Marks } from "./Interval";

interface Props {
  it: Comparison;
  scale: Scale;
  axis: Axis;
  marks: Marks;
  kind?: Kind;
  shown?: boolean;
  label: string;
}

export function Picture({ it, scale, axis, marks, kind = it.kind, shown = hasInterval(it), label }: Props) {
  const value = drawn(it, scale);
  const [low, high] = endsOf(value);
  return <Interval scale={axis} low={low} point={value.point} high={high} kind={kind} arm={it.index} marks={marks} shown={shown} label={label} />;
}

/** The point, and below it the interval. */
export const Figures = ({ point, range }: { point: string; range: string }) => (
  <>
    <span class="big">{point}</span>
    <span class="rng">{range}</span>
  </>
);

export function Value({ it, scale, speech, none = "–" }: { it: Comparison | undefined; scale: Scale; speech: Speech; none?: string }) {
  if (!it || !hasInterval(it)) return <span class="faint">{none}</span>;
  const value = drawn(it, scale);
  return <Figures point={speech.point(value.point)} range={speech.range(value)} />;
}

/** What a sign of the picture means. */
export const Sign = ({ of, children }: { of: string; children: ComponentChildren }) => (
  <span>
    <i class={of} />
    {children}
  </span>
);
