// The four answers, as the server gives them, with what only the page knows: how old the numbers are by now.

import type { Experiment, Results } from "../api/types";
import type { IconName } from "../parts/Icon";
import { age, clock } from "../times";

export interface Answer {
  question: string;
  tone: "yes" | "bad" | "maybe" | "";
  icon: IconName;
  word: string;
  why: string;
}

type Key = keyof Experiment["said"]["answers"];

const QUESTIONS: [Key, string][] = [
  ["safe", "Is it safe?"],
  ["working", "Is it working?"],
  ["stop", "Can I stop?"],
  ["why", "Why believe it?"],
];

/** Icons by code, where it is not that of the tone. */
const ICONS: { [K in Key]: Partial<Record<Experiment["verdict"][K]["code"], IconName>> } = {
  safe: { no: "stop", not_known_yet: "clock", yes: "shield" },
  working: { waiting: "clock", yes: "up", worse: "down" },
  stop: { already: "ok", repair: "stop", first_week: "clock", some_undecided: "clock", may: "clock", not_yet: "clock" },
  why: { complete: "file", wait: "clock", approximate: "clock" },
};
const PLAIN = { yes: "ok", bad: "stop", maybe: "warn", "": "flat" } as const;

export function answersOf(experiment: Experiment, results: Results, ageMs: number): Answer[] {
  const { said, verdict } = experiment;
  // Looks that were kept by an earlier build have no words.
  if (!said) return [];
  return QUESTIONS.map(([key, question]) => {
    const { word, why, tone = "" } = said.answers[key];
    const icon = (ICONS[key] as Record<string, IconName>)[verdict[key].code] ?? PLAIN[tone];
    const answer: Answer = { question, tone, icon, word, why };
    return key === "why" ? { ...answer, ...whyNow(experiment, results, ageMs, answer) } : answer;
  });
}

/** From this age on it has to be said that the numbers are old. */
const STALE_MS = 30_000;

function whyNow(experiment: Experiment, results: Results, ageMs: number, { why }: Answer): Partial<Answer> {
  const { code, arguments: args } = experiment.verdict.why;
  if (code === "provisional") return {};
  const { closed, partitions, log_time: logTime } = results.freshness;
  const cut = `${experiment.looks_evaluated.toLocaleString("en")} looks, ${closed} of ${partitions} partitions, complete to ${clock(logTime)} UTC.`;
  // The server knows the age when it answers; a page that stays open knows more.
  if (code === "complete" && ageMs > STALE_MS) return { tone: "maybe", icon: "clock", word: `Wait ${age(ageMs)}`, why: `No newer look has come. ${cut}` };
  if (code === "wait") return { word: `Wait ${age(Math.max(args.age_ms ?? 0, ageMs))}`, why: `${why} ${cut}` };
  return { why: `${why} ${cut}` };
}
