// The words on the page, held still: numbers in the sentence change at most every 10 s, the wording as soon as a code does.

import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { announce } from "../../announce";
import type { Experiment, ExperimentLog, LogEntry, Results } from "../../api/types";
import { textOf } from "../../words/part";
import { tell, type Told } from "../../words/state";

const HOLD_MS = 10_000;

export interface Held extends Told {
  /** Whether the wording changed while the page was open. */
  changed: boolean;
}

export function useTold(experiment: Experiment, results: Results, ageMs: number, log: ExperimentLog | null): Held {
  const { since, by } = lastChange(experiment, (log?.entries ?? []) as LogEntry[]);
  const { freshness } = results;
  const now = tell(experiment, { look: results.look, logTime: freshness.log_time, ageMs, heldBy: freshness.held_by ?? null, since, by });
  const held = useRef<{ told: Told; at: number; changed: boolean; look: string } | null>(null);
  const redraw = useSignal(0);
  void redraw.value;
  const before = held.current;
  const sinceMs = before ? performance.now() - before.at : Number.POSITIVE_INFINITY;
  // Going to another look is not news: everything changes at once.
  const jumped = before !== null && Math.abs(Date.parse(results.look) - Date.parse(before.look)) > 60_000;
  if (!before || jumped || before.told.code !== now.code || sinceMs >= HOLD_MS) {
    const changed = before !== null && !jumped && (before.changed || before.told.code !== now.code);
    held.current = { told: now, at: performance.now(), changed, look: results.look };
  } else {
    before.told = { ...before.told, pill: now.pill };
  }
  useEffect(() => {
    const timer = setTimeout(() => redraw.value++, HOLD_MS);
    return () => clearTimeout(timer);
  }, [results]);
  const { told, changed } = held.current ?? { told: now, changed: false };
  useEffect(() => {
    if (changed) announce(`${told.pill.text}. ${textOf(told.sentence)}`);
  }, [told.code]);
  return { ...told, changed };
}

/** Since when it has the status it has. */
function lastChange(experiment: Experiment, entries: LogEntry[]): { since: string | null; by: string | null } {
  if (experiment.status !== "paused" && experiment.status !== "stopped") return { since: null, by: null };
  const versions = entries.filter((it) => it.kind === "version" && it.status !== undefined);
  const first = versions.findLastIndex((it) => it.status !== experiment.status) + 1;
  const entry = versions[first];
  return { since: entry?.at ?? null, by: entry?.actor || null };
}
