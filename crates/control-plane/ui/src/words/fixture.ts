// An experiment for tests of words: the Hillstrom results, cut down to what a test is about.

import hillstrom from "../../tests/fixtures/hillstrom.results.json";
import type { Experiment, Results, Verdict } from "../api/types";

export const results = (): Results => structuredClone(hillstrom) as unknown as Results;

export const three = (): Experiment => results().experiments[0] as Experiment;

/** An experiment of which this is said, and this found. */
export function two(sentence: string, verdict: Partial<Verdict>, more: Partial<Experiment> = {}): Experiment {
  const base = three();
  return { ...base, said: { ...base.said, sentence: [{ text: sentence }] }, verdict: { ...base.verdict, arms: [], ...verdict }, ...more };
}
