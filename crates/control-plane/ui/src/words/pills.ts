// One comparison in two or three words, for its row.

import { type Comparison, directionOf } from "../model";
import type { IconName } from "../parts/Icon";
import type { Tone } from "../parts/Pill";
import { minimumText } from "./lifts";

export interface Pilled {
  tone: Tone;
  icon: IconName;
  text: string;
}

const quiet = (text: string, icon: IconName = "flat"): Pilled => ({ tone: "", icon, text });

export function pillOf(it: Comparison): Pilled {
  if (it.args.covers_zero) return { tone: "warn", icon: "clock", text: `Decided ${directionOf(it.code) ?? "better"}, zero inside again` };
  const margin = minimumText(it.args.margin ?? it.metric.margin ?? 0);
  switch (it.code) {
    case "better":
      return { tone: "better", icon: "up", text: it.metric.minimum_effect === null ? "Better" : "Better, clear of minimum" };
    case "better_may_be_small":
      return { tone: "better", icon: "up", text: "Better, may be small" };
    case "worse":
      return { tone: "worse", icon: "down", text: "Worse" };
    case "no_difference":
      return quiet("No difference that matters");
    case "not_shown":
      return quiet(it.args.excludes_zero_before_correction ? "Not shown yet" : "No difference shown yet");
    case "drift":
      return { tone: "warn", icon: "warn", text: "Effect is changing" };
    case "waiting":
      return quiet("Waiting for data", "clock");
    case "degenerate":
      return quiet("Nothing to compare");
    case "blocked":
      return { tone: "alarm", icon: "warn", text: "No verdict" };
    case "unsupported":
      return quiet("No interval for this type");
    case "before_plan":
      return quiet("Comes at the planned end", "clock");
    case "no_method":
      return quiet("Not deciding");
    case "safe":
      return { tone: "better", icon: "shield", text: `Safe: not ${margin} worse` };
    case "harm":
      return { tone: "alarm", icon: "warn", text: "Harm shown" };
    case "worse_within_margin":
      return { tone: "worse", icon: "down", text: `Worse, by less than ${margin}` };
    case "not_known":
      return quiet("Not known yet", "clock");
    case "no_margin":
      return quiet("No margin set");
  }
}
