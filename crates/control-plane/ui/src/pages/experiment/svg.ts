// Pictures as files that stand alone: ink of the light theme, words as text, where the numbers come from below. Pure.

import { type Ink, layers, type Point, SIZE, type Tick } from "../../path";
import { outlineOf } from "../../outline";

export interface Panel {
  title: string;
  height: number;
  x: Tick[];
  y: Tick[];
  level?: number;
  inks: Ink[];
  /** Points in the shapes of their arms. */
  points?: { at: Point; arm: number; tone: string }[];
  words?: { at: Point; text: string; tone?: string; end?: boolean }[];
}

/** Names of colours, until they are inked. */
const colour = (name: string | undefined) => (name ? `var(--${name})` : "none");

/** With the colours themselves: a file has no stylesheet to ask. */
export const inked = (svg: string, token: (name: string) => string): string => svg.replace(/var\(--([\w-]+)\)/g, (_, name: string) => token(name));

const [WIDTH, LEFT, RIGHT] = [960, 190, 30];
const ACROSS = WIDTH - LEFT - RIGHT;
const LINE = 15;

const escaped = (text: string) => text.replace(/[&<>"]/g, (letter) => `&#${letter.charCodeAt(0)};`);

/** Lines of text, the first at `y`. */
function words(x: number, y: number, text: string, { anchor = "start", size = 11, tone = "ink-2", weight = 400 } = {}): string {
  const lines = text.split("\n").map((it, at) => `<tspan x="${x.toFixed(1)}" y="${(y + at * LINE).toFixed(1)}">${escaped(it)}</tspan>`);
  return `<text font-size="${size}" font-weight="${weight}" fill="${colour(tone)}" text-anchor="${anchor}">${lines.join("")}</text>`;
}

const path = ({ d, line, width = 1, dashed, fill, opacity = 1 }: Ink) =>
  `<path d="${d}" fill="${colour(fill)}" stroke="${colour(line)}" stroke-width="${width}"${dashed ? ' stroke-dasharray="4 3"' : ""} opacity="${opacity}" vector-effect="non-scaling-stroke"/>`;

/** One panel with its top at `top`, and how high it is with its words. */
function panel(it: Panel, top: number): [svg: string, height: number] {
  const head = 26;
  const place = ([x, y]: Point): Point => [LEFT + (x / SIZE) * ACROSS, top + head + (y / SIZE) * it.height];
  const tall = (text: string) => (text.split("\n").length - 1) * (LINE / 2);
  const parts = [
    words(LEFT, top + 14, it.title, { size: 13, tone: "ink", weight: 600 }),
    `<svg x="${LEFT}" y="${top + head}" width="${ACROSS}" height="${it.height}" viewBox="0 0 ${SIZE} ${SIZE}" preserveAspectRatio="none">${layers(it.y, it.level, it.inks).map(path).join("")}</svg>`,
    ...it.y.map((tick) => words(LEFT - 10, place([0, tick.at])[1] + 4 - tall(tick.text), tick.text, { anchor: "end", tone: "ink-3" })),
    ...it.x.map((tick) => words(place([tick.at, 0])[0], top + head + it.height + LINE, tick.text, { anchor: "middle", tone: "ink-3" })),
    ...(it.points ?? []).map(({ at, arm, tone }) => {
      const [x, y] = place(at);
      return `<path transform="translate(${(x - 6).toFixed(1)} ${(y - 6).toFixed(1)})" d="${outlineOf(arm)}" fill="${colour(tone)}" fill-rule="evenodd"/>`;
    }),
    ...(it.words ?? []).map(({ at, text, tone = "ink-2", end }) => words(...place(at), text, { anchor: end ? "end" : "start", tone })),
  ];
  const lines = Math.max(0, ...it.x.map((tick) => tick.text.split("\n").length));
  return [parts.join("\n"), head + it.height + lines * LINE + 16];
}

/** `facts` say where the numbers come from, a line for each. */
export function svgOf(title: string, panels: Panel[], facts: string[]): string {
  let top = 44;
  const drawn = panels.map((it) => {
    const [svg, height] = panel(it, top);
    top += height;
    return svg;
  });
  const height = top + facts.length * LINE + 8;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" font-family="Inter, system-ui, sans-serif" role="img">
<title>${escaped(title)}</title>
<rect width="${WIDTH}" height="${height}" fill="${colour("surface")}"/>
${words(24, 30, title, { size: 16, tone: "ink", weight: 600 })}
${drawn.join("\n")}
${words(24, top + 10, facts.join("\n"), { tone: "ink-3", size: 10 })}
</svg>
`;
}
