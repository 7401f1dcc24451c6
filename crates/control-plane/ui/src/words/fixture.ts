// An experiment for tests of words: the Hillstrom results, cut down to what a test is about.

import hillstrom from "../../tests/fixtures/hillstrom.results.json";
import type { Arguments, Experiment, Metric, Results, Verdict } from "../api/types";
import type { Code } from "../model";

export const results = (): Results => structuredClone(hillstrom) as unknown as Results;

export const three = (): Experiment => results().experiments[0] as Experiment;

/** What a test says of the only treatment. */
export interface Given {
  code: Code;
  args?: Arguments;
  lift?: number | null;
  low?: number | null;
  high?: number | null;
  shape?: "bounded" | "exclusive" | "unbounded";
  minimum?: number | null;
  status?: "ok" | "burn_in" | "degenerate" | "srm_blocked";
}

/** One treatment, "New form", on the metric "Sign-ups"; the verdict follows the comparison unless `verdict` says otherwise. */
export function two(given: Given, verdict: Partial<Verdict> = {}, more: Partial<Experiment> = {}): Experiment {
  const base = three();
  const metric = base.metrics[0] as Metric;
  const [control, treatment] = metric.variants;
  if (!control || !treatment?.always_valid) throw new Error("the fixture has a control and a treatment");
  const { lift = 0.091, low = 0.029, high = 0.157, shape = "bounded", minimum = 0.03, status = "ok" } = given;
  const args: Arguments = { lift, lift_low: low, lift_high: high, minimum_effect: minimum, ...given.args };
  const always = { ...treatment.always_valid, status, lift_low: low, lift_high: high, lift_shape: shape };
  const arm = { ...treatment, variant: "form", lift, always_valid: always, verdict: { code: given.code, arguments: args } };
  return {
    ...base,
    title: "Short sign-up form",
    variants: [
      { variant: "control", name: "Old form", control: true, weight: 1 },
      { variant: "form", name: "New form", control: false, weight: 1 },
    ],
    metrics: [{ ...metric, name: "Sign-ups", minimum_effect: minimum, variants: [control, arm] }],
    segments: [],
    verdict: { ...base.verdict, code: given.code as Verdict["code"], variant: "form", arms: [], safe: { code: "no_guardrail", arguments: {} }, ...verdict },
    ...more,
  };
}
