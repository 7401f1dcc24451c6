import { describe, expect, test } from "vitest";
import type { MethodPlan, PlanAnswer } from "../../api/schema";
import { atMostWords, definitionOf, difference, durationWords, expectedWords, findsWords, liftNoun, otherWay, plain, priceWords, share, splitWords, tickCount, times, whenWords } from "./words";

const days = { at_most: 13, in_whole_weeks: 14, on_average: 8 };
const plan: MethodPlan = {
  method: "always_valid",
  looks: null,
  control: 51_388,
  treatment: 51_388,
  total: 102_776,
  total_on_average: 61_449,
  times_at_most: 1.6454,
  times_on_average: 0.9838,
  chance_at_one_look: 0.53,
  days,
};
const fixed: MethodPlan = { ...plan, method: "fixed_horizon", looks: 1, control: 31_231, treatment: 31_231, total: 62_462, total_on_average: 62_462, days: { at_most: 8, in_whole_weeks: 14, on_average: 8 } };
const answer = {
  kind: "conversion",
  base: 0.05,
  difference: 0.005000000000000001,
  lift: 0.10000000000000002,
  alpha: 0.05,
  power: 0.8,
  treatments: 1,
  shares: [0.5, 0.5],
  per_day: 8_000,
  method: "always_valid",
  headline: { at_most: 102_776, expected: 61_449, price: 1.6454, price_expected: 0.9838, one_look: 62_462 },
  methods: [plan, fixed],
  splits: [
    { control_share: 0.5, total: 62_462, times: 1 },
    { control_share: 0.8, total: 100_000, times: 1.6 },
    { control_share: 0.99, total: 1_600_000, times: 26.37 },
  ],
} as unknown as PlanAnswer;

test.each([
  [0.1, "0.1"],
  [62_462, "62,460"],
  [1e-7, "1e−7"],
  [-2.5, "−2.5"],
])("plain numbers: %d", (value, text) => expect(plain(value)).toBe(text));

test("shares, lifts and differences as they are typed", () => {
  expect([share(0.05), share(0.10000000000000002), times(1.6454), times(26.37)]).toEqual(["5%", "10%", "1.65×", "26.4×"]);
  expect([liftNoun(0.1), liftNoun(0.08), liftNoun(-0.11), liftNoun(0.118), liftNoun(0.81)]).toEqual(["a 10% lift", "an 8% lift", "an 11% drop", "an 11.8% lift", "an 81% lift"]);
  expect([difference(0.005, "conversion"), difference(-1.5, "mean"), difference(null, "mean")]).toEqual(["+0.5 points", "−1.5", "none is found"]);
  expect(otherWay(answer)).toBe("% relative = 0.5 points");
  expect([tickCount(0), tickCount(20_000), tickCount(102_776), tickCount(2_500_000)]).toEqual(["0", "20k", "103k", "2.5M"]);
});

describe("the three answers", () => {
  test("say how many, how long and in whole weeks", () => {
    expect(atMostWords(plan, 1, 8_000)).toBe("51,388 in each arm, 13 days at 8,000 a day. Run two full weeks.");
    expect(atMostWords({ ...plan, days: null }, 1, null)).toBe("51,388 in each arm.");
    expect(atMostWords({ ...plan, treatment: 20_000, days: null }, 2, null)).toBe("51,388 in the control, 20,000 in each treatment.");
  });
  test("say when it is expected to stop", () => {
    expect(expectedWords(answer, plan)).toBe("if the true lift is 10%; day 8.");
    expect(expectedWords({ ...answer, method: "fixed_horizon" }, { ...fixed, days: null })).toBe("always, because nobody looks before.");
  });
  test.each([
    [0.9838, "On average it saves 2%."],
    [1.0, "On average it costs nothing."],
    [1.07, "On average it costs 7%."],
  ])("say the price on average: %d", (price_expected, end) => {
    expect(priceWords({ ...answer.headline, price_expected }, "customers", "always_valid")).toBe(`of the 62,462 that a single look needs. ${end}`);
  });
  test("of every method say how long", () => {
    expect([durationWords(plan), durationWords(fixed), durationWords({ ...plan, days: null })]).toEqual(["about day 8, at latest day 13", "day 8, so two full weeks", "–"]);
  });
});

test("other splits", () => {
  expect(splitWords(answer, "customers")).toBe("Other splits cost more customers: 80/20 1.60×, 99/1 26.4×.");
  const two = { treatments: 2, splits: [{ control_share: 1 / 3, total: 3, times: 1 }, { control_share: 0.414, total: 2.9, times: 0.971 }, { control_share: 0.8, total: 5, times: 1.76 }] };
  expect(splitWords(two, "devices")).toBe("Cheaper than equal arms: 41.4/29.3/29.3 0.97×. Other splits cost more devices: 80/10/10 1.76×.");
});

test("what can still be found", () => {
  const finds = { units: 20_000, difference_up: 0.0114, difference_down: null, lift_up: 0.228, lift_down: null };
  expect(findsWords(finds, "conversion")).toEqual({ up: "+23% (+1.1 points)", down: "none" });
  expect(whenWords({ when: "now", days: 0, ...finds })).toBe("Now");
  expect(whenWords({ when: "at_most", days: 11, ...finds })).toBe("At the planned end, in 11 days");
  expect(whenWords({ when: "at_most", days: null, ...finds })).toBe("At the planned end");
});

test("a definition to start from holds the plan", () => {
  expect(definitionOf(answer)).toBe(`kind: experiment
id: my-experiment
title: What happens if …?
status: draft
variants:
  - { name: control, control: true }
  - { name: treatment }
metrics:
  - { metric: my-metric, role: primary, minimum_effect: 0.1 }
analysis: { planned_units: 62462, alpha: 0.05 }
---
{ kind: metric, id: my-metric, type: conversion, event: my-event, window: 14d }
`);
  const other = definitionOf({ ...answer, method: "group_sequential", treatments: 2, shares: [0.5, 0.25, 0.25], lift: -0.1, difference: -0.005 });
  expect(other).toContain("  - { name: treatment-2, weight: 25 }\n");
  expect(other).toContain("minimum_effect: 0.1 }");
  expect(other).toContain("method: group_sequential }");
  expect(other).toContain("direction: decrease }");
});
