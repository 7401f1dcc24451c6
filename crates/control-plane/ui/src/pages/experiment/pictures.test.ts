import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import history from "../../../tests/fixtures/hillstrom.history.json";
import fixture from "../../../tests/fixtures/hillstrom.results.json";
import type { Experiment, History, Metric, Results } from "../../api/types";
import { inked, intervalsSvg, overTimeSvg } from "./pictures";
import { svgOf } from "./svg";

const results = fixture as unknown as Results;
const experiment = results.experiments[0] as Experiment;
const metric = experiment.metrics.find((it) => it.role === "primary") as Metric;

/** All words of a picture, in order. */
const said = (svg: string) => [...svg.matchAll(/<tspan[^>]*>([^<]*)</g)].map(([, text]) => text);

/** Every tag that is opened is closed: what browsers and editors of pictures need. */
function wellFormed(svg: string): boolean {
  const open: string[] = [];
  for (const [, end, name, own] of svg.matchAll(/<(\/?)([a-z]+)[^<>]*?(\/?)>/g)) {
    if (end) {
      if (open.pop() !== name) return false;
    } else if (!own) open.push(name ?? "");
  }
  return open.length === 0;
}

const light = readFileSync(new URL("../../styles/tokens.css", import.meta.url), "utf8").split(':root[data-theme="dark"]')[0] ?? "";
const token = (name: string) => new RegExp(`--${name}: (#[0-9a-f]{6});`).exec(light)?.[1] ?? "";

test("inked, every colour is one of the light theme", () => {
  const svg = inked(overTimeSvg(experiment, results, metric, history as unknown as History, "lift"), token);
  expect(svg).toContain(`fill="${token("surface")}"`);
  expect([...svg.matchAll(/(?:fill|stroke)="([^"]*)"/g)].map(([, it]) => it).filter((it) => !/^(none|#[0-9a-f]{6})$/.test(it ?? ""))).toEqual([]);
  expect(svg).not.toMatch(/var\(|style|class=/);
});

test("what people write cannot break out of it", () => {
  const svg = svgOf('<b a="1">&', [], ["x < y"]);
  expect(said(svg)).toEqual(["&#60;b a=&#34;1&#34;&#62;&#38;", "x &#60; y"]);
  expect(wellFormed(svg)).toBe(true);
});

describe.each([
  ["lift", "+119%", "+50%"],
  ["difference", "+0.68 points", "+0.4"],
] as const)("in %s", (scale, point, tick) => {
  test("intervals have a row for every arm, ticks, and where they come from", () => {
    const svg = intervalsSvg(experiment, results, metric, scale);
    const words = said(svg);
    expect(words).toContain("Men’s email");
    expect(words.find((it) => it?.startsWith(`${point},`))).toBeDefined();
    expect(words).toContain(tick);
    expect(words.at(-1)).toMatch(/^Build /);
    expect(svg).toContain(results.look);
    expect(wellFormed(svg)).toBe(true);
    // Nothing that a file cannot have: styles, scripts, other hosts.
    expect(svg.replace("http://www.w3.org/2000/svg", "")).not.toMatch(/class=|http|<script|NaN|undefined/);
  });

  test("over time has two panels for every arm, and its decision", () => {
    const svg = overTimeSvg(experiment, results, metric, history as unknown as History, scale);
    const words = said(svg);
    expect(words.filter((it) => it === "Always-valid p so far, log scale")).toHaveLength(2);
    expect(words).toContain("Decided 13 Nov 14:34 UTC");
    expect(words.find((it) => it?.startsWith("Women’s email: now "))).toBeDefined();
    expect(words).toContain("15 Nov");
    expect(wellFormed(svg)).toBe(true);
    expect(svg).not.toMatch(/class=|NaN|undefined/);
  });
});
