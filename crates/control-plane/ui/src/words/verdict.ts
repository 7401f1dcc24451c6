// The verdict sentence: claim, against the minimum, other arms, guardrails, caveats. Made of codes and arguments; it never says more than they do.

import type { Experiment, Metric } from "../api/types";
import { type Comparison, armName, bestFirst, compare, controlOf, directionOf, primaryOf } from "../model";
import { count, mean, percent } from "../numbers";
import { day } from "../times";
import { claim } from "./claims";
import { blockedSentence } from "./blocked";
import { lies, liftDecimals, minimumText } from "./lifts";
import { type Part, capital, inner, joined, say, strong, units } from "./part";

export interface Said {
  /** Changes only when something else is to be said: for those who listen, and for holding numbers still. */
  code: string;
  sentence: Part[];
  caveats: string[];
}

/** More arms than this are in the table and not in the sentence. */
const ARMS_MAX = 3;

export function verdictOf(experiment: Experiment): Said {
  const { code, blocked_by: blocked } = experiment.verdict;
  const all = comparisons(experiment);
  const codes = [experiment.status, code, ...all.map((it) => `${it.arm.variant}=${it.code}${it.args.covers_zero ? "~" : ""}`), ...blocked.map((it) => it.code)].join(" ");
  return { code: codes, sentence: sentenceOf(experiment, all), caveats: caveats(experiment, all) };
}

function comparisons(experiment: Experiment): Comparison[] {
  const metric = primaryOf(experiment);
  return metric ? bestFirst(compare(experiment, metric)) : [];
}

function sentenceOf(experiment: Experiment, all: Comparison[]): Part[] {
  const { code, blocked_by: blocked } = experiment.verdict;
  if (experiment.status === "draft") return [say("Not started.")];
  if (code === "blocked" && blocked[0]) return blockedSentence(experiment, blocked[0]);
  if (code === "no_data") return noData(experiment);
  const [first, ...others] = all;
  if (code === "no_primary" || !first) return [say("No metric decides: the definition names no primary one.")];
  const decimals = liftDecimals(all.map((it) => it.test));
  const stop = experiment.verdict.stop;
  if (stop.code === "plan_used_up" && code === "not_shown") {
    const at = stop.arguments.max_units ?? experiment.max_units ?? experiment.planned_units;
    return [say(`No difference shown at the planned maximum, ${count(at)} ${units(experiment.unit_name)}.`)];
  }
  const together = all.length > 1 && all.every((it) => it.code === first.code) ? alike(experiment, all, decimals) : null;
  if (together) return together;
  const rest = others.slice(0, ARMS_MAX - 1).flatMap((it) => [say(" "), ...claim(experiment, it, decimals, follows(first, it))]);
  return [...claim(experiment, first, decimals, false), ...rest];
}

/** Whether the second may be said as "it too". */
const follows = (first: Comparison, it: Comparison): boolean =>
  directionOf(it.code) !== null && directionOf(it.code) === directionOf(first.code) && !first.args.covers_zero;

/** Several arms of which the same is to be said are said once. */
function alike(experiment: Experiment, all: Comparison[], decimals: number): Part[] | null {
  const first = all[0];
  switch (first?.code) {
    case "not_shown":
      if (all.some((it) => it.args.excludes_zero_before_correction)) return null;
      return [say("No difference shown yet. "), say(all.slice(0, ARMS_MAX).map((it) => lies(it.test, decimals, capital(it.name))).join(" "))];
    case "no_difference":
      return [strong("No difference that matters."), say(` Every lift lies inside your ±${minimumText(first.metric.minimum_effect ?? 0)}.`)];
    case "waiting":
    case "degenerate":
    case "unsupported":
    case "before_plan": {
      const alone = { ...experiment, variants: experiment.variants.slice(0, 2) };
      return claim(alone, [...all].sort((a, b) => (a.args.have ?? 0) - (b.args.have ?? 0))[0] ?? first, decimals, false);
    }
    default:
      return null;
  }
}

function noData(experiment: Experiment): Part[] {
  const since = experiment.started ? ` Live since ${day(experiment.started)}.` : "";
  return [say(`No ${units(experiment.unit_name)} yet.${since} The first exposure will show here within two seconds.`)];
}

function caveats(experiment: Experiment, primary: Comparison[]): string[] {
  if (experiment.verdict.code === "blocked") {
    return ["Numbers stay visible and are not results. Usual causes: a redirect that loses one arm, a cache, a filter of bots. Repair it, then start a new phase."];
  }
  const out: string[] = [];
  if (experiment.verdict.code === "waiting") out.push(`Intervals begin when each arm has enough ${units(experiment.unit_name)} and events. The counts are live.`);
  const guardrails = guardrailSentence(experiment);
  if (guardrails) out.push(guardrails);
  const pointing = primary.filter((it) => directionOf(it.code) !== null);
  if (pointing.length > 0 && experiment.status !== "stopped") {
    const [what, how] = primary.length > 1 ? ["point estimates", "intervals do"] : ["point estimate", "interval does"];
    out.push(`If you stop because of what you see now, expect the ${what} to lean high; the ${how} not.`);
  }
  const treatments = experiment.variants.filter((it) => !it.control).length;
  const control = controlOf(experiment);
  if (treatments > 1 && control && pointing.length > 0) {
    out.push(`The ${treatments === 2 ? "two" : treatments} arms are compared with ${inner(control.name)}, not with each other.`);
  }
  out.push(...metricCaveats(primary[0]?.metric, experiment));
  const days = experiment.days_running;
  if (days !== null && days < 7 && pointing.length > 0) out.push("Less than a week: not every weekday has been seen.");
  return out;
}

function metricCaveats(metric: Metric | undefined, experiment: Experiment): string[] {
  if (!metric) return [];
  const share = metric.inside_window?.share ?? 0;
  const out: string[] = [];
  if (metric.maturity === "open" && share > 0) {
    out.push(`Approximate: the windows of ${percent(share, share < 0.1 ? 1 : 0)} of the ${units(experiment.unit_name)} are still open.`);
  }
  if (metric.cap !== null) out.push(`Capped at ${mean(metric.cap, metric.unit, 0)} each.`);
  return out;
}

/** "Neither arm lowers spend per customer by 5% or more." Only what is shown safe in every arm. */
export function guardrailSentence(experiment: Experiment): string | null {
  const guardrails = experiment.metrics.filter((it) => it.role === "guardrail" && it.margin !== null);
  const safe = guardrails.filter((it) => compare(experiment, it).every((arm) => arm.code === "safe"));
  if (safe.length === 0) return null;
  const treatments = experiment.variants.filter((it) => !it.control);
  const one = treatments.length === 1;
  const verb = (metric: Metric) => `${metric.direction === "increase" ? "lower" : "raise"}${one ? "" : "s"}`;
  const parts = safe.map((it) => `${verb(it)} ${inner(it.name)} by ${minimumText(it.margin ?? 0)} or more`);
  const subject = one ? `${capital(armName(experiment, treatments[0]?.variant ?? ""))} does not` : treatments.length === 2 ? "Neither arm" : "No arm";
  return `${subject} ${joined(parts, "or")}.`;
}
