// The state of an experiment: its pill, and what is said before the verdict when the state is news.

import type { Experiment } from "../api/types";
import { armName } from "../model";
import { decimalsOf, factorOf, mean } from "../numbers";
import type { IconName } from "../parts/Icon";
import type { Tone } from "../parts/Pill";
import { age, clock, day, dayOf, moment } from "../times";
import { freshnessOf } from "../freshness";
import { type Part, inner, say, strong, textOf, units } from "./part";
import { verdictOf } from "./verdict";

export interface Told {
  /** Changes only when the words do. */
  code: string;
  pill: { tone: Tone; icon: IconName; text: string };
  tone: "" | "warn" | "alarm";
  sentence: Part[];
  caveats: string[];
}

/** What is known beside the numbers. */
export interface Situation {
  look: string;
  logTime: string;
  ageMs: number;
  heldBy: number | null;
  /** Since when it is paused or stopped, and by whom, as its log says. */
  since?: string | null;
  by?: string | null;
}

export function tell(experiment: Experiment, now: Situation): Told {
  const said = verdictOf(experiment);
  const base: Told = { code: said.code, tone: "", pill: { tone: "", icon: "run", text: running(experiment, now.look) }, sentence: said.sentence, caveats: said.caveats };
  const harm = killed(experiment, now);
  if (experiment.status === "draft") return { ...base, pill: { tone: "plain", icon: "draft", text: "Draft" }, caveats: [] };
  if (harm) return { ...base, ...harm };
  if (experiment.status === "stopped") return { ...base, ...stopped(base, now) };
  if (experiment.verdict.code === "blocked") return { ...base, tone: "alarm", pill: { tone: "alarm", icon: "warn", text: "Blocked" } };
  if (freshnessOf(now.ageMs) === "stale") return { ...base, ...stale(base, now) };
  if (experiment.status === "paused") return { ...base, ...paused(base, experiment, now) };
  if (experiment.verdict.code === "drift") return { ...base, tone: "warn", pill: { tone: "warn", icon: "warn", text: "Effect is changing" } };
  if (textOf(said.sentence).includes("includes zero again")) return { ...base, tone: "warn" };
  return base;
}

function running(experiment: Experiment, look: string): string {
  const n = dayOf(experiment.started, look);
  return n === null ? "Running" : `Running · day ${n}`;
}

/** A guardrail that shows harm in an experiment that runs no more. */
function killed(experiment: Experiment, now: Situation): Partial<Told> | null {
  const { safe } = experiment.verdict;
  if (safe.code !== "no" || experiment.status !== "paused") return null;
  const args = safe.arguments;
  const metric = experiment.metrics.find((it) => it.metric === args.metric);
  const [control, treatment] = means(metric, args);
  const verb = (args.lift ?? 0) > 0 ? "rose" : "fell";
  const what = metric ? `${inner(metric.name)} ${verb} from ${control} to ${treatment}` : "a guardrail shows harm";
  const back = now.since ? ` Nobody new is let in since ${moment(now.since, true)} UTC.` : "";
  const arm = experiment.variants.length > 2 && args.variant ? ` (${armName(experiment, args.variant)})` : "";
  return {
    code: `killed ${args.metric ?? ""}`,
    tone: "alarm",
    pill: { tone: "alarm", icon: "stop", text: now.since ? `Killed ${clock(now.since).slice(0, 5)}` : "Killed" },
    sentence: [strong(`Stopped by its guardrail: ${what}${arm}.`), say(back)],
    caveats: ["The numbers below go on until the windows of those already in have ended."],
  };
}

function means(metric: Experiment["metrics"][number] | undefined, args: Experiment["verdict"]["safe"]["arguments"]): [string, string] {
  if (!metric) return ["–", "–"];
  const [a, b] = [args.control_mean ?? metric.variants[0]?.mean ?? null, args.mean ?? metric.variants.find((it) => it.variant === args.variant)?.mean ?? null];
  const apart = a !== null && b !== null ? Math.abs(b - a) / 2 : null;
  const decimals = decimalsOf(apart === null ? null : apart * factorOf(metric.unit));
  return [mean(a, metric.unit, decimals), mean(b, metric.unit, decimals)];
}

function stopped(base: Told, now: Situation): Partial<Told> {
  const at = now.since ?? null;
  return {
    pill: { tone: "", icon: "stop", text: at ? `Stopped ${day(at)}` : "Stopped" },
    sentence: [say(`Read-out of ${moment(now.look, true)} UTC: `), ...base.sentence, say(" Later events do not change it.")],
  };
}

function stale(base: Told, now: Situation): Partial<Told> {
  const who = now.heldBy === null ? "No partition has closed a look since." : `Partition ${now.heldBy} has closed no look since.`;
  return {
    code: `stale ${base.code}`,
    tone: "warn",
    pill: { tone: "warn", icon: "clock", text: `Stale ${age(now.ageMs)}` },
    sentence: [say(`Numbers are from ${clock(now.logTime)} UTC. `), strong(who), say(" "), ...base.sentence],
    caveats: ["They were valid then and still are; they are only old.", ...base.caveats],
  };
}

function paused(base: Told, experiment: Experiment, now: Situation): Partial<Told> {
  const since = now.since ? ` since ${moment(now.since)} UTC` : "";
  return {
    pill: { tone: "", icon: "pause", text: now.by ? `Paused by ${now.by}` : "Paused" },
    sentence: [...base.sentence, say(` No new ${units(experiment.unit_name)}${since}. Conversions of those already in still count until their windows end.`)],
  };
}
