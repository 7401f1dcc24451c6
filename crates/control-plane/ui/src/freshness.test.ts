import { expect, test } from "vitest";
import { freshnessWords, type Shown } from "./freshness";

const at = (more: Partial<Shown> = {}): Shown => ({ logTime: "2026-11-23T18:42:06.004Z", ageMs: 808, saidAt: 0, heldBy: null, frozen: null, ...more });
const line = (it: Shown, age: number, link: Parameters<typeof freshnessWords>[2] = { state: "open" }) => {
  const words = freshnessWords(it, age, link);
  return words && [words.tone, [words.strong, words.rest].filter(Boolean).join(" · "), words.offer];
};

test.each([
  [at(), 808, { state: "open" }, ["live", "Live · data to 18:42:06 UTC", false]],
  [at({ heldBy: 7 }), 12_400, { state: "open" }, ["warn", "Delayed 12 s · waiting for partition 7", true]],
  [at({ heldBy: 7 }), 252_000, { state: "open" }, ["warn", "Stale 4 min 12 s · waiting for partition 7", true]],
  [at(), 9_000, { state: "waiting", seconds: 4 }, ["warn", "Not connected · numbers are from 18:42:06 UTC · trying again in 4 s", false]],
  [at({ frozen: "2026-11-23T18:42:06Z" }), 9e9, { state: "open" }, ["plain", "Look of 23 Nov 18:42:06 UTC", false]],
] as const)("freshness %#", (it, age, link, wanted) => expect(line(it, age, link)).toEqual(wanted));
