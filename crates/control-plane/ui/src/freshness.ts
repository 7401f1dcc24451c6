// How old the numbers on the page are. The age is the server's, plus what has passed here since it said so; no clock is compared with another.

import { computed, signal } from "@preact/signals";
import type { Connection } from "./live";
import { age, clock, moment } from "./times";

export interface Shown {
  /** Log time up to which the numbers go. */
  logTime: string | null;
  ageMs: number;
  /** `performance.now()` when the age was said. */
  saidAt: number;
  heldBy: number | null;
  /** A look that the reader has chosen and that does not move. */
  frozen: string | null;
}

export const shown = signal<Shown | null>(null);
export const connection = signal<Connection | null>(null);
/** Ticks while somebody looks. */
export const tick = signal(performance.now());

export type Freshness = "live" | "delayed" | "stale";
const LIVE_MS = 5_000;
const DELAYED_MS = 30_000;

export function freshnessOf(ageMs: number): Freshness {
  if (ageMs <= LIVE_MS) return "live";
  return ageMs <= DELAYED_MS ? "delayed" : "stale";
}

export const ageNow = computed(() => {
  const it = shown.value;
  return it === null ? null : it.ageMs + Math.max(0, tick.value - it.saidAt);
});

export interface Words {
  tone: "live" | "warn" | "plain";
  strong: string;
  /** What follows after a dot; `brief` leaves it out on phones. */
  rest: string;
  /** Whether newer, provisional numbers may be asked for. */
  offer: boolean;
}

/** What the top bar says. */
export function freshnessWords(it: Shown | null, ageMs: number | null, link: Connection | null): Words | null {
  if (it?.frozen) return { tone: "plain", strong: `Look of ${moment(it.frozen, true)} UTC`, rest: "", offer: false };
  if (link?.state === "waiting") {
    const from = it?.logTime ? `numbers are from ${clock(it.logTime)} UTC · ` : "";
    return { tone: "warn", strong: "Not connected", rest: `${from}trying again in ${link.seconds} s`, offer: false };
  }
  if (it === null || ageMs === null) return null;
  const state = freshnessOf(ageMs);
  if (state === "live") return { tone: "live", strong: "Live", rest: `data to ${clock(it.logTime)} UTC`, offer: false };
  const who = it.heldBy === null ? `data to ${clock(it.logTime)} UTC` : `waiting for partition ${it.heldBy}`;
  return { tone: "warn", strong: `${state === "delayed" ? "Delayed" : "Stale"} ${age(ageMs)}`, rest: who, offer: true };
}

const TICK_MS = 1000;

export function startTicking(): void {
  setInterval(() => {
    if (!document.hidden) tick.value = performance.now();
  }, TICK_MS);
}
