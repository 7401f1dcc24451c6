// A row of the list in words: its pill, its sentence of at most 120 characters, its health.

import type { Row } from "../api/types";
import { lift } from "../numbers";
import { age, clock, moment } from "../times";
import { freshnessOf } from "../freshness";
import { blockedSentence, blockedShort } from "./blocked";
import { lies, liftDecimals, minimumText, size } from "./lifts";
import { alarmName } from "./log";
import { type Part, inner, joined, say, strong, textOf, units } from "./part";
import type { Pilled } from "./pills";

/** What a row may say at most. */
const LENGTH_MAX = 120;

export function rowPill(row: Row, ageMs: number): Pilled {
  if (row.status === "draft") return { tone: "plain", icon: "draft", text: "Draft" };
  if (row.status === "stopped") return { tone: "", icon: "stop", text: "Stopped" };
  if (row.verdict?.safe.code === "no") return { tone: "alarm", icon: "stop", text: row.status === "paused" ? "Killed" : "Harm shown" };
  if (row.verdict?.code === "blocked") return { tone: "alarm", icon: "warn", text: "Blocked" };
  if (freshnessOf(ageMs) === "stale") return { tone: "warn", icon: "clock", text: `Stale ${age(ageMs)}` };
  if (row.status === "paused") return { tone: "", icon: "pause", text: "Paused" };
  if (row.verdict?.code === "drift") return { tone: "warn", icon: "warn", text: "Effect is changing" };
  return { tone: "", icon: "run", text: "Running" };
}

export function rowSentence(row: Row, ageMs: number, logTime: string, heldBy: number | null): Part[] {
  return short(first(row, ageMs, logTime, heldBy));
}

function first(row: Row, ageMs: number, logTime: string, heldBy: number | null): Part[] {
  const { verdict } = row;
  if (row.status === "draft" || !verdict) return [say("Not started.")];
  if (verdict.safe.code === "no") return harm(row);
  if (verdict.code === "blocked") return blocked(row);
  if (freshnessOf(ageMs) === "stale") return [say(`Numbers are from ${clock(logTime)} UTC. ${heldBy === null ? "No partition" : `Partition ${heldBy}`} has closed ${heldBy === null ? "a" : "no"} look since.`)];
  return verdictWords(row);
}

function harm(row: Row): Part[] {
  const args = row.verdict?.safe.arguments;
  const paused = row.status === "paused" ? "Stopped by its guardrail." : "A guardrail shows harm.";
  const by = args?.lift == null ? "" : ` ${lift(args.lift, 0)}`;
  return [strong(paused), say(args?.metric ? ` ${inner(args.metric.replaceAll("_", " ")).replace(/^./, (letter) => letter.toUpperCase())}${by}.` : "")];
}

function blocked(row: Row): Part[] {
  const block = row.verdict?.blocked_by[0];
  if (!block) return [strong("No verdict.")];
  const arms = Object.keys(block.arguments.counts ?? {}).map((variant) => ({ variant, name: variant, control: false, weight: 1 }));
  return blockedSentence({ variants: arms, metrics: [] } as unknown as Parameters<typeof blockedSentence>[0], block);
}

const WORDS: Record<string, string> = {
  better: "Better, clear of minimum",
  better_may_be_small: "Better, may be small",
  worse: "Worse",
  no_difference: "No difference that matters",
  not_shown: "no difference shown yet",
  waiting: "waiting for data",
  drift: "effect is changing",
  degenerate: "nothing to compare",
};

function verdictWords(row: Row): Part[] {
  const { verdict, primary } = row;
  if (!verdict) return [];
  const several = verdict.arms.length > 1;
  const args = verdict.arms.find((it) => it.variant === verdict.variant)?.arguments ?? {};
  const decimals = primary ? liftDecimals([primary]) : 0;
  const others = several ? [...new Set(verdict.arms.filter((it) => it.variant !== verdict.variant).map((it) => `${it.variant}: ${inner(WORDS[it.code] ?? it.code)}`))] : [];
  const rest = others.length > 0 ? say(` ${joined(others).replace(/^./, (letter) => letter.toUpperCase())}.`) : say("");
  const who = several ? ` (${verdict.variant})` : "";
  switch (verdict.code) {
    case "better":
    case "better_may_be_small":
    case "worse": {
      if (args.covers_zero) return [strong(`Decided ${verdict.code === "worse" ? "worse" : "better"}${who}`), say(`${args.decided_at ? ` on ${moment(args.decided_at).slice(0, -6)}` : ""}; today’s interval includes zero again.`), rest];
      const bound = args.bound == null ? "" : `: ${inner(primary?.name ?? "")} ${(args.lift ?? 0) > 0 ? "up" : "down"} by at least ${size(args.bound, decimals)}`;
      const plain = verdict.code === "better" && primary?.minimum_effect === null ? "Better" : (WORDS[verdict.code] ?? "");
      return [strong(`${plain}${who}`), say(several ? "." : `${bound}.`), rest];
    }
    case "no_difference":
      return [strong("No difference that matters:"), say(` the whole interval lies inside ±${minimumText(primary?.minimum_effect ?? 0)}.`)];
    case "waiting":
      return [say(args.have !== undefined && args.need !== undefined && args.of === "units" ? `Waiting for data: ${args.have} of ${args.need} ${units(row.unit_name)} in the smaller arm.` : "Waiting for data.")];
    case "no_data":
      return [say(`No ${units(row.unit_name)} yet.`)];
    case "drift":
      return [strong("No single effect fits the whole run."), rest];
    case "degenerate":
      return [say("Nothing to compare: within each arm every value is the same.")];
    case "before_plan":
      return [say("The verdict comes at the planned size.")];
    case "no_primary":
      return [say("No metric decides.")];
    case "no_method":
      return [say("Its method is not computed yet.")];
    case "unsupported":
      return [say("No interval for this type of metric yet.")];
    default:
      return [say(`No difference shown yet. ${primary && primary.status === "ok" ? lies(primary, decimals) : ""}`.trimEnd()), rest];
  }
}

/** Whole sentences at the end are left out until the rest fits. */
function short(parts: Part[]): Part[] {
  const text = textOf(parts);
  if (text.length <= LENGTH_MAX) return parts;
  const cut = text.slice(0, LENGTH_MAX);
  const end = Math.max(cut.lastIndexOf(". "), cut.lastIndexOf(", "), cut.lastIndexOf("; "));
  let left = end > 40 ? end : LENGTH_MAX - 1;
  const out: Part[] = [];
  for (const part of parts) {
    if (left <= 0) break;
    out.push({ ...part, text: part.text.slice(0, left) });
    left -= part.text.length;
  }
  const last = out[out.length - 1];
  if (last) last.text = `${last.text.replace(/[\s.,;]+$/, "")}${end > 40 ? "." : "…"}`;
  return out;
}

export interface RowHealth {
  tone: "good" | "warn" | "alarm" | "none";
  text: string;
}

export function rowHealth(row: Row): RowHealth {
  if (row.status === "draft" || !row.verdict) return { tone: "none", text: "–" };
  const block = row.verdict.blocked_by[0];
  if (block) return { tone: "alarm", text: blockedShort(block) };
  if (row.verdict.safe.code === "no") return { tone: "alarm", text: "Guardrail: harm shown" };
  const alarm = row.alarms?.[0];
  if (alarm) return { tone: "warn", text: alarmName(alarm) };
  const why = row.verdict.why;
  if (why.code === "with_care") return { tone: "warn", text: `Many ${why.arguments.reason ?? "rejected"}` };
  return { tone: "good", text: "All clear" };
}
