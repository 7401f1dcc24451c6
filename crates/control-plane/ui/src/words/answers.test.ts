// The four answers, for every code that they can have.

import { expect, test } from "vitest";
import type { Verdict } from "../api/types";
import { answersOf } from "./answers";
import { results, three } from "./fixture";

function answers(verdict: Partial<Verdict>, ageMs = 808): Record<string, string> {
  const experiment = { ...three(), verdict: { ...three().verdict, ...verdict } };
  return Object.fromEntries(answersOf(experiment, results(), ageMs).map((it) => [it.question, `${it.word}: ${it.why}`]));
}

test("Hillstrom", () => {
  expect(answers({})).toEqual({
    "Is it safe?": "Yes: The only guardrail is shown safe in every arm. The split shows nothing.",
    "Is it working?": "Yes, men’s email clearly: Decided: men’s email 13 Nov 14:34, women’s email 16 Nov 10:55 UTC.",
    "Can I stop?": "Yes, now: Decided in every arm, after 14 days.",
    "Why believe it?": "Recompute it: One cut of the log: 1,248,127 looks, 4 of 4 partitions, complete to 18:42:06 UTC.",
  });
});

test.each<[Verdict["safe"]["code"], object, string]>([
  ["no", { metric: "spend", variant: "mens", lift: -0.12 }, "No: Men’s email: spend per customer shows harm (−12%)."],
  ["cannot_say", {}, "Cannot say: The split is not as planned, so no comparison is fair."],
  ["cannot_say", { metric: "spend" }, "Cannot say: Every customer has the same value of spend per customer."],
  ["not_known_yet", { metric: "spend", units_needed: 60_000 }, "Not known yet: Spend per customer is neither shown safe nor harmful. If the present estimate is true, about 60,000 customers per pair would show it."],
  ["no_guardrail", {}, "No guardrail set: Nothing watches for harm. Add a metric with the role guardrail and a margin to the definition."],
])("safe: %s", (code, args, wanted) => expect(answers({ safe: { code, arguments: args } })["Is it safe?"]).toBe(wanted));

test.each<[Verdict["working"]["code"], string]>([
  ["cannot_say", "Cannot say: No metric decides."],
  ["waiting", "Waiting for data: Counts are live; intervals begin when each arm has enough."],
  ["worse", "No, worse: Decided: men’s email 13 Nov 14:34, women’s email 16 Nov 10:55 UTC."],
  ["no_difference", "No difference that matters: Every lift that is not ruled out is smaller than your minimum."],
  ["not_shown", "Not shown yet: At this size a lift of 29% would have shown with a chance of 80%. Looking again costs nothing."],
])("working: %s", (code, wanted) => expect(answers({ working: { code, arguments: {} } })["Is it working?"]).toBe(wanted));

test.each<[Verdict["stop"]["code"], object, string]>([
  ["already", {}, "Already stopped: Later events do not change its read-out."],
  ["repair", {}, "Stop and repair: What comes in now cannot be used. Repair the cause, then start a new phase."],
  ["first_week", { days: 3.4 }, "Yes, but: Decided inside the first week, after 3 days: not every weekday has been seen."],
  ["some_undecided", { undecided: ["womens"], units_left: 26_687, days_left: 9.1, findable_lift: 0.21 }, "Yes, but: Women’s email is not decided. 26,687 customers per pair are left in the plan, about 10 days at the present pace. A lift of 21% can still be found by then."],
  ["plan_used_up", {}, "Yes, plan used up: An effect of the planned size would have shown with a chance of 80%. Going on is allowed and stays valid."],
  ["may", { units_left: 26_687, days_left: null }, "You may, but: Nothing is decided. 26,687 customers per pair are left in the plan."],
  ["not_yet", {}, "Not yet: There is too little to say anything."],
])("stop: %s", (code, args, wanted) => expect(answers({ stop: { code, arguments: args } })["Can I stop?"]).toBe(wanted));

const CUT = "1,248,127 looks, 4 of 4 partitions, complete to 18:42:06 UTC.";
test.each<[Verdict["why"]["code"], object, number, string]>([
  ["wait", { partition: 7, age_ms: 12_000 }, 12_000, `Wait 12 s: Partition 7 holds the cut. ${CUT}`],
  ["complete", {}, 252_000, `Wait 4 min 12 s: No newer look has come. ${CUT}`],
  ["approximate", { share: 0.042 }, 0, `Approximate: 4.2% of the customers are still inside their windows. ${CUT}`],
  ["with_care", { reason: "rejected", share: 0.0042 }, 0, `With care: 0.42% of the events were rejected. ${CUT}`],
  ["with_care", { reason: "crossed", share: 0.0062 }, 0, `With care: 0.62% were seen in several arms. ${CUT}`],
  ["provisional", {}, 0, "Not one cut: Newest of each partition. Not for deciding."],
])("why: %s", (code, args, age, wanted) => expect(answers({ why: { code, arguments: args } }, age)["Why believe it?"]).toBe(wanted));
