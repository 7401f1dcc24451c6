// The state of an experiment: its pill, and what only the page knows of it beside the server's sentence: ages, and what its log says.

import type { Experiment } from "../api/types";
import { directionOf } from "../model";
import type { IconName } from "../parts/Icon";
import type { Tone } from "../parts/Pill";
import { age, clock, day, dayOf, moment } from "../times";
import { freshnessOf } from "../freshness";
import { type Part, say, strong } from "./part";

export interface Told {
  /** Changes only when something else is to be said: for those who listen, and for holding numbers still. */
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
  const { status, verdict } = experiment;
  const { sentence, caveats } = said(experiment, now);
  const base: Told = { code: codeOf(experiment), tone: "", pill: { tone: "", icon: "run", text: running(experiment, now.look) }, sentence, caveats };
  if (status === "draft") return { ...base, pill: { tone: "plain", icon: "draft", text: "Draft" } };
  if (isKilled(experiment)) return { ...base, tone: "alarm", pill: { tone: "alarm", icon: "stop", text: now.since ? `Killed ${clock(now.since).slice(0, 5)}` : "Killed" } };
  if (status === "stopped") return { ...base, pill: { tone: "", icon: "stop", text: now.since ? `Stopped ${day(now.since)}` : "Stopped" } };
  if (verdict.code === "blocked") return { ...base, tone: "alarm", pill: { tone: "alarm", icon: "warn", text: "Blocked" } };
  if (freshnessOf(now.ageMs) === "stale") return { ...base, ...stale(base, now) };
  if (status === "paused") return { ...base, pill: { tone: "", icon: "pause", text: now.by ? `Paused by ${now.by}` : "Paused" } };
  if (verdict.code === "drift") return { ...base, tone: "warn", pill: { tone: "warn", icon: "warn", text: "Effect is changing" } };
  if (verdict.arms.some((it) => it.arguments.covers_zero && directionOf(it.code))) return { ...base, tone: "warn" };
  return base;
}

/** A guardrail that shows harm in an experiment that runs no more. */
const isKilled = ({ status, verdict }: Experiment) => status === "paused" && verdict.safe.code === "no";

function codeOf({ status, verdict }: Experiment): string {
  const arms = verdict.arms.map((it) => `${it.variant}=${it.code}${it.arguments.covers_zero ? "~" : ""}`);
  return [status, verdict.code, verdict.safe.code, ...arms, ...verdict.blocked_by.map((it) => it.code)].join(" ");
}

/** The server's words, with since when nobody new is let in. */
function said(experiment: Experiment, { since }: Situation): Pick<Told, "sentence" | "caveats"> {
  // Looks that were kept by an earlier build have no words.
  const { sentence, caveats } = experiment.said ?? { sentence: [say("This look was kept without its words.")], caveats: [] };
  if (experiment.status !== "paused" || experiment.verdict.code === "blocked" || !since) return { sentence, caveats };
  if (isKilled(experiment)) return { sentence: [...sentence, say(` Nobody new is let in since ${moment(since, true)} UTC.`)], caveats };
  return { sentence: [...sentence.slice(0, -1), say(` since ${moment(since)} UTC`), ...sentence.slice(-1)], caveats };
}

function running(experiment: Experiment, look: string): string {
  const n = dayOf(experiment.started, look);
  return n === null ? "Running" : `Running · day ${n}`;
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
