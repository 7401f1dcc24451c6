import { expect, test } from "vitest";
import type { Verification } from "../../api/types";
import { verifyWords } from "./Verify";

const done: Verification = {
  experiment: "shop",
  look: "2026-11-23T18:42:06Z",
  state: "done",
  identical: true,
  share: 1,
  records: 48_213,
  seconds: 0.412,
  build: "assay 0.1.0",
  published_build: "assay 0.1.0",
  offsets: {},
  differs: null,
  detail: null,
  command: "assay replay --json --log local:log",
  server_time: "2026-11-23T18:42:07Z",
};

test.each([
  [{}, "Identical, byte by byte: 48,213 records up to 23 Nov 18:42:06 UTC, replayed in 0.4 s."],
  [{ published_build: "assay 0.0.9" }, "Identical, byte by byte: 48,213 records up to 23 Nov 18:42:06 UTC, replayed in 0.4 s, by assay 0.1.0 instead of assay 0.0.9."],
  [{ identical: false, differs: { path: "experiments[0].exposures", published: "241", replayed: null } }, "Not identical. At experiments[0].exposures was published 241, and the replay has nothing (48,213 records up to 23 Nov 18:42:06 UTC, replayed in 0.4 s)."],
  [{ state: "failed" as const, identical: null, detail: "the log no longer has its start" }, "It could not be replayed: the log no longer has its start. This does the same elsewhere: assay replay --json --log local:log"],
  [{ state: "running" as const, identical: null }, ""],
])("%o", (more, words) => expect(verifyWords({ ...done, ...more })).toBe(words));
