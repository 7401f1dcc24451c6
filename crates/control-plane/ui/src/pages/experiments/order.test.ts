import { expect, test } from "vitest";
import list from "../../../tests/fixtures/list.json";
import type { Row } from "../../api/types";
import { arranged, filterOf, moved, orderOf } from "./order";

const rows = list.experiments as unknown as Row[];
const ids = (query: string) => arranged(rows, filterOf(new URLSearchParams(query))).map((it) => [it.group, it.rows.map((row) => row.experiment)]);

test("groups come in their order, stopped ones only when asked for", () => {
  expect(ids("").map(([group]) => group)).toEqual(["attention", "decided", "undecided", "draft"]);
  expect(ids("state=stopped")).toEqual([["stopped", ["banner-2025"]]]);
  expect(ids("state=nonsense").length).toBe(4);
});

test("owner, words and sort choose rows", () => {
  expect(ids("owner=growth&state=decided")).toEqual([["decided", ["hillstrom", "signup-short-form"]]]);
  expect(ids("q=sign")).toEqual([["decided", ["signup-short-form"]]]);
  expect(ids("sort=effect&state=decided")[0]?.[1]).toEqual(["hillstrom", "signup-short-form", "help-centre-answers", "cookie-cats"]);
  expect(ids("sort=days&state=undecided")[0]?.[1]?.[0]).toBe("recs-carousel");
});

test("a row that changes its group counts once", () => {
  const before = orderOf(arranged(rows, filterOf(new URLSearchParams())));
  const after = rows.map((row) => (row.experiment === "red-button-v2" ? { ...row, group: "decided" as const } : row));
  expect(moved(before, orderOf(arranged(after, filterOf(new URLSearchParams()))))).toBe(1);
  expect(moved(before, before)).toBe(0);
});
