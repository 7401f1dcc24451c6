// The four answers, in the order of people's questions: is it safe, is it working, can I stop, why believe it.

import type { Experiment, Results } from "../api/types";
import { type Comparison, armName, bestFirst, compare, directionOf, primaryOf } from "../model";
import { count, lift, percent, plural } from "../numbers";
import type { IconName } from "../parts/Icon";
import { age, clock, moment } from "../times";
import { inner, joined, units } from "./part";
import { clearing } from "./projected";

export interface Answer {
  question: string;
  tone: "yes" | "bad" | "maybe" | "";
  icon: IconName;
  word: string;
  why: string;
}

const one = (question: string, tone: Answer["tone"], icon: IconName, word: string, why: string): Answer => ({ question, tone, icon, word, why });

export function answersOf(experiment: Experiment, results: Results, ageMs: number): Answer[] {
  return [safe(experiment), working(experiment), stop(experiment), why(experiment, results, ageMs)];
}

const nameOf = (experiment: Experiment, metric: string | undefined) => inner(experiment.metrics.find((it) => it.metric === metric)?.name ?? metric ?? "a guardrail");

function safe(experiment: Experiment): Answer {
  const ask = "Is it safe?";
  const { code, arguments: args } = experiment.verdict.safe;
  const guardrails = experiment.metrics.filter((it) => it.role === "guardrail");
  const clean = experiment.verdict.blocked_by.length === 0 ? " The split shows nothing." : "";
  switch (code) {
    case "no": {
      const arm = args.variant ? `${sentence(armName(experiment, args.variant))}: ` : "";
      return one(ask, "bad", "stop", "No", `${arm}${nameOf(experiment, args.metric)} shows harm${args.lift == null ? "" : ` (${lift(args.lift, 0)})`}.`);
    }
    case "cannot_say":
      return one(ask, "maybe", "warn", "Cannot say", args.metric ? `Every ${experiment.unit_name} has the same value of ${nameOf(experiment, args.metric)}.` : "The split is not as planned, so no comparison is fair.");
    case "not_known_yet": {
      const need = args.units_needed === undefined ? "" : ` If the present estimate is true, about ${count(args.units_needed)} ${units(experiment.unit_name)} per pair would show it.`;
      return one(ask, "maybe", "clock", "Not known yet", `${sentence(nameOf(experiment, args.metric))} is neither shown safe nor harmful.${need}`);
    }
    case "yes": {
      const several = experiment.variants.length > 2 ? " in every arm" : "";
      const which = guardrails.length === 1 ? "The only guardrail is" : `All ${guardrails.length} guardrails are`;
      return one(ask, "yes", "shield", "Yes", `${which} shown safe${several}.${clean}`);
    }
    case "no_guardrail":
      return one(ask, "maybe", "warn", "No guardrail set", "Nothing watches for harm. Add a metric with the role guardrail and a margin to the definition.");
  }
}

const sentence = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);

function working(experiment: Experiment): Answer {
  const ask = "Is it working?";
  const metric = primaryOf(experiment);
  const all = metric ? bestFirst(compare(experiment, metric)) : [];
  const { code } = experiment.verdict.working;
  switch (code) {
    case "cannot_say":
      return one(ask, "maybe", "warn", "Cannot say", experiment.verdict.code === "blocked" ? "Numbers are shown, and are not results." : "No metric decides.");
    case "waiting":
      return one(ask, "", "clock", "Waiting for data", "Counts are live; intervals begin when each arm has enough.");
    case "yes":
      return one(ask, "yes", "up", yesWord(experiment, all), decisions(all));
    case "worse":
      return one(ask, "bad", "down", "No, worse", decisions(all));
    case "no_difference":
      return one(ask, "", "flat", "No difference that matters", "Every lift that is not ruled out is smaller than your minimum.");
    case "not_shown":
      return one(ask, "", "flat", "Not shown yet", findable(experiment));
  }
}

function yesWord(experiment: Experiment, all: Comparison[]): string {
  const best = all[0];
  if (experiment.variants.length < 3 || !best) return "Yes";
  const clear = all.filter((it) => it.code === "better");
  return clear.length === 1 ? `Yes, ${inner(best.name)} clearly` : `Yes, ${inner(best.name)}`;
}

/** When each arm was decided. */
function decisions(all: Comparison[]): string {
  const at = all.filter((it) => directionOf(it.code) !== null && it.args.decided_at);
  if (at.length === 0) return "";
  if (all.length === 1) return `Decided ${moment(at[0]?.args.decided_at)} UTC${at[0]?.args.decided_units === undefined ? "" : ` at ${count(at[0].args.decided_units)}`}.`;
  return `Decided: ${at.map((it) => `${inner(it.name)} ${moment(it.args.decided_at)}`).join(", ")} UTC.`;
}

function findable(experiment: Experiment): string {
  const found = primaryOf(experiment)?.variants.find((it) => it.findable)?.findable;
  const at = found?.lift_now;
  if (found?.status !== "ok" || at == null) return "Looking again costs nothing.";
  return `At this size a lift of ${lift(at, decimalsFor(at), false)} would have shown with a chance of 80%. Looking again costs nothing.`;
}

const decimalsFor = (value: number) => (Math.abs(value) < 0.1 ? 1 : 0);

function stop(experiment: Experiment): Answer {
  const ask = "Can I stop?";
  const { code, arguments: args } = experiment.verdict.stop;
  switch (code) {
    case "already":
      return one(ask, "", "ok", "Already stopped", "Later events do not change its read-out.");
    case "repair":
      return one(ask, "bad", "stop", "Stop and repair", "What comes in now cannot be used. Repair the cause, then start a new phase.");
    case "yes":
      return one(ask, "yes", "ok", "Yes, now", `Decided in every arm, after ${wholeDays(args.days ?? experiment.days_running)}.`);
    case "first_week":
      return one(ask, "maybe", "clock", "Yes, but", `Decided inside the first week, after ${wholeDays(args.days ?? experiment.days_running)}: not every weekday has been seen.`);
    case "some_undecided":
      return one(ask, "maybe", "clock", "Yes, but", `${sentence(joined((args.undecided ?? []).map((it) => armName(experiment, it))))} ${(args.undecided ?? []).length === 1 ? "is" : "are"} not decided.${left(experiment)}${clearing(experiment)}`);
    case "plan_used_up":
      return one(ask, "yes", "ok", "Yes, plan used up", "An effect of the planned size would have shown with a chance of 80%. Going on is allowed and stays valid.");
    case "may":
      return one(ask, "", "clock", "You may, but", `Nothing is decided.${left(experiment)}${clearing(experiment)}`);
    case "not_yet":
      return one(ask, "", "clock", "Not yet", `There is too little to say anything.${left(experiment)}`);
  }
}

function wholeDays(days: number | null | undefined): string {
  if (days == null) return "less than a day";
  return days < 1 ? "less than a day" : plural(Math.floor(days), "day");
}

/** Until when something can still be found, and what. */
function left(experiment: Experiment): string {
  const { units_left: missing, days_left: days, findable_lift: find } = experiment.verdict.stop.arguments;
  if (missing === undefined || missing <= 0) return "";
  const pace = days == null ? "" : `, ${days < 1 ? "less than a day" : `about ${plural(Math.ceil(days), "day")}`} at the present pace`;
  const found = find == null ? "" : ` A lift of ${lift(find, decimalsFor(find), false)} can still be found by then.`;
  return ` ${count(missing)} ${units(experiment.unit_name)} per pair are left in the plan${pace}.${found}`;
}

const REASONS: Record<string, string> = {
  rejected: "of the events were rejected",
  late: "of the events came too late to count",
  crossed: "were seen in several arms",
};

function why(experiment: Experiment, results: Results, ageMs: number): Answer {
  const ask = "Why believe it?";
  const { code, arguments: args } = experiment.verdict.why;
  const cut = `${experiment.looks_evaluated.toLocaleString("en")} looks, ${results.freshness.closed} of ${results.freshness.partitions} partitions, complete to ${clock(results.freshness.log_time)} UTC.`;
  // The server knows the age when it answers; a page that stays open knows more.
  if (code === "complete" && ageMs > 30_000) return one(ask, "maybe", "clock", `Wait ${age(ageMs)}`, `No newer look has come. ${cut}`);
  switch (code) {
    case "complete":
      return one(ask, "", "file", "Recompute it", `One cut of the log: ${cut}`);
    case "wait":
      return one(ask, "maybe", "clock", `Wait ${age(Math.max(args.age_ms ?? 0, ageMs))}`, `${args.partition === undefined ? "Several partitions hold" : `Partition ${args.partition} holds`} the cut. ${cut}`);
    case "provisional":
      return one(ask, "maybe", "warn", "Not one cut", "Newest of each partition. Not for deciding.");
    case "approximate":
      return one(ask, "maybe", "clock", "Approximate", `${percent(args.share ?? 0, 1)} of the ${units(experiment.unit_name)} are still inside their windows. ${cut}`);
    case "with_care":
      return one(ask, "maybe", "warn", "With care", `${percent(args.share ?? 0, 2)} ${REASONS[args.reason ?? ""] ?? args.reason ?? ""}. ${cut}`);
  }
}
