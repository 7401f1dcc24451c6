// What is drawn, in a box of 1000 by 1000 that the page stretches to any size. Pure.

export type Point = [x: number, y: number];
export const SIZE = 1000;

/** A line or an area; its colours are names of tokens. */
export interface Ink {
  d: string;
  line?: string;
  width?: number;
  dashed?: boolean;
  fill?: string;
  opacity?: number;
}

/** A place of the box for a style. */
export const pct = (at: number): string => `${(at / 10).toFixed(2)}%`;

const text = ([x, y]: Point) => `${x.toFixed(1)} ${y.toFixed(1)}`;

export const line = (points: Point[]): string => (points.length === 0 ? "" : `M${points.map(text).join("L")}`);

/** For values that stay until they change. */
export function steps(points: Point[]): string {
  const corners = points.flatMap((point, at): Point[] => {
    const before = points[at - 1];
    return before ? [[point[0], before[1]], point] : [point];
  });
  return line(corners);
}

export const band = (upper: Point[], lower: Point[]): string => (upper.length < 2 ? "" : `${line([...upper, ...[...lower].reverse()])}Z`);

export const across = (y: number): string => `M0 ${y.toFixed(1)}H${SIZE}`;

/** Everything between two corners. */
export const area = ([left, top]: Point, [right, bottom]: Point): string => `M${text([left, top])}H${right.toFixed(1)}V${bottom.toFixed(1)}H${left.toFixed(1)}Z`;

/** Where something stands: from the left and from the top of the box. */
export interface Tick {
  at: number;
  /** Lines of it are parted by line breaks. */
  text: string;
  /** Left out where there is little room. */
  extra?: boolean;
}

/** Every second one is left out where there is little room. */
export const alternate = (ticks: Tick[]): Tick[] => ticks.map((tick, at) => ({ ...tick, extra: at % 2 === 1 }));

/** All that a picture shows, from its back to its front. */
export const layers = (y: Tick[], level: number | undefined, inks: Ink[]): Ink[] => [
  ...inks.filter((it) => !it.line),
  ...y.filter((tick) => tick.at !== level).map((tick) => ({ d: across(tick.at), line: "grid" })),
  ...(level === undefined ? [] : [{ d: across(level), line: "ink-3", dashed: true }]),
  ...inks.filter((it) => it.line),
];
