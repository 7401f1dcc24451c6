import { expect, test } from "vitest";
import { waitOf } from "./live";

test("waits are 1 2 4 8 16 30 30 seconds, give or take a quarter", () => {
  const whole = [0, 1, 2, 3, 4, 5, 6].map((n) => waitOf(n, 0.5));
  expect(whole).toEqual([1, 2, 4, 8, 16, 30, 30]);
  expect(waitOf(3, 0)).toBe(6);
  expect(waitOf(3, 0.999)).toBeLessThan(10);
});
