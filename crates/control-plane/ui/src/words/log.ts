// An entry of an experiment's log in words.

import type { Arguments, Experiment, LogEntry } from "../api/types";
import { armName } from "../model";
import { count, lift } from "../numbers";
import { inner, joined, units } from "./part";

export interface EntryWords {
  strong: string;
  text: string;
}

export function entryWords(experiment: Experiment, entry: LogEntry): EntryWords {
  switch (entry.kind) {
    case "decision":
      return decision(experiment, entry);
    case "alarm":
      return alarm(entry);
    case "version":
      return version(entry);
  }
}

function decision(experiment: Experiment, entry: LogEntry): EntryWords {
  const metric = experiment.metrics.find((it) => it.metric === entry.metric);
  const value = typeof entry.lift === "number" ? entry.lift : null;
  const good = value === null || !metric ? null : (value > 0) === (metric.direction === "increase");
  const word = good === null ? "decided" : good ? "better" : "worse";
  const at = typeof entry.units === "number" ? ` at ${count(entry.units)} ${units(experiment.unit_name)}` : "";
  return { strong: `${armName(experiment, String(entry.variant))}: ${inner(metric?.name ?? String(entry.metric))} ${word}`, text: `${at}${value === null ? "" : `, ${lift(value, 0)}`}` };
}

const ALARMS: Record<string, string> = {
  srm: "Split off",
  srm_segment: "Split off in a segment",
  simpson: "Arms have different mixtures",
  guardrail_harm: "A guardrail shows harm",
  harm: "A guardrail shows harm",
  drift: "Effect is changing",
  misbucketed: "Variants shown that the hash does not give",
  rejected: "Many events rejected",
  late: "Many events too late",
  crossed: "Many units in several arms",
  stale: "No look closes",
};

const alarmName = (code: string): string => ALARMS[code] ?? code.replaceAll("_", " ");

function alarm(entry: LogEntry): EntryWords {
  const name = alarmName(String(entry.code));
  const args = (entry.arguments ?? {}) as Arguments;
  const where = [args.attribute && `${args.attribute}${args.value ? ` ${args.value}` : ""}`, args.metric && inner(args.metric), args.reason?.replaceAll("_", " ")].filter(Boolean).join(", ");
  return { strong: entry.state === "cleared" ? "" : name, text: `${entry.state === "cleared" ? `Over: ${inner(name)}` : ""}${where ? ` (${where})` : ""}` };
}

function version(entry: LogEntry): EntryWords {
  const changed = Array.isArray(entry.changed) ? entry.changed.map(String) : [];
  const number = `version ${entry.config_version ?? "?"}`;
  if (changed.length === 0) return { strong: "", text: `Defined, ${number}, ${entry.status ?? ""}` };
  if (changed.includes("status")) {
    const others = changed.filter((it) => it !== "status");
    return { strong: String(entry.status ?? "").replace(/^./, (letter) => letter.toUpperCase()), text: `${others.length > 0 ? `, and ${joined(others)} changed` : ""}: ${number}` };
  }
  return { strong: "", text: `${joined(changed).replace(/^./, (letter) => letter.toUpperCase())} changed: ${number}` };
}
