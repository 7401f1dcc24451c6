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
import { rowHealth, rowPill, rowSentence } from "./rows";
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

test("of every row", () => {
  for (const row of [...list.experiments, ...fewRows.experiments] as unknown as Row[]) {
    const sentence = textOf(rowSentence(row, 800, list.look, null));
    for (const text of [sentence, rowPill(row, 800).text, rowHealth(row).text]) expect(text).not.toMatch(BAD);
    expect(sentence.length).toBeLessThanOrEqual(120);
  }
});

test("rows say what needs attention in these words", () => {
  const said = (fewRows.experiments as unknown as Row[]).map((row) => `${row.experiment}: ${textOf(rowSentence(row, 800, fewRows.look, null))}`);
  expect(said).toEqual([
    "search-ranker-q4: Stopped by its guardrail. Page errors +93%.",
    "checkout-v3: No verdict: the split is off among device mobile, 50,000 against 43,370 where equal numbers were planned.",
    "push-digest: No single effect fits the whole run.",
    "hillstrom: Better, clear of minimum (mens). Womens: better, may be small.",
    "signup-short-form: Better, may be small: sign-ups up by at least 2.9%.",
    "cookie-cats: Worse: 7-day return down by at least 0.2%.",
    "help-centre-answers: No difference that matters: the whole interval lies inside ±5%.",
    "recs-carousel: No difference shown yet. The lift lies between −4.1% and +11.6%.",
    "red-button-v2: No difference shown yet. The lift has no limit yet.",
    "onboarding-video: Waiting for data: 31 of 50 customers in the smaller arm.",
    "price-page-copy: Not started.",
    "banner-2025: Worse: purchase rate down by at least 1.20%.",
  ]);
});
