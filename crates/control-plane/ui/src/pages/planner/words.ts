// The planner in words. Pure, so that tables can test them.

import type { MethodPlan, PlanAnswer, PlanHeadline, StillAt, StillFinds } from "../../api/schema";
import { count, lift, percent, plural } from "../../numbers";
import type { Kind, Method } from "./inputs";

/** Names of the ways to read, and how often each lets one look. */
export const METHODS: Record<Method, { name: (looks: number) => string; option: string; short: string; may: (looks: number) => string }> = {
  always_valid: { name: () => "Always-valid", option: "Any time (always-valid)", short: "always-valid", may: () => "any time, as often as you like" },
  group_sequential: {
    name: (looks) => `Group sequential, ${plural(looks, "look")}`,
    option: "At a few planned looks (group sequential)",
    short: "group sequential",
    may: (looks) => (looks === 1 ? "once, at the end" : `at ${looks} planned looks`),
  },
  fixed_horizon: { name: () => "Fixed horizon", option: "Once, at the end (fixed horizon)", short: "fixed", may: () => "once, at the end" },
};

/** Digits enough to say what was typed, and no more. */
export function plain(value: number, digits = 4): string {
  const text = String(Number(value.toPrecision(digits)));
  const [whole = "0", part] = text.includes("e") ? [text] : text.split(".");
  const commas = text.includes("e") ? text : whole.replace(/\B(?=(\d{3})+$)/g, ",");
  return (part ? `${commas}.${part}` : commas).replace("-", "−");
}

/** A share as it was typed: 0.05 is 5%. */
export const share = (value: number): string => `${plain(value * 100)}%`;

const signed = (value: number, text: string) => (value > 0 ? `+${text}` : text);

/** A difference in the metric's unit. */
export function difference(value: number | null, kind: Kind, digits = 3): string {
  if (value === null) return "none is found";
  if (kind === "conversion") return signed(value, `${plain(value * 100, digits)} points`);
  return signed(value, plain(value, digits));
}

/** A lift without its sign, for a sentence: "a 10% lift", "a 10% drop". */
export const liftNoun = (value: number): string => `${article(value)} ${share(Math.abs(value))} ${value < 0 ? "drop" : "lift"}`;

/** Eight, eleven and eighteen begin with a vowel. */
const article = (value: number) => (/^(8|11|18)(\D|$)/.test(share(Math.abs(value))) || /^8\d/.test(share(Math.abs(value))) ? "an" : "a");

/** The effect as the answer has it: what it is in the other way of saying it. */
export function otherWay(answer: Pick<PlanAnswer, "kind" | "difference">): string {
  return `% relative = ${difference(answer.difference, answer.kind).replace(/^\+/, "")}`;
}

const WORDS = ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"];

/** Two full weeks; small numbers in words, because they are not read off but remembered. */
function weeks(days: number): string {
  const n = Math.round(days / 7);
  return `${WORDS[n] ?? count(n)} full ${n === 1 ? "week" : "weeks"}`;
}

/** Under an axis: 20k, 2.5M. */
export function tickCount(units: number): string {
  if (units < 1_000) return plain(units, 3);
  return units < 1e6 ? `${plain(units / 1e3, 3)}k` : `${plain(units / 1e6, 3)}M`;
}

/** What is below the first number. */
export function atMostWords(plan: MethodPlan, treatments: number, perDay: number | null): string {
  const arms = plan.control === plan.treatment ? `${count(plan.control)} in each arm` : `${count(plan.control)} in the control, ${count(plan.treatment)} in ${treatments === 1 ? "the treatment" : "each treatment"}`;
  if (plan.days === null || perDay === null) return `${arms}.`;
  return `${arms}, ${plural(plan.days.at_most, "day")} at ${count(perDay)} a day. Run ${weeks(plan.days.in_whole_weeks)}.`;
}

export function expectedWords(answer: PlanAnswer, plan: MethodPlan): string {
  const when = plan.days === null ? "" : `; day ${count(plan.days.on_average)}`;
  if (answer.method === "fixed_horizon") return `always, because nobody looks before${when}.`;
  return `if the true ${answer.lift === null ? `difference is ${difference(answer.difference, answer.kind)}` : `lift is ${share(answer.lift)}`}${when}.`;
}

/** 1.64× */
export const times = (value: number): string => `${value >= 10 ? plain(value, 3) : value.toFixed(2)}×`;

export function priceWords(headline: PlanHeadline, noun: string, method: Method): string {
  if (method === "fixed_horizon") return `This is the single look that the others are compared with: ${count(headline.one_look)} ${noun}.`;
  const least = `of the ${count(headline.one_look)} that a single look needs.`;
  const mean = headline.price_expected;
  if (mean <= 0.99) return `${least} On average it saves ${percent(1 - mean)}.`;
  if (mean <= 1.01) return `${least} On average it costs nothing.`;
  return `${least} On average it costs ${percent(mean - 1)}.`;
}

/** How long a way of reading takes. */
export function durationWords(plan: MethodPlan): string {
  if (plan.days === null) return "–";
  if (plan.method === "fixed_horizon") return `day ${count(plan.days.at_most)}, so ${weeks(plan.days.in_whole_weeks)}`;
  return `about day ${count(plan.days.on_average)}, at latest day ${count(plan.days.at_most)}`;
}

/** Other splits cost more: 80/20 1.56×. */
export function splitWords(answer: Pick<PlanAnswer, "splits" | "treatments">, noun: string): string {
  const percentOf = (value: number) => plain(value * 100, 3);
  const name = (control: number) => {
    const other = (1 - control) / answer.treatments;
    return [control, ...Array<number>(answer.treatments).fill(other)].map(percentOf).join("/");
  };
  const equal = 1 / (1 + answer.treatments);
  const short = (control: number) => (answer.treatments <= 2 ? name(control) : `control ${percentOf(control)}%`);
  const costs = answer.splits.filter((it) => Math.abs(it.control_share - equal) > 1e-9);
  const cheaper = costs.filter((it) => it.times < 0.995);
  const dearer = costs.filter((it) => it.times > 1.005);
  const list = (these: typeof costs) => these.map((it) => `${short(it.control_share)} ${times(it.times)}`).join(", ");
  const parts = [cheaper.length > 0 && `Cheaper than equal arms: ${list(cheaper)}.`, dearer.length > 0 && `Other splits cost more ${noun}: ${list(dearer)}.`];
  return parts.filter(Boolean).join(" ");
}

const WHEN: Record<StillAt["when"], string> = {
  now: "Now",
  in_a_week: "In a week",
  in_two_weeks: "In two weeks",
  in_four_weeks: "In four weeks",
  at_most: "At the planned end",
};

export function whenWords(it: StillAt): string {
  if (it.when !== "at_most" || it.days === null) return WHEN[it.when];
  return `${WHEN[it.when]}, in ${plural(it.days, "day")}`;
}

/** The smallest effects that are found, as people compare them. */
export function findsWords(it: StillFinds, kind: Kind): { up: string; down: string } {
  const say = (relative: number | null, absolute: number | null) => {
    if (absolute === null) return "none";
    if (relative === null) return difference(absolute, kind);
    return `${lift(relative, Math.abs(relative) < 0.1 ? 1 : 0)} (${difference(absolute, kind, 2)})`;
  };
  return { up: say(it.lift_up, it.difference_up), down: say(it.lift_down, it.difference_down) };
}

/** A definition to start from: what the plan fixes. */
export function definitionOf(answer: PlanAnswer): string {
  const arms = answer.shares.map((it, at) => {
    const name = at === 0 ? "control, control: true" : answer.treatments === 1 ? "treatment" : `treatment-${at}`;
    const weight = Number((it * 100).toPrecision(6));
    const equal = answer.shares.every((other) => Math.abs(other - it) < 1e-9);
    return `  - { name: ${name}${equal ? "" : `, weight: ${weight}`} }`;
  });
  // The size at which the interval of a pair is narrowest is that of one look.
  const fixed = answer.methods.find((it) => it.method === "fixed_horizon");
  const planned = fixed ? fixed.control + fixed.treatment : Math.round(answer.headline.one_look);
  const what = {
    conversion: "type: conversion, event: my-event",
    mean: "type: sum, event: my-event",
    ratio: "type: ratio, numerator: { event: my-event }, denominator: { event: my-visit }",
  }[answer.kind];
  const metric = `{ kind: metric, id: my-metric, ${what}, window: 14d${answer.difference < 0 ? ", direction: decrease" : ""} }`;
  const minimum = answer.lift === null ? "" : `, minimum_effect: ${Number(Math.abs(answer.lift).toPrecision(6))}`;
  const method = answer.method === "always_valid" ? "" : `, method: ${answer.method}`;
  return `kind: experiment
id: my-experiment
title: What happens if …?
status: draft
variants:
${arms.join("\n")}
metrics:
  - { metric: my-metric, role: primary${minimum} }
analysis: { planned_units: ${planned}, alpha: ${answer.alpha}${method} }
---
${metric}
`;
}
