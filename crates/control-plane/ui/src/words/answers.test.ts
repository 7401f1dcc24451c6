// The four answers as the page shows them: the server's words, and the age that only the page knows.

import { expect, test } from "vitest";
import type { Experiment, Verdict } from "../api/types";
import { answersOf } from "./answers";
import { results, three } from "./fixture";

const CUT = "1,248,127 looks, 4 of 4 partitions, complete to 18:42:06 UTC.";
const shown = (experiment: Experiment, ageMs = 808) => answersOf(experiment, results(), ageMs).map((it) => `${it.question} [${it.icon} ${it.tone}] ${it.word}: ${it.why}`);

test("Hillstrom", () => {
  expect(shown(three())).toEqual([
    "Is it safe? [shield yes] Yes: The only guardrail is shown safe in every arm. The split shows nothing.",
    "Is it working? [up yes] Yes, men’s email clearly: Decided: men’s email 13 Nov 14:34, women’s email 16 Nov 10:55 UTC.",
    "Can I stop? [ok yes] Yes, now: Decided in every arm, after 14 days.",
    `Why believe it? [file ] Recompute it: One cut of the log. ${CUT}`,
  ]);
});

test.each<[Verdict["why"]["code"], object, number, string]>([
  ["wait", { partition: 7, age_ms: 12_000 }, 9_000, `[clock maybe] Wait 12 s: Partition 7 holds the cut. ${CUT}`],
  ["wait", { partition: 7, age_ms: 12_000 }, 60_000, `[clock maybe] Wait 1 min: Partition 7 holds the cut. ${CUT}`],
  ["complete", {}, 252_000, `[clock maybe] Wait 4 min 12 s: No newer look has come. ${CUT}`],
  ["provisional", {}, 0, "[warn maybe] Not one cut: Newest of each partition. Not for deciding."],
])("why: %s", (code, args, age, wanted) => {
  const experiment = three();
  const words = { wait: { word: "Wait 12 s", why: "Partition 7 holds the cut.", tone: "maybe" as const }, provisional: { word: "Not one cut", why: "Newest of each partition. Not for deciding.", tone: "maybe" as const } };
  const said = code === "wait" || code === "provisional" ? words[code] : experiment.said.answers.why;
  const it = { ...experiment, said: { ...experiment.said, answers: { ...experiment.said.answers, why: said } }, verdict: { ...experiment.verdict, why: { code, arguments: args } } };
  expect(shown(it, age)[3]).toBe(`Why believe it? ${wanted}`);
});

test("a look without words has no answers", () => {
  const { said: _, ...bare } = three();
  expect(shown(bare as Experiment)).toEqual([]);
});
