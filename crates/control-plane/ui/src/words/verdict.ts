// The verdict sentence: claim, against the minimum, other arms, guardrails, caveats. Made of codes and numbers; it never says more than they do.

import type { Experiment, Metric } from "../api/types";
import { type Comparison, armName, bestFirst, compare, controlOf, nearestZero, pairUnits, primaryOf, signOf } from "../model";
import { count, lift, mean, percent } from "../numbers";
import { dayOf, moment } from "../times";
import { interval, lies, liftDecimals, size } from "./lifts";
import { type Part, inner, say, strong, units } from "./part";

export interface Said {
  sentence: Part[];
  caveats: string[];
}

/** Two sentences are as much as can be taken in at a glance. */
const ARMS_MAX = 3;

export function verdictOf(experiment: Experiment, look: string): Said {
  const metric = primaryOf(experiment);
  if (!metric) return { sentence: [say("No metric is defined, so there is nothing to say.")], caveats: [] };
  const all = bestFirst(compare(experiment, metric));
  const [first, ...others] = all;
  if (!first) return { sentence: [say("Only one arm is defined, so there is nothing to compare.")], caveats: [] };
  const decimals = liftDecimals(all.map((it) => it.test));
  const together = all.length > 1 && all.every((it) => it.code === first.code) ? alike(experiment, all, decimals) : null;
  const sentence = together ?? [...claim(experiment, first, decimals, false), ...others.slice(0, ARMS_MAX - 1).flatMap((it) => [say(" "), ...claim(experiment, it, decimals, it.direction === first.direction && first.direction !== null)])];
  return { sentence, caveats: caveats(experiment, all, look) };
}

/** Several arms of which the same is to be said are said once. */
function alike(experiment: Experiment, all: Comparison[], decimals: number): Part[] | null {
  const first = all[0];
  switch (first?.code) {
    case "undecided":
      return [say("No difference shown yet. "), ...all.slice(0, ARMS_MAX).map((it, at) => say(`${at > 0 ? " " : ""}${lies(it.test, decimals, it.name)}`))];
    case "no_difference":
      return [strong("No difference that matters."), say(` Every lift lies inside your ±${size(first.metric.minimum_effect ?? 0, 0)}.`)];
    case "waiting":
    case "degenerate":
    case "unsupported":
    case "not_yet":
      return claim(experiment, first, decimals, false);
    default:
      return null;
  }
}

/** What is said of one arm. `too` when the arm before it went the same way. */
export function claim(experiment: Experiment, it: Comparison, decimals: number, too: boolean): Part[] {
  const many = experiment.variants.length > 2;
  const who = many ? `${it.name}: ` : "";
  switch (it.code) {
    case "better":
    case "better_may_be_small":
    case "worse":
      return decided(it, decimals, too);
    case "crossed_back":
      return crossedBack(experiment, it, decimals, who);
    case "undecided":
      return [say(`${who ? `${who}no` : "No"} difference shown yet. ${lies(it.test, decimals)}`)];
    case "before_correction":
      return [say(`${who ? `${who}no` : "No"} difference shown yet: the interval, ${interval(it.test, decimals)}, excludes zero only before correction for several arms.`)];
    case "no_difference":
      return [strong(`${who ? `${who}no` : "No"} difference that matters.`), say(` ${lies(it.test, decimals).slice(0, -1)}, inside your ±${size(it.metric.minimum_effect ?? 0, wholeOr(it.metric.minimum_effect))}.`)];
    case "drift_suspected":
      return [strong(`${who ? `${who}no` : "No"} single effect fits the whole run:`), say(" intervals of different times do not overlap.")];
    case "degenerate":
      return [say(`${who ? `${who}nothing` : "Nothing"} to compare: within each arm every ${experiment.unit_name} has the same value (${same(experiment, it)}).`)];
    case "waiting":
      return waiting(experiment, it, who);
    case "blocked":
      return [say(`${who ? `${who}no` : "No"} verdict: the split is off.`)];
    case "not_yet":
      return planned(experiment);
    case "unsupported":
      return [say(`${who ? `${who}means` : "Means"} are shown, but no interval: nothing can be inferred for this type of metric yet.`)];
  }
}

/** A minimum is written as people gave it: 20%, 2.5%. */
const wholeOr = (minimum: number | null) => (minimum !== null && Math.abs(minimum * 100 - Math.round(minimum * 100)) > 1e-9 ? 1 : 0);
const minimumText = (minimum: number) => size(minimum, wholeOr(minimum));

function decided(it: Comparison, decimals: number, too: boolean): Part[] {
  const value = it.arm.lift ?? 0;
  const verb = value > 0 ? "raises" : "lowers";
  const tone = it.direction ?? undefined;
  const bound = nearestZero(it.test) ?? 0;
  const head = strong(too ? `${it.name} ${verb} it too, by ` : `${it.name} ${verb} ${inner(it.metric.name)} by `);
  const number: Part = { text: size(value, decimals), strong: true, tone };
  const minimum = it.metric.minimum_effect;
  const small = it.code === "better_may_be_small" && minimum !== null;
  if (small) return [head, number, say(`, but the truth may be as low as ${size(bound, decimals)}, below your minimum of ${minimumText(minimum)}.`)];
  const clear = it.code === "better" && minimum !== null ? `, which is clear of your minimum of ${minimumText(minimum)}.` : ".";
  return [head, number, strong(`, and by at least ${size(bound, decimals)}`), say(clear)];
}

function crossedBack(experiment: Experiment, it: Comparison, decimals: number, who: string): Part[] {
  const crossed = it.test.crossed;
  const at = crossed ? ` on ${moment(crossed.look).slice(0, -6)} at ${count(crossed.units)} ${units(experiment.unit_name)}` : "";
  return [
    say(`${who ? `${who}decided` : "Decided"} ${it.direction ?? "better"}${at}, and that decision stands. `),
    strong("Today’s interval includes zero again"),
    say(`, ${interval(it.test, decimals)}.`),
  ];
}

function waiting(experiment: Experiment, it: Comparison, who: string): Part[] {
  const need = it.test.burn_in;
  const start = who ? `${who}waiting` : "Waiting";
  if (!need) return [say(`${start} for data.`)];
  if (need.units_have < need.units_need || need.events_need === null) {
    return [say(`${start} for data: ${count(need.units_have)} of ${count(need.units_need)} ${units(experiment.unit_name)} in the smaller arm.`)];
  }
  return [say(`${start} for data: about ${Math.floor(need.events_have ?? 0)} of ${count(need.events_need)} expected events per arm.`)];
}

function planned(experiment: Experiment): Part[] {
  const share = percent(pairUnits(experiment) / experiment.planned_units);
  return [say(`The verdict comes at ${count(experiment.planned_units)} ${units(experiment.unit_name)} (${share} are there). Until then this page shows counts and health only.`)];
}

function same(experiment: Experiment, it: Comparison): string {
  const control = it.metric.variants.find((arm) => arm.variant === controlOf(experiment)?.variant);
  return [control?.mean ?? null, it.arm.mean].map((value) => (value === null ? "–" : mean(value, it.metric.unit === "rate" ? "events" : it.metric.unit, value % 1 === 0 ? 0 : 2))).join(" and ");
}

function caveats(experiment: Experiment, primary: Comparison[], look: string): string[] {
  const out: string[] = [];
  const guardrails = guardrailSentence(experiment);
  if (guardrails) out.push(guardrails);
  const open = ["running", "paused"].includes(experiment.status);
  if (open && primary.some((it) => it.direction !== null)) {
    const several = primary.length > 1 ? ["point estimates", "intervals do"] : ["point estimate", "interval does"];
    out.push(`If you stop because of what you see now, expect the ${several[0]} to lean high; the ${several[1]} not.`);
  }
  const treatments = experiment.variants.filter((it) => !it.control).length;
  const control = controlOf(experiment);
  if (treatments > 1 && control) {
    out.push(`The ${treatments === 2 ? "two" : treatments} arms are compared with ${inner(control.name)}, not with each other.`);
  }
  out.push(...metricCaveats(primary[0]?.metric));
  const day = dayOf(experiment.started, look);
  if (day !== null && day <= 7 && primary.some((it) => it.direction !== null)) out.push(`Only day ${day}: a whole week has not been seen.`);
  return out;
}

function metricCaveats(metric: Metric | undefined): string[] {
  if (!metric) return [];
  const share = metric.inside_window?.share ?? 0;
  const out: string[] = [];
  if (metric.maturity === "open" && share !== null && share > 0) out.push(`Approximate: the windows of ${percent(share, share < 0.1 ? 1 : 0)} are still open.`);
  if (metric.cap !== null) out.push(`Capped at ${mean(metric.cap, metric.unit, 0)} each.`);
  return out;
}

/** "Neither arm lowers spend per customer by 5% or more." Only what is shown safe in every arm. */
export function guardrailSentence(experiment: Experiment): string | null {
  const safe = experiment.metrics.filter((it) => it.role === "guardrail" && it.margin !== null && compare(experiment, it).every((arm) => arm.guardrail === "safe"));
  if (safe.length === 0) return null;
  const verb = (metric: Metric) => (signOf(metric) > 0 ? "lowers" : "raises");
  const parts = safe.map((it) => `${verb(it)} ${inner(it.name)} by ${minimumText(it.margin ?? 0)} or more`);
  const treatments = experiment.variants.filter((it) => !it.control);
  const subject = treatments.length === 1 ? `${armName(experiment, treatments[0]?.variant ?? "")} neither` : treatments.length === 2 ? "Neither arm" : "No arm";
  if (treatments.length === 1) {
    const one = parts[0] ?? "";
    return parts.length === 1 ? `${armName(experiment, treatments[0]?.variant ?? "")} does not ${one.replace("lowers", "lower").replace("raises", "raise")}.` : `${subject} ${parts.join(" nor ")}.`;
  }
  return `${subject} ${parts.join(" or ")}.`;
}

/** A pill's words for one comparison. */
export function wordsOf(it: Comparison): { tone: "" | "better" | "worse" | "warn" | "alarm"; icon: "up" | "down" | "flat" | "clock" | "shield" | "warn"; text: string } {
  if (it.guardrail !== null && it.code !== "blocked" && it.code !== "waiting" && it.code !== "degenerate" && it.code !== "unsupported") {
    const margin = minimumText(it.metric.margin ?? 0);
    if (it.guardrail === "safe") return { tone: "better", icon: "shield", text: `Safe: not ${margin} worse` };
    if (it.guardrail === "harm") return { tone: "alarm", icon: "warn", text: `Harm shown: ${margin} worse` };
    return { tone: "", icon: "clock", text: "Not known yet" };
  }
  switch (it.code) {
    case "better":
      return { tone: "better", icon: "up", text: it.metric.minimum_effect === null ? "Better" : "Better, clear of minimum" };
    case "better_may_be_small":
      return { tone: "better", icon: "up", text: "Better, may be small" };
    case "worse":
      return { tone: "worse", icon: "down", text: "Worse" };
    case "no_difference":
      return { tone: "", icon: "flat", text: "No difference that matters" };
    case "crossed_back":
      return { tone: "warn", icon: "clock", text: `Decided ${it.direction}, zero inside again` };
    case "before_correction":
      return { tone: "", icon: "flat", text: "Not shown yet" };
    case "drift_suspected":
      return { tone: "warn", icon: "warn", text: "Effect is changing" };
    case "waiting":
      return { tone: "", icon: "clock", text: "Waiting for data" };
    case "degenerate":
      return { tone: "", icon: "flat", text: "Nothing to compare" };
    case "blocked":
      return { tone: "alarm", icon: "warn", text: "No verdict" };
    case "unsupported":
      return { tone: "", icon: "flat", text: "No interval for this type" };
    case "not_yet":
      return { tone: "", icon: "clock", text: "Comes at the planned end" };
    case "undecided":
      return { tone: "", icon: "flat", text: "No difference shown yet" };
  }
}

/** For the drawer and readers: "+119%, +59% to +214%". */
export const liftText = (it: Comparison, decimals: number): string => `${lift(it.arm.lift ?? null, decimals)}, ${interval(it.test, decimals)}`;
