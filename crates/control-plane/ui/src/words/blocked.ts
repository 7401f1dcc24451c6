// Why there is no verdict, in a few words.

import type { Experiment } from "../api/types";

export type Block = Experiment["verdict"]["blocked_by"][number];

export function blockedShort(block: Block): string {
  if (block.code === "simpson") return `Mixtures differ: ${block.arguments.attribute ?? "segments"}`;
  return block.code === "srm_segment" ? `Split off: ${block.arguments.attribute ?? "a segment"}` : "Split off";
}
