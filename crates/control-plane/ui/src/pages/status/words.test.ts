import { expect, test } from "vitest";
import type { StatusPartition } from "../../api/schema";
import { bytes, configWords, edgesWords, inOrder, lookWords, milliseconds, outcome, perSecond, sinkWords } from "./words";

test.each([
  [0, "0 bytes"],
  [999, "999 bytes"],
  [1_000, "1.00 kB"],
  [38_973_521_920, "39.0 GB"],
  [999_999_999, "1.00 GB"],
])("sizes: %d", (value, text) => expect(bytes(value)).toBe(text));

test.each([
  [0, "0/s"],
  [0.001, "<0.01/s"],
  [0.123, "0.12/s"],
  [7.19, "7.2/s"],
  [12_345.6, "12,346/s"],
])("rates: %d", (value, text) => expect(perSecond(value)).toBe(text));

test("times", () => expect([milliseconds(640), milliseconds(1_700), milliseconds(61_000)]).toEqual(["0.64 s", "1.7 s", "1 min 1 s"]));

test("what became of events", () => expect([outcome("accepted"), outcome("late"), outcome("wrong_partition")]).toEqual(["Accepted", "Too late", "wrong partition"]));

test("what waits for a sink", () => {
  const sink = { name: "ClickHouse", waiting_chunks: 0, waiting_bytes: 0, waiting_bytes_max: 2_000_000, in_flight: 0, why: null };
  expect(sinkWords(sink)).toBe("Nothing waits.");
  expect(sinkWords({ ...sink, waiting_chunks: 12, waiting_bytes: 500_000, why: "connection refused" })).toBe("12 chunks wait, 500 kB of 2.00 MB (25.0%): connection refused");
  expect(sinkWords({ ...sink, waiting_bytes_max: null, why: "results are not written any more" })).toBe("results are not written any more");
});

test("who holds the cut", () => {
  const look = { at: "2026-11-23T18:42:06Z", age_ms: 12_000, state: "delayed" as const, held_by: 7, versions_differ: false };
  expect(lookWords(null)).toBe("No look is closed yet.");
  expect(lookWords({ ...look, state: "live" })).toBe("No partition holds it back.");
  expect(lookWords(look)).toBe("Partition 7 holds it back by 12 s.");
  expect(lookWords({ ...look, versions_differ: true })).toBe("Partition 7 holds it back by 12 s until it has the version of the definitions that others have.");
});

test("definitions and edges", () => {
  expect(configWords({ version: 3, partitions: 64, files: null }, 64)).toBe("All 64 partitions have it.");
  expect(configWords({ version: 3, partitions: 60, files: { fine: true, says: "fine" } }, 64)).toBe("Being published: 60 of 64 partitions have it.");
  expect(configWords({ version: 0, partitions: 4, files: null }, 4)).toBe("Nothing is published yet.");
  const files = { fine: false, says: "a.yaml:3:1: no such key; version 3 stays in force" };
  expect(configWords({ version: 3, partitions: 64, files }, 64)).toBe("The files say something else, which is wrong: a.yaml:3:1: no such key; version 3 stays in force.");
  expect([edgesWords(null), edgesWords([])]).toEqual(["Edges do not report to this process.", "None was heard of."]);
  const of = (state: "behind" | "current") => ({ id: "web-1", version: 3, seen: "2026-11-24T12:00:00Z", state });
  expect(edgesWords([of("current")])).toBe("1 known.");
  expect(edgesWords([of("behind"), of("current")])).toBe("2 known, 1 behind.");
});

test("what needs attention comes first", () => {
  const of = (partition: number, state: StatusPartition["state"], holds_cut = false) => ({ partition, state, holds_cut }) as StatusPartition;
  const order = inOrder([of(0, "live"), of(1, "catching_up"), of(2, "live", true), of(3, "halted"), of(4, "paused")]);
  expect(order.map((it) => it.partition)).toEqual([3, 4, 1, 2, 0]);
});
