// Lifts beside sentences: with the decimals that their interval is worth.

import { decimalsOfGroup, lift } from "../numbers";

export const liftDecimals = (tests: { lift_low: number | null; lift_high: number | null }[]): number =>
  decimalsOfGroup(tests.map((it) => [it.lift_low, it.lift_high]), 100);

/** A minimum or a margin is written as people gave it: 20%, 2.5%. */
export function minimumText(minimum: number): string {
  const share = Math.abs(minimum) * 100;
  const decimals = [0, 1, 2].find((it) => Math.abs(share - Number(share.toFixed(it))) < 1e-9) ?? 3;
  return lift(Math.abs(minimum), decimals, false);
}
