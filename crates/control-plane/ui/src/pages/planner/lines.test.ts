import { expect, test } from "vitest";
import type { PeekAnswer } from "../../api/schema";
import { falls, leastOf, looksAt, shares, sizeTicks, stepAt, stepped, valueAt } from "./lines";

test("shares fall from the top of the picture", () => {
  expect(shares([[0, 0], [50, 0.8], [100, 1]], 100)).toEqual([[0, 1000], [500, expect.closeTo(200)], [1000, 0]]);
});

test("a line of looks stays between them", () => {
  const line = stepped([[20, 0.1], [40, 0.8]], 100);
  expect(line).toEqual([[0, 0], [20, 0.1], [40, 0.8], [100, 0.8]]);
  expect([stepAt(line, 19), stepAt(line, 20), stepAt(line, 99)]).toEqual([0, 0.1, 0.8]);
  expect(stepped([], 100)).toEqual([]);
});

test("between its points a line is straight", () => {
  const line = [[10, 0.2], [20, 0.4]];
  expect([valueAt(line, 5), valueAt(line, 15), valueAt(line, 30), valueAt([], 1)]).toEqual([expect.closeTo(0.1), expect.closeTo(0.3), 0.4, null]);
});

test("sizes have days", () => {
  expect(sizeTicks(125_000, 8_000).map((it) => it.text)).toEqual(["0\nday 0", "20k\nday 2.5", "40k\nday 5", "60k\nday 7.5", "80k\nday 10", "100k\nday 12.5", "120k\nday 15"]);
  expect(sizeTicks(100, 10, 5).at(-1)).toEqual({ at: 1000, text: "100\nday 10" });
  expect(sizeTicks(100, null)[0]?.text).toBe("0");
});

test("numbers of looks have a log axis", () => {
  expect([looksAt(1, 200), looksAt(200, 200), looksAt(1, 1)].map((it) => Math.round(it))).toEqual([0, 1000, 0]);
});

test("looks below alpha in a row are one fall", () => {
  const of = (ordinary: number[]) => ({ alpha: 0.05, looks: ordinary.length, path: ordinary.map((it) => ({ units: 0, ordinary: it, always_valid: 1 })) }) as unknown as PeekAnswer;
  expect(falls(of([0.5, 0.01, 0.02, 0.5, 0.04]))).toEqual([[300, 700], [900, 1100]]);
  expect(leastOf(of([0.5]))).toBeCloseTo(0.004);
  expect(leastOf(of([1e-30]))).toBe(1e-12);
});
