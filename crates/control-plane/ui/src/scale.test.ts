import { describe, expect, test } from "vitest";
import { pAxis, at, axisOf, logTicks, rangeOf, stepOf, ticksOf, timeTicks } from "./scale";

describe("steps are 1, 2 or 5 times a power of ten", () =>
  test.each([
    [3.25, 0.5 * 2],
    [6, 1],
    [7, 2],
    [0.09, 0.02],
    [120, 20],
    [0.0003, 0.00005],
  ])("of %d: %d", (span, step) => expect(stepOf(span)).toBeCloseTo(step, 12)));

test("ticks are multiples of the step, and zero is exactly zero", () => {
  expect(ticksOf(-0.5, 2.75)).toEqual([0, 1, 2]);
  expect(ticksOf(-0.13, 0.31)).toEqual([-0.1, 0, 0.1, 0.2, 0.3]);
});

test("zero is inside, and one very wide interval does not shrink the rest", () => {
  const axis = axisOf([[0.1, 0.3], [0.2, 0.5], [-3, 40]], [0.2, 0.3, 4], [0.05]);
  expect(axis.low).toBeLessThan(0);
  expect(axis.high).toBeLessThan(1);
  expect(at(axis, 0)).toBeGreaterThan(0);
});

test("an axis without intervals still has a length", () => {
  const axis = axisOf([[null, null]], []);
  expect(axis.high).toBeGreaterThan(axis.low);
});

test("an axis over time ends on steps", () => {
  expect(rangeOf([-0.41, 2.4])).toMatchObject({ low: -0.5, high: 2.5 });
  expect(rangeOf([])).toMatchObject({ low: -0.1, high: 0.1 });
});

test("p axes go down in at most three steps", () => {
  expect(logTicks(5e-11)).toEqual([0, 4, 8]);
  expect(logTicks(0.004)).toEqual([0, 3]);
  expect(logTicks(0.7)).toEqual([0, 1]);
});

test("time axes have whole days, or hours where the run is short", () => {
  const day = 86_400_000;
  expect(timeTicks(0, 15 * day)).toHaveLength(8);
  expect(timeTicks(0, day / 4).every((t) => t % 3_600_000 === 0)).toBe(true);
});

test("an axis of p-values falls from 1, and has a tick where they are compared", () => {
  const axis = pAxis(0.001, 0.05);
  expect([1, 0.05, 0.001, 0].map((p) => Math.round(axis.top(p)) + 0)).toEqual([0, 434, 1000, 100_000]);
  expect(axis.level).toBe(axis.top(0.05));
  expect(axis.y.map((it) => it.text)).toEqual(["1", "10⁻³", "0.05"]);
  // A power of ten beside that tick has no room for its words.
  expect(pAxis(1e-6, 0.01).y.map((it) => it.text)).toEqual(["1", "10⁻⁴", "10⁻⁶", "0.01"]);
});
