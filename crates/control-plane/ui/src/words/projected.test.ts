// When the minimum would be cleared, in words.

import { expect, test } from "vitest";
import { three, two } from "./fixture";
import { clearing } from "./projected";

type Projected = NonNullable<ReturnType<typeof three>["metrics"][number]["variants"][number]["projected"]>;

const of = (projected: Partial<Projected>, minimum: number | null = 0.03) => {
  const experiment = two({ code: "not_shown", minimum }, { stop: { code: "may", arguments: { undecided: ["form"] } } });
  const form = experiment.metrics[0]?.variants[1];
  if (form) form.projected = { status: "ok", units: 48_000, units_left: 5_300, days_left: 2.4, ...projected };
  return clearing(experiment).trim();
};

test.each<[Partial<Projected>, string]>([
  [{}, "If the present estimate is true, the interval is clear of your minimum at 48,000 customers per pair, in about 3 days."],
  [{ days_left: 0.3 }, "If the present estimate is true, the interval is clear of your minimum at 48,000 customers per pair, in less than a day."],
  [{ days_left: null }, "If the present estimate is true, the interval is clear of your minimum at 48,000 customers per pair."],
  [{ status: "far", units: null, units_left: null, days_left: null }, "If the present estimate is true, no size within reach makes the interval clear of your minimum."],
  [{ status: "too_few", units: null, units_left: null, days_left: null }, ""],
])("%o", (projected, wanted) => expect(of(projected)).toBe(wanted));

test("without a minimum it is zero that matters", () => expect(of({}, null)).toBe("If the present estimate is true, the interval is clear of zero at 48,000 customers per pair, in about 3 days."));
test("several arms: the undecided one that takes longest", () => {
  const experiment = three();
  experiment.verdict.stop = { code: "may", arguments: { undecided: ["mens", "womens"] } };
  const sizes: Record<string, number> = { mens: 60_000, womens: 90_000 };
  for (const arm of experiment.metrics[0]?.variants ?? []) if (!arm.control) arm.projected = { status: "ok", units: sizes[arm.variant] ?? 0, units_left: 1, days_left: null };
  expect(clearing(experiment)).toBe(" If the present estimate is true, the interval of women’s email is clear of your minimum at 90,000 customers per pair.");
  experiment.verdict.stop.arguments.undecided = ["mens"];
  expect(clearing(experiment)).toContain("men’s email is clear of your minimum at 60,000");
});
