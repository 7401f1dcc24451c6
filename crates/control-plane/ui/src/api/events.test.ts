import { expect, test } from "vitest";
import { EventParser } from "./events";

const WIRE = 'retry: 1000\n\n: comment\nid: 2026-11-23T18:42:06Z\nevent: result\ndata: {"a":\ndata: 1}\n\nevent: beat\ndata: {}\n\nevent: empty\n\n';
const WANTED = [
  { id: "2026-11-23T18:42:06Z", event: "result", data: '{"a":\n1}' },
  { id: "2026-11-23T18:42:06Z", event: "beat", data: "{}" },
];

test("events come out the same however their bytes are cut", () => {
  for (const wire of [WIRE, WIRE.replaceAll("\n", "\r\n")]) {
    for (let size = 1; size <= wire.length; size += 1) {
      const parser = new EventParser();
      const events = [];
      for (let from = 0; from < wire.length; from += size) events.push(...parser.push(wire.slice(from, from + size)));
      expect(events).toEqual(WANTED);
    }
  }
});
