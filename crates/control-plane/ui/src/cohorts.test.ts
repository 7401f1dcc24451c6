import { expect, test } from "vitest";
import type { Metric } from "./api/types";
import { cohortArm, cohortOf } from "./cohorts";

test("the address names a cohort, and nonsense names none", () => {
  const of = (text: string) => cohortOf(new URLSearchParams(text));
  expect([of("cohort=7d"), of("cohort=1h"), of("cohort=toString"), of("")]).toEqual(["7d", "1h", null, null]);
});

test("an arm has its units and mean, and one that nobody came to has neither", () => {
  const variants = { control: { units: 1444, sum: 8, mean: 0.0055 }, empty: { units: 0, sum: 0, mean: null } };
  const metric = { cohorts: { "1h": { variants: {} }, "24h": { variants }, "7d": { variants: {} } } } as unknown as Metric;
  const say = (mean: number | null) => (mean === null ? "none" : String(mean));
  expect(cohortArm(metric, "24h", "control", say)).toEqual(["1,444", "0.0055"]);
  expect(cohortArm(metric, "24h", "empty", say)).toEqual(["0", "none"]);
  expect(cohortArm(metric, "7d", "control", say)).toEqual(["–", "–"]);
  expect(cohortArm({} as Metric, "7d", "control", say)).toEqual(["–", "–"]);
});
