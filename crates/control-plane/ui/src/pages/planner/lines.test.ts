import { expect, test } from "vitest";
import type { PeekAnswer } from "../../api/schema";
import { falls, leastOf, logDown, looksAt, roomFor, shares, sizeTicks, stepAt, stepped, valueAt } from "./lines";

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
  expect(sizeTicks(125_000, 8_000).map((it) => it.units)).toEqual([0, 20_000, 40_000, 60_000, 80_000, 100_000, 120_000]);
  expect(sizeTicks(100, 10, 5).at(-1)).toEqual({ at: 100, units: 100, day: 10 });
  expect(sizeTicks(100, null)[0]?.day).toBeNull();
});

test("a log axis falls from 1", () => {
  expect([logDown(1, 0.001), logDown(0.001, 0.001), logDown(1e-9, 0.001)].map(Math.round)).toEqual([0, 1000, 1000]);
  expect([looksAt(1, 200), looksAt(200, 200), looksAt(1, 1)].map((it) => Math.round(it))).toEqual([0, 1000, 0]);
});

test("looks below alpha in a row are one fall", () => {
  const of = (ordinary: number[]) => ({ alpha: 0.05, looks: ordinary.length, path: ordinary.map((it) => ({ units: 0, ordinary: it, always_valid: 1 })) }) as unknown as PeekAnswer;
  expect(falls(of([0.5, 0.01, 0.02, 0.5, 0.04]))).toEqual([[300, 700], [900, 1100]]);
  expect(leastOf(of([0.5]))).toBeCloseTo(0.004);
  expect(leastOf(of([1e-30]))).toBe(1e-12);
});

test("a word stands where the other line is far away", () => {
  const low = Array.from({ length: 50 }, (_, at): [number, number] => [at * 20, at < 25 ? 150 : 900]);
  const place = roomFor(150, low, 300, 80);
  expect(place.x).toBeGreaterThanOrEqual(480);
  expect(roomFor(20, [], 300, 80).y).toBe(70);
});
