// What the engine really answers has words everywhere: no code is unknown, no number is missing, no row is too long.

import { expect, test } from "vitest";
import list from "../../fixtures/list.json";
import results from "../../fixtures/results.json";
import fewRows from "../../tests/fixtures/list.json";
import type { Results, Row } from "../api/types";
import { compare } from "../model";
import { answersOf } from "./answers";
import { checksOf } from "./checks";
import { textOf } from "./part";
import { pillOf } from "./pills";
import { rowPill, rowSentence } from "./rows";
import { tell } from "./state";

const BAD = /undefined|NaN|null|\[object/;

test("of every experiment", () => {
  const look = results as unknown as Results;
  expect(look.experiments.length).toBeGreaterThan(0);
  for (const experiment of look.experiments) {
    const told = tell(experiment, { look: look.look, logTime: look.freshness.log_time, ageMs: 0, heldBy: null });
    const pills = experiment.metrics.flatMap((metric) => compare(experiment, metric).map((it) => pillOf(it).text));
    const answers = answersOf(experiment, look, 0).map((it) => `${it.word}: ${it.why}`);
    const checks = checksOf(experiment, look).map((it) => `${it.name}: ${it.result}. ${it.detail}`);
    for (const text of [told.pill.text, textOf(told.sentence), ...told.caveats, ...pills, ...answers, ...checks]) {
      expect(text).not.toMatch(BAD);
      expect(text.length).toBeGreaterThan(0);
    }
  }
});

test("checks stand in the order of questions, and lead to the rows", () => {
  const look = results as unknown as Results;
  const [experiment] = look.experiments;
  if (!experiment) throw new Error("there is an experiment");
  const outside = { name: "Outside", state: "none", result: "1 exposure", detail: "Before the start." } as const;
  const told = { ...experiment, said: { ...experiment.said, checks: [...experiment.said.checks, outside] } };
  expect(checksOf(told, look).map((it) => it.name)).toEqual(["Split", "Balance", "Crossed", "Assignment", "Duplicates", "Rejected", "Unattributed", "Outside"]);
  expect(checksOf(told, look).filter((it) => it.link).map((it) => [it.name, it.link?.to])).toEqual([["Rejected", "/status/dead-letters"]]);
});

test("of every row", () => {
  for (const row of [...list.experiments, ...fewRows.experiments] as unknown as Row[]) {
    const sentence = textOf(rowSentence(row, 800, list.look, null));
    for (const text of [sentence, rowPill(row, 800).text, row.said.health]) expect(text).not.toMatch(BAD);
    expect(sentence.length).toBeLessThanOrEqual(120);
  }
});

test("what is old is said before anything but harm", () => {
  const rows = fewRows.experiments as unknown as Row[];
  const said = (at: number, ageMs: number) => textOf(rowSentence(rows[at] as Row, ageMs, fewRows.look, 2));
  const old = "Numbers are from 18:42:06 UTC. Partition 2 has closed no look since.";
  expect([said(0, 60_000), said(3, 60_000), said(10, 60_000)]).toEqual(["Stopped by its guardrail. Page errors +93%.", old, "Not started."]);
  expect(said(3, 800)).toBe("Better, clear of minimum (mens). Womens: better, may be small.");
});
