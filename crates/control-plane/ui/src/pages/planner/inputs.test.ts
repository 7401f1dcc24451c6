import { describe, expect, test } from "vitest";
import { addressOf, fieldOf, isWrong, numberOf, questionOf, read, seedOf, USUAL, weightsOf } from "./inputs";

test.each([
  ["8,000", 8000],
  [" 5.0 ", 5],
  ["5%", 5],
  ["−3", -3],
  [".5", 0.5],
  ["1e3", 1000],
  ["", null],
  ["five", null],
  ["5.5.5", null],
  ["Infinity", null],
])("a number as people write it: %j", (text, value) => expect(numberOf(text)).toBe(value));

test.each([
  ["50 / 50", [50, 50]],
  ["80/10/10", [80, 10, 10]],
  ["1:1", [1, 1]],
  ["", []],
  ["50 / 0", null],
  ["half", null],
])("weights of arms: %j", (text, weights) => expect(weightsOf(text)).toEqual(weights));

describe("the address", () => {
  test("holds every input and gives it again", () => {
    const inputs = { ...USUAL, kind: "mean" as const, base: "24.1", deviation: "60", lift: "-2.5", split: "80 / 20", treatments: "1", seed: "99", noun: "devices" };
    const address = addressOf(inputs);
    expect(address).toContain("base=24.1");
    expect(address).toContain("alpha=0.05");
    expect(read(new URLSearchParams(address.split("?")[1]))).toEqual({ ...inputs });
  });
  test("without anything is the usual plan, and nonsense is usual", () => {
    expect(read(new URLSearchParams())).toEqual(USUAL);
    expect(read(new URLSearchParams("kind=median&method=magic")).kind).toBe("conversion");
    expect(read(new URLSearchParams("kind=mean")).base).toBe("24");
  });
  test("has the size of a running experiment only when one runs", () => {
    expect(addressOf(USUAL)).not.toContain("units=");
    expect(addressOf({ ...USUAL, stage: "running", units: "5,000" })).toContain("units=5%2C000");
  });
});

describe("the question", () => {
  test("is in shares, by their digits", () => {
    const question = questionOf({ ...USUAL, base: "5.5", lift: "7", power: "99.9" });
    expect(question).toMatchObject({ kind: "conversion", base: 0.055, lift: 0.07, power: 0.999, per_day: 8000, treatments: 1 });
    expect(question).not.toHaveProperty("split");
    expect(question).not.toHaveProperty("units");
  });
  test("of a ratio has both sides, and no days without units a day", () => {
    const question = questionOf({ ...USUAL, kind: "ratio", day: "" });
    expect(question).toMatchObject({ numerator_mean: 0.8, denominator_deviation: 5, correlation: 0.5 });
    expect(question).not.toHaveProperty("per_day");
    expect(question).not.toHaveProperty("base");
  });
  test.each([
    ["base", "x", "“x” is no number."],
    ["lift", "", "Give a number."],
    ["split", "half", "Write a weight for every arm, the control first, as in 50 / 50."],
  ] as const)("names what cannot be read: %s", (field, value, detail) => {
    const wrong = questionOf({ ...USUAL, [field]: value });
    expect(isWrong(wrong)).toBe(true);
    expect(wrong).toEqual({ field, detail });
  });
});

test("what the server calls wrong is a field of the form", () => {
  expect([fieldOf("per_day"), fieldOf("numerator_mean"), fieldOf("alpha"), fieldOf("body")]).toEqual(["day", "numerator", "alpha", null]);
});

test("a seed is a whole number that every language holds", () => {
  expect([seedOf("12"), seedOf("-1"), seedOf("1.5"), seedOf("9007199254740993")]).toEqual([12, 44, 44, 44]);
});
