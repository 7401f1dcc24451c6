// A chart: geometry in a stretched SVG, words and markers as HTML at percentages, and a cursor that pointer and arrow keys move over the points.
// All places are those of a box of 1000 by 1000.

import { useSignal } from "@preact/signals";
import type { ComponentChildren, CSSProperties } from "preact";
import { useId, useRef } from "preact/hooks";
import { type Ink, layers, pct, SIZE, type Tick } from "../path";
import { hold } from "../scale";

/** A point that is read: its first line is strong. */
export interface Reading {
  x: number;
  y: number;
  lines: string[];
}

export interface Props {
  label: string;
  height?: "" | "low" | "mid";
  x: Tick[];
  /** Each has a line across, too. */
  y: Tick[];
  /** What values are compared with: a dashed line across. */
  level?: number;
  /** Whether the words under the axis take two lines. */
  twoLines?: boolean;
  readings?: Reading[];
  inks: Ink[];
  /** What is written on it. */
  children?: ComponentChildren;
}

const TIP_WIDTH = 250;
const PAGE = 10;

export function Plot({ label, height = "", x, y, level, twoLines, readings = [], inks, children }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const at = useSignal<number | null>(null);
  const last = useRef(readings.length - 1);
  const id = useId();
  const reading = at.value === null ? undefined : readings[Math.min(at.value, readings.length - 1)];
  const show = (index: number) => {
    last.current = hold(index, 0, readings.length - 1);
    at.value = last.current;
  };
  const nearest = (event: PointerEvent) => {
    const area = box.current?.getBoundingClientRect();
    if (!area || readings.length === 0) return;
    const share = ((event.clientX - area.left) / area.width) * SIZE;
    show(readings.reduce((best, it, index) => (Math.abs(it.x - share) < Math.abs((readings[best]?.x ?? 0) - share) ? index : best), 0));
  };
  const key = (event: KeyboardEvent) => {
    if (event.key === "Escape") at.value = null;
    const from = Math.min(last.current, readings.length - 1);
    const to = { ArrowLeft: from - 1, ArrowRight: from + 1, PageUp: from - PAGE, PageDown: from + PAGE, Home: 0, End: readings.length - 1 }[event.key];
    if (to === undefined || readings.length === 0) return;
    event.preventDefault();
    show(to);
  };
  const readable = readings.length > 0;
  const spoken = reading?.lines.join(", ");
  return (
    <>
      <div
        class={`plot ${height}`}
        ref={box}
        // A picture that can be read point by point takes the focus; `application` lets the arrow keys through to it.
        role={readable ? "application" : "img"}
        tabIndex={readable ? 0 : undefined}
        aria-label={label}
        aria-describedby={readable ? id : undefined}
        onPointerMove={nearest}
        onPointerLeave={() => (at.value = null)}
        onFocus={(event) => event.currentTarget.matches(":focus-visible") && readable && show(last.current)}
        onBlur={() => (at.value = null)}
        onKeyDown={key}
      >
        <svg class="g" viewBox="0 0 1000 1000" preserveAspectRatio="none" aria-hidden="true">
          {layers(y, level, inks).map(({ d, line, width, dashed, fill, opacity }) => (
            <path d={d} fill={fill ? `var(--${fill})` : "none"} stroke={line && `var(--${line})`} stroke-width={width} stroke-dasharray={dashed ? "4 3" : undefined} opacity={opacity} />
          ))}
        </svg>
        <span aria-hidden="true">
          {y.map((tick) => (
            <span class="y" style={{ top: pct(tick.at) }}>
              {tick.text}
            </span>
          ))}
          {x.map((tick) => (
            <span class={tick.extra ? "x hide-s" : "x"} style={{ left: pct(tick.at) }}>
              {tick.text}
            </span>
          ))}
          {children}
        </span>
        {reading && <span class="cursor on" style={{ left: pct(reading.x) }} />}
        {reading && <Tip reading={reading} />}
        {readable && (
          <span class="vh" id={id} aria-live="off">
            {spoken ?? "Use the arrow keys to read the points."}
          </span>
        )}
      </div>
      <div class={twoLines ? "xpad" : "xpad s"} />
      {readable && (
        <span class="vh" aria-live="polite">
          {document.activeElement === box.current && spoken}
        </span>
      )}
    </>
  );
}

/** Beside the point, and always inside the picture. */
function Tip({ reading: { x, y, lines } }: { reading: Reading }) {
  const [head, ...rest] = lines;
  const left = `clamp(0px, calc(${pct(x)} + ${x > 600 ? -TIP_WIDTH - 14 : 14}px), calc(100% - ${TIP_WIDTH}px))`;
  return (
    <span class="tip on" style={{ left, top: pct(hold(y, 0, 700)), maxWidth: `${TIP_WIDTH}px` }} aria-hidden="true">
      <b>{head}</b>
      {rest.map((text) => (
        <div>{text}</div>
      ))}
    </span>
  );
}

/** An upright line over the whole picture. */
export const Upright = ({ at, tone = "", top }: { at: number; tone?: string; top?: number }) => <span class={`vl ${tone}`} style={{ left: pct(at), top: top === undefined ? undefined : pct(top) }} />;

/** Beside an upright, on the side that has more room, and never beyond the picture. */
export const beside = (at: number, left = at > SIZE / 2): CSSProperties =>
  left ? { right: pct(SIZE + 8 - at), maxWidth: pct(at - 8), textAlign: "right" } : { left: pct(at + 8), maxWidth: pct(SIZE - 8 - at) };
