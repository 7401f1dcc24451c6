// A row of the list in words: its pill, and what the server says of it unless the numbers are old.

import type { Row } from "../api/types";
import { age, clock } from "../times";
import { freshnessOf } from "../freshness";
import { type Part, say } from "./part";
import type { Pilled } from "./pills";

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

/** Harm and a broken split are said however old they are. */
export function rowSentence(row: Row, ageMs: number, logTime: string, heldBy: number | null): Part[] {
  const { verdict } = row;
  const calm = verdict && verdict.safe.code !== "no" && verdict.code !== "blocked";
  if (!calm || freshnessOf(ageMs) !== "stale") return row.said.sentence;
  return [say(`Numbers are from ${clock(logTime)} UTC. ${heldBy === null ? "No partition has closed a" : `Partition ${heldBy} has closed no`} look since.`)];
}
