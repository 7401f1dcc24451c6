// What is said of one comparison: by its code, with its arguments.

import type { Experiment } from "../api/types";
import { type Comparison, controlOf, directionOf } from "../model";
import { count, mean, percent } from "../numbers";
import { moment } from "../times";
import { interval, lies, minimumText, size } from "./lifts";
import { type Part, capital, inner, say, strong, units } from "./part";

/** `too` when the arm before it went the same way, so that the metric need not be named again. */
export function claim(experiment: Experiment, it: Comparison, decimals: number, too: boolean): Part[] {
  // With several treatments each sentence says whose it is.
  const who = experiment.variants.length > 2 ? capital(it.name) : "";
  const start = (words: string) => (who ? `${who}: ${words.charAt(0).toLowerCase()}${words.slice(1)}` : words);
  switch (it.code) {
    case "better":
    case "better_may_be_small":
    case "worse":
      return it.args.covers_zero ? crossedBack(experiment, it, decimals, start) : decided(it, decimals, too);
    case "not_shown":
      return notShown(it, decimals, start);
    case "no_difference":
      return [strong(start("No difference that matters.")), say(` ${lies(it.test, decimals).slice(0, -1)}, inside your ±${minimumText(it.args.minimum_effect ?? it.metric.minimum_effect ?? 0)}.`)];
    case "drift":
      return [strong(start("No single effect fits the whole run:")), say(" intervals of different times do not overlap.")];
    case "degenerate":
      return [say(start(`Nothing to compare: within each arm every ${experiment.unit_name} has the same value (${same(experiment, it)}).`))];
    case "waiting":
      return [say(start(waiting(experiment, it)))];
    case "before_plan":
      return [say(beforePlan(experiment, it))];
    case "blocked":
      return [strong(start("No verdict: the split is off."))];
    case "no_method":
      return [say(start(`The ${(it.args.method ?? experiment.method).replace("_", " ")} method is not computed yet: ${lies(it.test, decimals, "the always-valid lift")} It decides nothing here.`))];
    case "unsupported":
      return [say(start("Means are shown without an interval: nothing can be inferred for this type of metric yet."))];
    default:
      return guardrail(it, decimals, start);
  }
}

/** Which way a verdict points, in the words of its decision. */
export const decidedWord = (it: Comparison): string => directionOf(it.code) ?? "better";

function decided(it: Comparison, decimals: number, too: boolean): Part[] {
  const value = it.args.lift ?? it.arm.lift ?? 0;
  const verb = value > 0 ? "raises" : "lowers";
  const bound = it.args.bound ?? 0;
  const head = strong(`${capital(it.name)} ${verb} ${too ? "it too, by " : `${inner(it.metric.name)} by `}`);
  const number: Part = { text: size(value, decimals), strong: true, tone: directionOf(it.code) ?? undefined };
  const minimum = it.args.minimum_effect ?? it.metric.minimum_effect;
  if (it.code === "better_may_be_small" && minimum !== null) {
    return [head, number, say(`, but the truth may be as low as ${size(bound, decimals)}, below your minimum of ${minimumText(minimum)}.`)];
  }
  const clear = it.code === "better" && minimum !== null ? `, which is clear of your minimum of ${minimumText(minimum)}.` : ".";
  return [head, number, strong(`, and by at least ${size(bound, decimals)}`), say(clear)];
}

function crossedBack(experiment: Experiment, it: Comparison, decimals: number, start: (words: string) => string): Part[] {
  const at = it.args.decided_at ? ` on ${moment(it.args.decided_at).slice(0, -6)}` : "";
  const then = it.args.decided_units === undefined ? "" : ` at ${count(it.args.decided_units)} ${units(experiment.unit_name)}`;
  return [
    say(`${start(`Decided ${decidedWord(it)}${at}${then}, and that decision stands.`)} `),
    strong("Today’s interval includes zero again"),
    say(`, ${interval(it.test, decimals)}.`),
  ];
}

function notShown(it: Comparison, decimals: number, start: (words: string) => string): Part[] {
  if (it.args.excludes_zero_before_correction) {
    return [say(start(`No difference shown yet: the interval, ${interval(it.test, decimals)}, excludes zero before correction for several arms, and not after it.`))];
  }
  return [say(`${start("No difference shown yet.")} ${lies(it.test, decimals)}`)];
}

function waiting(experiment: Experiment, it: Comparison): string {
  const { have, need, of } = it.args;
  if (have === undefined || need === undefined) return "Waiting for data.";
  if (of === "events") return `Waiting for data: about ${Math.floor(have)} of ${count(need)} expected ${eventsOf(it)} per arm.`;
  return `Waiting for data: ${count(have)} of ${count(need)} ${units(experiment.unit_name)} in the smaller arm.`;
}

const eventsOf = (it: Comparison) => (it.metric.unit === "rate" ? `events of ${inner(it.metric.name)}` : "events");

function beforePlan(experiment: Experiment, it: Comparison): string {
  const plan = it.args.planned_units ?? experiment.planned_units;
  const share = it.args.units === undefined ? "" : ` (${percent(it.args.units / plan)} are there)`;
  return `The verdict comes at ${count(plan)} ${units(experiment.unit_name)}${share}. Until then this page shows counts and health only.`;
}

function same(experiment: Experiment, it: Comparison): string {
  const control = it.metric.variants.find((arm) => arm.variant === controlOf(experiment)?.variant);
  const values = [it.args.control_mean ?? control?.mean ?? null, it.args.mean ?? it.arm.mean];
  return values.map((value) => (value === null ? "–" : mean(value, it.metric.unit === "rate" ? "events" : it.metric.unit, value % 1 === 0 ? 0 : 2))).join(" and ");
}

function guardrail(it: Comparison, decimals: number, start: (words: string) => string): Part[] {
  const verb = it.metric.direction === "increase" ? "lower" : "raise";
  const margin = minimumText(it.args.margin ?? it.metric.margin ?? 0);
  const name = inner(it.metric.name);
  switch (it.code) {
    case "safe":
      return [say(`${capital(it.name)} does not ${verb} ${name} by ${margin} or more.`)];
    case "harm":
      return [strong(`${capital(it.name)} ${verb}s ${name} by ${size(it.arm.lift ?? 0, decimals)}: harm is shown.`)];
    case "worse_within_margin":
      return [say(`${capital(it.name)} ${verb}s ${name}, but by less than ${margin}.`)];
    default:
      return [say(start(`Whether ${name} is safe is not known yet. ${lies(it.test, decimals)}`))];
  }
}
