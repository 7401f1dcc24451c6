// Every state of the dashboard in the words that people read.

import { describe, expect, test } from "vitest";
import type { Experiment } from "../api/types";
import { type Given, three, two } from "./fixture";
import { textOf } from "./part";
import { provisionalSentence } from "./provisional";
import { type Situation, tell } from "./state";

const now = (more: Partial<Situation> = {}): Situation => ({ look: "2026-11-23T18:42:06Z", logTime: "2026-11-23T18:42:06.004Z", ageMs: 808, heldBy: null, ...more });
const told = (experiment: Experiment, more: Partial<Situation> = {}) => {
  const it = tell(experiment, now(more));
  return [it.pill.text, textOf(it.sentence)];
};

const started = (experiment: Experiment, more: Partial<Experiment>): Experiment => ({ ...experiment, ...more });
const split = { attribute: "device", value: "mobile", counts: { control: 50_000, form: 43_370 }, expected: { control: 0.5, form: 0.5 } };
const blocked = (code: "srm" | "srm_segment" | "simpson", args: object) =>
  two({ code: "blocked", status: "srm_blocked" }, { code: "blocked", blocked_by: [{ code, arguments: args }] });
const undecided: Given = { code: "not_shown", lift: 0.034, low: -0.041, high: 0.116 };

describe("states", () => {
  test.each<[string, [string, string], [string, string]]>([
    ["draft", told(two({ code: "not_shown" }, {}, { status: "draft" })) as [string, string], ["Draft", "Not started."]],
    ["no data yet", told(two({ code: "waiting", status: "burn_in" }, { code: "no_data" })) as [string, string], ["Running · day 15", "No customers yet. Live since 9 Nov. The first exposure will show here within two seconds."]],
    ["burn_in, units", told(two({ code: "waiting", status: "burn_in", args: { have: 31, need: 50, of: "units" } })) as [string, string], ["Running · day 15", "Waiting for data: 31 of 50 customers in the smaller arm."]],
    ["burn_in, events", told(two({ code: "waiting", status: "burn_in", args: { have: 4.7, need: 10, of: "events" } })) as [string, string], ["Running · day 15", "Waiting for data: about 4 of 10 expected events of sign-ups per arm."]],
    ["undecided", told(two(undecided)) as [string, string], ["Running · day 15", "No difference shown yet. The lift lies between −4.1% and +11.6%."]],
    ["undecided without limits", told(two({ ...undecided, low: null, high: null, shape: "unbounded" })) as [string, string], ["Running · day 15", "No difference shown yet. The lift has no limit yet."]],
    ["undecided with one limit", told(two({ ...undecided, low: -0.4, high: null })) as [string, string], ["Running · day 15", "No difference shown yet. The lift is at least −40%."]],
    ["undecided, two pieces", told(two({ ...undecided, low: -0.4, high: 3, shape: "exclusive" })) as [string, string], ["Running · day 15", "No difference shown yet. The lift is below −40% or above +300%."]],
    ["better", told(two({ code: "better", args: { bound: 0.059 }, low: 0.059, lift: 0.119, high: 0.214, minimum: 0.02 })) as [string, string], ["Running · day 15", "New form raises sign-ups by 11.9%, and by at least 5.9%, which is clear of your minimum of 2%."]],
    ["better without minimum", told(two({ code: "better", args: { bound: 0.029 }, minimum: null })) as [string, string], ["Running · day 15", "New form raises sign-ups by 9.1%, and by at least 2.9%."]],
    ["better, may be small", told(two({ code: "better_may_be_small", args: { bound: 0.029 } })) as [string, string], ["Running · day 15", "New form raises sign-ups by 9.1%, but the truth may be as low as 2.9%, below your minimum of 3%."]],
    ["worse", told(two({ code: "worse", lift: -0.043, low: -0.083, high: -0.002, args: { bound: -0.002 } })) as [string, string], ["Running · day 15", "New form lowers sign-ups by 4.3%, and by at least 0.2%."]],
    ["no difference that matters", told(two({ code: "no_difference", lift: -0.001, low: -0.044, high: 0.043, minimum: 0.05 })) as [string, string], ["Running · day 15", "No difference that matters. The lift lies between −4.4% and +4.3%, inside your ±5%."]],
    [
      "crossed, interval back over zero",
      told(two({ code: "better", lift: 0.031, low: -0.008, high: 0.071, args: { covers_zero: true, decided_at: "2026-11-12T10:00:00Z", decided_units: 9800 } })) as [string, string],
      ["Running · day 15", "Decided better on 12 Nov at 9,800 customers, and that decision stands. Today’s interval includes zero again, −0.8% to +7.1%."],
    ],
    ["drift_suspected", told(two({ code: "drift" })) as [string, string], ["Effect is changing", "No single effect fits the whole run: intervals of different times do not overlap."]],
    ["degenerate", told(two({ code: "degenerate", status: "degenerate", args: { control_mean: 0, mean: 0 } })) as [string, string], ["Running · day 15", "Nothing to compare: within each arm every customer has the same value (0 and 0)."]],
    ["srm_blocked", told(blocked("srm", { counts: split.counts, expected: split.expected })) as [string, string], ["Blocked", "No verdict: the split is off, 50,000 against 43,370 where equal numbers were planned."]],
    ["srm_blocked in a segment", told(blocked("srm_segment", split)) as [string, string], ["Blocked", "No verdict: the split is off among device mobile, 50,000 against 43,370 where equal numbers were planned."]],
    [
      "Simpson",
      told(blocked("simpson", { attribute: "country", metric: "conversion", total: 0.021, stratified: -0.013 })) as [string, string],
      ["Blocked", "No verdict: every country says down (−1.30 points), the total says up (+2.10 points), because the arms have different mixtures."],
    ],
    [
      "kill fired",
      told(two(undecided, { safe: { code: "no", arguments: { metric: "conversion", variant: "form", lift: 0.93, control_mean: 0.0041, mean: 0.0079 } } }, { status: "paused" }), { since: "2026-11-23T16:07:31Z" }) as [string, string],
      ["Killed 16:07", "Stopped by its guardrail: sign-ups rose from 0.41% to 0.79%. Nobody new is let in since 23 Nov 16:07:31 UTC."],
    ],
    [
      "paused by a person",
      told(two(undecided, {}, { status: "paused" }), { since: "2026-11-20T11:02:00Z", by: "lena" }) as [string, string],
      ["Paused by lena", "No difference shown yet. The lift lies between −4.1% and +11.6%. No new customers since 20 Nov 11:02 UTC. Conversions of those already in still count until their windows end."],
    ],
    [
      "stale",
      told(two(undecided), { ageMs: 252_000, heldBy: 7 }) as [string, string],
      ["Stale 4 min 12 s", "Numbers are from 18:42:06 UTC. Partition 7 has closed no look since. No difference shown yet. The lift lies between −4.1% and +11.6%."],
    ],
    ["plan used up", told(two(undecided, { code: "not_shown", stop: { code: "plan_used_up", arguments: { max_units: 102_700 } } })) as [string, string], ["Running · day 15", "No difference shown at the planned maximum, 102,700 customers."]],
    [
      "stopped",
      told(two(undecided, {}, { status: "stopped" }), { since: "2026-11-23T18:00:00Z" }) as [string, string],
      ["Stopped 23 Nov", "Read-out of 23 Nov 18:42:06 UTC: No difference shown yet. The lift lies between −4.1% and +11.6%. Later events do not change it."],
    ],
    [
      "fixed horizon before the plan",
      told(two({ code: "before_plan", args: { planned_units: 42_000, units: 8_400 } }, {}, { method: "fixed_horizon", deciding: "fixed_horizon" })) as [string, string],
      ["Running · day 15", "The verdict comes at 42,000 customers (20% are there). Until then this page shows counts and health only."],
    ],
    [
      "a method that is not computed yet",
      told(two({ ...undecided, code: "no_method", args: { method: "bayesian" } }, {}, { method: "bayesian", deciding: "nothing" })) as [string, string],
      ["Running · day 15", "The bayesian method is not computed yet: the always-valid lift lies between −4.1% and +11.6%. It decides nothing here."],
    ],
    [
      "excludes zero before correction",
      told(started(three(), { verdict: { ...three().verdict, code: "not_shown" }, metrics: three().metrics.map((metric) => ({ ...metric, variants: metric.variants.map((arm) => (arm.verdict ? { ...arm, verdict: { code: "not_shown" as const, arguments: { ...arm.verdict.arguments, excludes_zero_before_correction: true } } } : arm)) })) })) as [string, string],
      [
        "Running · day 15",
        "Men’s email: no difference shown yet: the interval, +59% to +214%, excludes zero before correction for several arms, and not after it. Women’s email: no difference shown yet: the interval, +9% to +125%, excludes zero before correction for several arms, and not after it.",
      ],
    ],
  ])("%s", (_, said, wanted) => expect(said).toEqual(wanted));
});

test("several arms, the certain one first, and their caveats", () => {
  const it = tell(three(), now());
  expect(textOf(it.sentence)).toBe(
    "Men’s email raises purchase rate by 119%, and by at least 59%, which is clear of your minimum of 20%. Women’s email raises it too, by 54%, but the truth may be as low as 9%, below your minimum of 20%.",
  );
  expect(it.caveats).toEqual([
    "Neither arm lowers spend per customer by 5% or more.",
    "If you stop because of what you see now, expect the point estimates to lean high; the intervals do not.",
    "The two arms are compared with no email, not with each other.",
  ]);
});

test("provisional numbers say what they are", () => {
  expect(textOf(provisionalSentence(15, 16, 252_000, "2026-11-23T18:37:54Z"))).toBe(
    "Newest of each partition, not one cut. 15 of 16 partitions are ahead of the aligned look by up to 4 min 12 s. Not for deciding: no p, no verdict. The verdict above is of 18:37:54 UTC.",
  );
});

test("no sentence says more than sixty words, and none says what must never be said", () => {
  const all = [three(), two(undecided), two({ code: "better", args: { bound: 0.029 } }), blocked("srm_segment", split)].map((it) => textOf(tell(it, now()).sentence));
  for (const text of all) {
    expect(text.split(/\s+/).length).toBeLessThanOrEqual(60);
    expect(text).not.toMatch(/significant|wins|proves|no effect|trending/i);
  }
});

test("open windows, caps and the first week are said", () => {
  const experiment = two({ code: "better", args: { bound: 0.029 }, minimum: null }, {}, { days_running: 3.2 });
  const metric = experiment.metrics[0];
  if (metric) Object.assign(metric, { maturity: "open", inside_window: { units: 400, share: 0.042 }, cap: 500, unit: "value" });
  expect(tell(experiment, now()).caveats).toEqual([
    "If you stop because of what you see now, expect the point estimate to lean high; the interval does not.",
    "Approximate: the windows of 4.2% of the customers are still open.",
    "Capped at 500 each.",
    "Less than a week: not every weekday has been seen.",
  ]);
});
