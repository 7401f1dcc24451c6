// The split's history, whose columns are found by their names.

import { expect, test } from "vitest";
import type { History } from "../../api/types";
import { splitPoints } from "./series";

const history = (columns: string[], row: (string | number | null)[]) => ({ experiment: "e", salt: "s", columns, series: { srm: [row] }, server_time: "" }) as History;

test("evidence against the split becomes a p of its look, evidence for it is none", () => {
  const columns = ["look", "units", "p_value_running", "ln_e"];
  const at = Date.parse("2026-05-01T00:00:00Z");
  expect(splitPoints(history(columns, ["2026-05-01T00:00:00Z", 480, 0.001, Math.log(200)]))).toEqual([{ at, units: 480, p: 0.001, now: expect.closeTo(0.005, 12) }]);
  expect(splitPoints(history(columns, ["2026-05-01T00:00:00Z", 480, 0.9, -3]))[0]?.now).toBe(1);
});

test("looks of earlier builds have no evidence and no units", () => {
  expect(splitPoints(history(["look", "units", "p_value_running", "ln_e"], ["2026-05-01T00:00:00Z", null, 0.4, null]))).toMatchObject([{ units: null, p: 0.4, now: null }]);
  expect(splitPoints(null)).toEqual([]);
});
