// The status in words. Pure, so that tables can test them.

import type { Status, StatusPartition, StatusSink } from "../../api/schema";
import { count, percent } from "../../numbers";
import type { IconName } from "../../parts/Icon";
import type { Tone } from "../../parts/Pill";
import { age } from "../../times";

export const LEVELS: Record<Status["level"], { tone: Tone; icon: IconName; word: string }> = {
  fine: { tone: "better", icon: "ok", word: "Fine" },
  warning: { tone: "warn", icon: "clock", word: "Look" },
  alarm: { tone: "alarm", icon: "warn", word: "Act" },
};

export const STATES: Record<StatusPartition["state"], { tone: Tone; icon: IconName; word: string }> = {
  live: { tone: "plain", icon: "ok", word: "Live" },
  starting: { tone: "warn", icon: "clock", word: "Starting" },
  catching_up: { tone: "warn", icon: "clock", word: "Catching up" },
  paused: { tone: "alarm", icon: "pause", word: "Paused" },
  halted: { tone: "alarm", icon: "stop", word: "Halted" },
  frozen: { tone: "alarm", icon: "warn", word: "Frozen" },
};

const SIZES = ["bytes", "kB", "MB", "GB", "TB", "PB"];

/** 38.9 GB */
export function bytes(value: number): string {
  let at = 0;
  let size = value;
  while (size >= 999.5 && at < SIZES.length - 1) {
    size /= 1000;
    at += 1;
  }
  return `${at === 0 ? count(size) : size.toPrecision(3)} ${SIZES[at]}`;
}

/** 1,240/s; small rates by their digits. */
export function perSecond(value: number): string {
  if (value === 0) return "0/s";
  if (value >= 100) return `${count(value)}/s`;
  return value < 0.01 ? "<0.01/s" : `${Number(value.toPrecision(2))}/s`;
}

export function milliseconds(value: number): string {
  return value < 9_950 ? `${(value / 1000).toFixed(value < 995 ? 2 : 1)} s` : age(value);
}

/** What became of events, as people say it. */
const OUTCOMES: Record<string, string> = {
  accepted: "Accepted",
  duplicate: "Seen before",
  late: "Too late",
  future: "From the future",
  invalid: "Cannot be read",
  unknown_experiment: "Unknown experiment",
  rejected: "Refused for another reason",
  control: "The log's own records",
};

export const outcome = (name: string): string => OUTCOMES[name] ?? name.replaceAll("_", " ");

export function sinkWords(sink: StatusSink): string {
  if (sink.waiting_chunks === 0) return sink.why ?? "Nothing waits.";
  const bound = sink.waiting_bytes_max === null ? "" : ` of ${bytes(sink.waiting_bytes_max)} (${percent(sink.waiting_bytes / sink.waiting_bytes_max, 1)})`;
  return `${count(sink.waiting_chunks)} chunks wait, ${bytes(sink.waiting_bytes)}${bound}${sink.why ? `: ${sink.why}` : ""}`;
}

export function lookWords(look: Status["look"]): string {
  if (look === null) return "No look is closed yet.";
  if (look.held_by === null || look.state === "live") return "No partition holds it back.";
  const versions = look.versions_differ ? " until it has the version of the definitions that others have" : "";
  return `Partition ${look.held_by} holds it back by ${age(look.age_ms)}${versions}.`;
}

export function configWords(config: Status["config"], partitions: number): string {
  if (config.files && !config.files.fine) return `The files say something else, which is wrong: ${config.files.says}.`;
  if (partitions === 0) return "No partition is processed here.";
  if (config.version === 0) return "Nothing is published yet.";
  if (config.partitions === partitions) return `All ${partitions} partitions have it.`;
  return `Being published: ${config.partitions} of ${partitions} partitions have it.`;
}

export function edgesWords(edges: Status["edges"]): string {
  if (edges === null) return "Edges do not report to this process.";
  const behind = edges.filter((it) => it.state === "behind").length;
  return edges.length === 0 ? "None was heard of." : `${count(edges.length)} known${behind > 0 ? `, ${count(behind)} behind` : ""}.`;
}

/** The partitions that need attention first, then by number. */
export function inOrder(partitions: StatusPartition[]): StatusPartition[] {
  const rank = { halted: 0, frozen: 1, paused: 2, starting: 3, catching_up: 4, live: 5 };
  return [...partitions].sort((a, b) => rank[a.state] - rank[b.state] || Number(b.holds_cut) - Number(a.holds_cut) || a.partition - b.partition);
}
