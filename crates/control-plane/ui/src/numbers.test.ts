import { describe, expect, test } from "vitest";
import * as n from "./numbers";

const table = <A extends unknown[]>(name: string, fn: (...of: A) => unknown, rows: [A, unknown][]) =>
  describe(name, () => test.each(rows)(`${name}(%j) is %j`, (args, wanted) => expect(fn(...args)).toEqual(wanted)));

table("decimalsOf", n.decimalsOf, [
  [[77], 0],
  [[13], 0],
  [[9.9], 1],
  [[1.3], 1],
  [[0.57], 2],
  [[0.0099], 4],
  [[0], 0],
  [[null], 0],
  [[1e-12], 6],
]);
table("decimalsOfGroup", n.decimalsOfGroup, [
  [[[[0.59, 2.14], [0.09, 1.25]], 100], 0],
  [[[[-0.041, 0.116]], 100], 1],
  [[[[-0.001, 0.012], [null, 0.4]], 100], 2],
  [[[[null, null]], 100], 0],
]);
table("lift", n.lift, [
  [[1.188421876, 0], "+119%"],
  [[-0.043, 1], "−4.3%"],
  [[-0.0004, 1], "0.0%"],
  [[0.0057, 2], "+0.57%"],
  [[10, 0], "×11"],
  [[41.5, 0], "×43"],
  [[9.996, 0], "+1,000%"],
  [[null, 0], "undefined"],
  [[0.2, 0, false], "20%"],
]);
table("mean", n.mean, [
  [[0.005726, "rate", 2], "0.57%"],
  [[0.6527893551, "USD", 2], "$0.65"],
  [[1234.5, "EUR", 0], "€1,234.50"],
  [[1.25, "events", 2], "1.25"],
  [[0.21, "seconds", 3], "0.210 s"],
  [[null, "rate", 2], "–"],
]);
table("difference", n.difference, [
  [[0.0068, "rate", 2], "+0.68 points"],
  [[-0.0068, "rate", 2], "−0.68 points"],
  [[-0.77, "USD", 2], "−$0.77"],
  [[0.77, "USD", 2], "+$0.77"],
  [[3, "events", 0], "+3"],
]);
table("pValue", n.pValue, [
  [[0], "<0.0001"],
  [[0.00009], "<0.0001"],
  [[0.003889], "0.0039"],
  [[0.0234], "0.023"],
  [[0.877864], "0.88"],
  [[0.9999], "1"],
  [[null], "–"],
]);
table("count", n.count, [
  [[0], "0"],
  [[42_613], "42,613"],
  [[999_999], "999,999"],
  [[1_240_000], "1.24M"],
  [[2_500_000_000], "2.50bn"],
]);
table("evidence", n.evidence, [
  [[-4.0753748], "0.017×"],
  [[0], "1×"],
  [[Math.log(20_000)], "20,000×"],
  [[Math.log(10) * 42.4], "10⁴²×"],
  [[-60], "10⁻²⁷×"],
  [[null], "∞×"],
]);

const say = (value: number) => n.lift(value, 0);
table("range", (low: number | null, high: number | null, shape: string | null) => n.range(low, high, shape, say), [
  [[0.59, 2.14, "bounded"], "+59% to +214%"],
  [[null, 0.4, "bounded"], "no limit to +40%"],
  [[-0.4, null, "bounded"], "−40% to no limit"],
  [[null, null, "unbounded"], "no limit yet"],
  [[null, null, null], "no limit yet"],
  [[-0.4, 3, "exclusive"], "below −40% or above +300%"],
]);
