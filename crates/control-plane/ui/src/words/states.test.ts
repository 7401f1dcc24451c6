// What the page adds to the server's sentence, and its pill, in every state.

import { expect, test } from "vitest";
import type { Experiment } from "../api/types";
import { three, two } from "./fixture";
import { textOf } from "./part";
import { provisionalSentence } from "./provisional";
import { type Situation, tell } from "./state";

const now = (more: Partial<Situation> = {}): Situation => ({ look: "2026-11-23T18:42:06Z", logTime: "2026-11-23T18:42:06.004Z", ageMs: 808, heldBy: null, ...more });
const told = (experiment: Experiment, more: Partial<Situation> = {}) => {
  const it = tell(experiment, now(more));
  return [it.pill.text, textOf(it.sentence)];
};

const LIES = "No difference shown yet. The lift lies between −4.1% and +11.6%.";
const KILLED = "Stopped by its guardrail: sign-ups rose from 0.41% to 0.79%.";
const undecided = (more: Partial<Experiment> = {}, said = LIES) => two(said, { code: "not_shown" }, more);
const paused = undecided({ status: "paused" });
paused.said.sentence.push({ text: " No new customers" }, { text: ". Conversions of those already in still count until their windows end." });
const killed = two(KILLED, { code: "not_shown", safe: { code: "no", arguments: {} } }, { status: "paused" });

test.each<[string, Experiment, Partial<Situation>, [string, string]]>([
  ["draft", undecided({ status: "draft" }, "Not started."), {}, ["Draft", "Not started."]],
  ["running", undecided(), {}, ["Running · day 15", LIES]],
  ["not started", undecided({ started: null }), {}, ["Running", LIES]],
  ["drift", two("No single effect.", { code: "drift" }), {}, ["Effect is changing", "No single effect."]],
  ["blocked", two("No verdict.", { code: "blocked" }), { ageMs: 252_000 }, ["Blocked", "No verdict."]],
  ["killed", killed, { since: "2026-11-23T16:07:31Z" }, ["Killed 16:07", `${KILLED} Nobody new is let in since 23 Nov 16:07:31 UTC.`]],
  ["killed, nobody knows when", killed, {}, ["Killed", KILLED]],
  [
    "paused by a person",
    paused,
    { since: "2026-11-20T11:02:00Z", by: "lena" },
    ["Paused by lena", `${LIES} No new customers since 20 Nov 11:02 UTC. Conversions of those already in still count until their windows end.`],
  ],
  ["paused, nobody knows when", paused, {}, ["Paused", `${LIES} No new customers. Conversions of those already in still count until their windows end.`]],
  ["stale", undecided(), { ageMs: 252_000, heldBy: 7 }, ["Stale 4 min 12 s", `Numbers are from 18:42:06 UTC. Partition 7 has closed no look since. ${LIES}`]],
  ["stopped", undecided({ status: "stopped" }, "Read-out."), { since: "2026-11-23T18:00:00Z", ageMs: 252_000 }, ["Stopped 23 Nov", "Read-out."]],
])("%s", (_, experiment, more, wanted) => expect(told(experiment, more)).toEqual(wanted));

test("a decision whose interval covers zero again is said in amber, and is another code", () => {
  const back = three();
  Object.assign(back.verdict.arms[0]?.arguments ?? {}, { covers_zero: true });
  const [then, today] = [tell(three(), now()), tell(back, now())];
  expect([then.tone, today.tone]).toEqual(["", "warn"]);
  expect(then.code).not.toBe(today.code);
});

test("the server's words are shown as they are", () => {
  const it = tell(three(), now());
  expect([it.sentence, it.caveats]).toEqual([three().said.sentence, three().said.caveats]);
  const { said: _, ...bare } = three();
  expect(textOf(tell(bare as Experiment, now()).sentence)).toBe("This look was kept without its words.");
});

test("provisional numbers say what they are", () => {
  expect(textOf(provisionalSentence(15, 16, 252_000, "2026-11-23T18:37:54Z"))).toBe(
    "Newest of each partition, not one cut. 15 of 16 partitions are ahead of the aligned look by up to 4 min 12 s. Not for deciding: no p, no verdict. The verdict above is of 18:37:54 UTC.",
  );
});
