import { expect, test } from "vitest";
import fixture from "../../../tests/fixtures/hillstrom.results.json";
import type { Results } from "../../api/types";
import { filledFrom } from "./filled";

test("a running experiment fills the form with sizes and the control's level, not with the effect seen", () => {
  const filled = filledFrom(fixture as unknown as Results);
  expect(filled).toMatchObject({ kind: "conversion", treatments: "2", alpha: "0.05", split: "" });
  expect(Number(filled?.base)).toBeGreaterThan(0);
  expect(filled?.units).toMatch(/^[\d,]+$/);
});

test("without results nothing is filled in", () => expect(filledFrom({ experiments: [] } as unknown as Results)).toBeNull());
