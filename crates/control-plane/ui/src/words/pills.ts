// One comparison in two or three words, for its row: the server's words, with an icon.

import type { Comparison } from "../model";
import type { IconName } from "../parts/Icon";
import type { Tone } from "../parts/Pill";

export interface Pilled {
  tone: Tone;
  icon: IconName;
  text: string;
}

const ICONS: Partial<Record<Comparison["code"], IconName>> = { better: "up", better_may_be_small: "up", worse: "down", worse_within_margin: "down", safe: "shield", waiting: "clock", before_plan: "clock", not_known: "clock" };
const GRAVE: Partial<Record<Tone, IconName>> = { warn: "warn", alarm: "warn" };

export function pillOf(it: Comparison): Pilled {
  // Looks that were kept by an earlier build have no words.
  const { text, tone = "" } = it.arm.verdict?.said ?? { text: it.code.replaceAll("_", " ") };
  const icon = it.args.covers_zero ? "clock" : (GRAVE[tone] ?? ICONS[it.code] ?? "flat");
  return { tone, icon, text };
}
