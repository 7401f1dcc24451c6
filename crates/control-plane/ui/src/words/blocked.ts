// Why there is no verdict: the split, or a mixture that contradicts itself.

import type { Experiment } from "../api/types";
import { armName } from "../model";
import { count, difference } from "../numbers";
import { type Part, joined, say, strong } from "./part";

export type Block = Experiment["verdict"]["blocked_by"][number];

export function blockedSentence(experiment: Experiment, block: Block): Part[] {
  const { attribute, value, counts, expected } = block.arguments;
  if (block.code === "simpson") {
    const [inside, total] = [block.arguments.stratified ?? 0, block.arguments.total ?? 0];
    const way = (effect: number) => `${effect > 0 ? "up" : "down"} (${difference(effect, unitOf(experiment, block), 2)})`;
    return [strong(`No verdict: every ${attribute ?? "segment"} says ${way(inside)}, the total says ${way(total)}`), say(", because the arms have different mixtures.")];
  }
  const where = block.code === "srm_segment" && attribute ? ` among ${attribute} ${value ?? ""}`.trimEnd() : "";
  const seen = counts ? `, ${splitText(experiment, counts)}` : "";
  const plan = counts && expected ? ` where ${planText(experiment, counts, expected)} were planned` : "";
  return [strong(`No verdict: the split is off${where}`), say(`${seen}${plan}.`)];
}

const unitOf = (experiment: Experiment, block: Block) => experiment.metrics.find((it) => it.metric === block.arguments.metric)?.unit ?? "value";

const inOrder = (experiment: Experiment, values: Record<string, unknown>) => experiment.variants.filter((it) => it.variant in values).map((it) => it.variant);

function splitText(experiment: Experiment, counts: Record<string, number>): string {
  const names = inOrder(experiment, counts);
  return names.length === 2 ? names.map((it) => count(counts[it] ?? 0)).join(" against ") : joined(names.map((it) => `${armName(experiment, it)} ${count(counts[it] ?? 0)}`));
}

function planText(experiment: Experiment, counts: Record<string, number>, expected: Record<string, number | null>): string {
  const names = inOrder(experiment, counts);
  const shares = names.map((it) => expected[it] ?? 0);
  if (shares.every((share) => Math.abs(share - (shares[0] ?? 0)) < 1e-9)) return "equal numbers";
  const total = names.reduce((sum, it) => sum + (counts[it] ?? 0), 0);
  const numbers = shares.map((share) => count(Math.round(share * total)));
  return names.length === 2 ? numbers.join(" against ") : joined(numbers);
}

/** For lists: what is off, in a few words. */
export function blockedShort(block: Block): string {
  if (block.code === "simpson") return `Mixtures differ: ${block.arguments.attribute ?? "segments"}`;
  return block.code === "srm_segment" ? `Split off: ${block.arguments.attribute ?? "a segment"}` : "Split off";
}
