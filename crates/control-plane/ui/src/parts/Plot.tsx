// A chart: geometry in a stretched SVG, words and markers as HTML at percentages, and a cursor that pointer and arrow keys move over the points.

import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useId, useRef } from "preact/hooks";
import { hold } from "../scale";

export interface Tick {
  /** In per cent, from the left or from the top. */
  at: number;
  text: ComponentChildren;
  /** Left out where there is little room. */
  extra?: boolean;
}

export interface Reading {
  /** In per cent, from the left and from the top. */
  x: number;
  y: number;
  text: ComponentChildren;
  /** For those who listen. */
  spoken: string;
}

interface Props {
  label: string;
  height?: "" | "low" | "mid";
  x: Tick[];
  y: Tick[];
  /** Whether the words under the axis take two lines. */
  twoLines?: boolean;
  readings?: Reading[];
  /** What is drawn, in a box of 1000 by 1000. */
  children: ComponentChildren;
  /** What is written on it. */
  over?: ComponentChildren;
}

const TIP_WIDTH = 250;
const PAGE = 10;

export function Plot({ label, height = "", x, y, twoLines = false, readings = [], children, over }: Props) {
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
    const share = ((event.clientX - area.left) / area.width) * 100;
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
          {children}
        </svg>
        <span aria-hidden="true">
          {y.map((tick) => (
            <span class="y" style={{ top: `${tick.at.toFixed(1)}%` }}>
              {tick.text}
            </span>
          ))}
          {x.map((tick) => (
            <span class={tick.extra ? "x hide-s" : "x"} style={{ left: `${tick.at.toFixed(1)}%` }}>
              {tick.text}
            </span>
          ))}
          {over}
        </span>
        {reading && <span class="cursor on" style={{ left: `${reading.x.toFixed(2)}%` }} />}
        {reading && <Tip reading={reading} box={box.current} />}
        {readable && (
          <span class="vh" id={id} aria-live="off">
            {reading?.spoken ?? "Use the arrow keys to read the points."}
          </span>
        )}
      </div>
      <div class={twoLines ? "xpad" : "xpad s"} />
      {readable && (
        <span class="vh" aria-live="polite">
          {reading && document.activeElement === box.current ? reading.spoken : ""}
        </span>
      )}
    </>
  );
}

/** Beside the point, and always inside the window. */
function Tip({ reading, box }: { reading: Reading; box: HTMLElement | null }) {
  const area = box?.getBoundingClientRect();
  if (!area) return null;
  const point = area.left + (area.width * reading.x) / 100;
  const wanted = reading.x > 60 ? point - TIP_WIDTH - 14 : point + 14;
  const left = hold(wanted, 8, Math.max(8, innerWidth - TIP_WIDTH - 8));
  const top = hold(area.top + (area.height * hold(reading.y, 0, 70)) / 100, 8, innerHeight - 90);
  return (
    <span class="tip on" style={{ left: `${left}px`, top: `${top}px`, maxWidth: `${TIP_WIDTH}px` }} aria-hidden="true">
      {reading.text}
    </span>
  );
}
