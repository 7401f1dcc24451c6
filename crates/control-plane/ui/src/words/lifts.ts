// Lifts inside sentences: with the decimals that their interval is worth.

import type { AlwaysValid } from "../api/types";
import { decimalsOfGroup, lift, range } from "../numbers";

export const liftDecimals = (tests: { lift_low: number | null; lift_high: number | null }[]): number =>
  decimalsOfGroup(tests.map((it) => [it.lift_low, it.lift_high]), 100);

/** Without sign: the verb says which way. */
export const size = (value: number, decimals: number): string => lift(Math.abs(value), decimals, false);

export function interval(test: Pick<AlwaysValid, "lift_low" | "lift_high" | "lift_shape">, decimals: number): string {
  return range(test.lift_low, test.lift_high, test.lift_shape, (value) => lift(value, decimals));
}

/** "The lift lies between −4.1% and +11.6%.", and what there is to say of intervals that have not two ends. */
export function lies(test: Pick<AlwaysValid, "lift_low" | "lift_high" | "lift_shape">, decimals: number, subject = "The lift"): string {
  const { lift_low: low, lift_high: high, lift_shape: shape } = test;
  const of = (value: number) => lift(value, decimals);
  if (low === null && high === null) return `${subject} has no limit yet.`;
  if (shape === "exclusive") return `${subject} is ${interval(test, decimals)}.`;
  if (low === null) return `${subject} is at most ${of(high ?? 0)}.`;
  if (high === null) return `${subject} is at least ${of(low)}.`;
  return `${subject} lies between ${of(low)} and ${of(high)}.`;
}

/** A minimum or a margin is written as people gave it: 20%, 2.5%. */
export function minimumText(minimum: number): string {
  const share = Math.abs(minimum) * 100;
  const decimals = [0, 1, 2].find((it) => Math.abs(share - Number(share.toFixed(it))) < 1e-9) ?? 3;
  return size(minimum, decimals);
}
