// What the planner is asked: fields of the form, the address that holds all of them, and the question to the server. Pure.

import type { PlanQuestion } from "../../api/schema";

export type Kind = "conversion" | "mean" | "ratio";
export type Method = "always_valid" | "group_sequential" | "fixed_horizon";
export type Stage = "before" | "running";

/** As typed; what it means is found out when it is asked. */
export interface Inputs {
  stage: Stage;
  kind: Kind;
  base: string;
  deviation: string;
  numerator: string;
  numeratorDeviation: string;
  denominator: string;
  denominatorDeviation: string;
  correlation: string;
  lift: string;
  alpha: string;
  power: string;
  treatments: string;
  split: string;
  day: string;
  method: Method;
  looks: string;
  units: string;
  seed: string;
  /** What a unit is called. */
  noun: string;
}

export const USUAL: Inputs = {
  stage: "before",
  kind: "conversion",
  base: "5",
  deviation: "60",
  numerator: "0.8",
  numeratorDeviation: "1.6",
  denominator: "4",
  denominatorDeviation: "5",
  correlation: "0.5",
  lift: "10",
  alpha: "0.05",
  power: "80",
  treatments: "1",
  split: "",
  day: "8,000",
  method: "always_valid",
  looks: "5",
  units: "20,000",
  seed: "44",
  noun: "customers",
};

/** A mean of today that is as good as any before somebody types one. */
const USUAL_MEAN = "24";

const CHOICES = {
  stage: ["before", "running"],
  kind: ["conversion", "mean", "ratio"],
  method: ["always_valid", "group_sequential", "fixed_horizon"],
} as const;

/** Which fields a plan has; the address has them all and no others. */
export function fieldsOf(it: Pick<Inputs, "stage" | "kind" | "method">): (keyof Inputs)[] {
  const measured = {
    conversion: ["base"],
    mean: ["base", "deviation"],
    ratio: ["numerator", "numeratorDeviation", "denominator", "denominatorDeviation", "correlation"],
  } as const;
  return [
    "stage",
    "kind",
    ...measured[it.kind],
    "lift",
    "alpha",
    "power",
    "treatments",
    "split",
    "day",
    "method",
    "looks",
    ...(it.stage === "running" ? (["units"] as const) : []),
    "seed",
    "noun",
  ];
}

export function read(query: URLSearchParams): Inputs {
  const choice = <K extends keyof typeof CHOICES>(name: K) => {
    const given = query.get(name);
    const known = CHOICES[name].find((it) => it === given);
    return (known ?? USUAL[name]) as Inputs[K];
  };
  const inputs: Inputs = { ...USUAL, stage: choice("stage"), kind: choice("kind"), method: choice("method") };
  if (inputs.kind === "mean") inputs.base = USUAL_MEAN;
  for (const name of fieldsOf(inputs)) {
    const given = query.get(name);
    if (given !== null && !(name in CHOICES)) (inputs as unknown as Record<string, string>)[name] = given;
  }
  return inputs;
}

/** The address that gives these inputs again, whatever is usual by then. */
export function addressOf(inputs: Inputs): string {
  const query = new URLSearchParams();
  for (const name of fieldsOf(inputs)) query.set(name, inputs[name]);
  return `/plan?${query}`;
}

/** A field that cannot be read as what it should be. */
export interface Wrong {
  field: keyof Inputs;
  detail: string;
}

/** A number as people write it: with commas between thousands, spaces, a percent sign. */
export function numberOf(text: string): number | null {
  const plain = text.replace(/[\s,_]/g, "").replace("−", "-").replace(/%$/, "");
  if (!/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(plain)) return null;
  return Number(plain);
}

/** Weights of the arms: `50 / 50`, `80/10/10`. */
export function weightsOf(text: string): number[] | null {
  if (text.trim() === "") return [];
  const weights = text.split(/[/:]/).map(numberOf);
  return weights.every((it) => it !== null && it > 0) ? (weights as number[]) : null;
}

/** What the form's fields are called by the server. */
const FIELDS: Record<string, keyof Inputs> = {
  numerator_mean: "numerator",
  numerator_deviation: "numeratorDeviation",
  denominator_mean: "denominator",
  denominator_deviation: "denominatorDeviation",
  per_day: "day",
  difference: "lift",
};

export const fieldOf = (serverField: string): keyof Inputs | null =>
  FIELDS[serverField] ?? (serverField in USUAL ? (serverField as keyof Inputs) : null);

/** The question, or what cannot be read. Ranges are the server's to judge. */
export function questionOf(inputs: Inputs): PlanQuestion | Wrong {
  let wrong: Wrong | undefined;
  const number = (field: keyof Inputs, factor = 1): number => {
    const value = numberOf(inputs[field]);
    if (value === null) wrong ??= { field, detail: inputs[field].trim() === "" ? "Give a number." : `“${inputs[field]}” is no number.` };
    // By its digits, because 5.5 / 100 is not the number nearest to 0.055.
    return value === null ? Number.NaN : Number((value * factor).toPrecision(15));
  };
  const measured: PlanQuestion =
    inputs.kind === "conversion"
      ? { base: number("base", 0.01) }
      : inputs.kind === "mean"
        ? { base: number("base"), deviation: number("deviation") }
        : {
            numerator_mean: number("numerator"),
            numerator_deviation: number("numeratorDeviation"),
            denominator_mean: number("denominator"),
            denominator_deviation: number("denominatorDeviation"),
            correlation: number("correlation"),
          };
  const question: PlanQuestion = {
    kind: inputs.kind,
    ...measured,
    lift: number("lift", 0.01),
    alpha: number("alpha"),
    power: number("power", 0.01),
    treatments: number("treatments"),
    method: inputs.method,
    looks: number("looks"),
  };
  const weights = weightsOf(inputs.split);
  if (weights === null) wrong ??= { field: "split", detail: "Write a weight for every arm, the control first, as in 50 / 50." };
  else if (weights.length > 0) question.split = weights;
  if (inputs.day.trim() !== "") question.per_day = number("day");
  if (inputs.stage === "running") question.units = number("units");
  return wrong ?? question;
}

export const isWrong = (it: PlanQuestion | Wrong): it is Wrong => "field" in it && "detail" in it;

const SEED_MAX = 2 ** 53 - 1;

/** The seed of the demonstration; what is none is the usual one. */
export function seedOf(text: string): number {
  const value = numberOf(text);
  return value !== null && Number.isInteger(value) && value >= 0 && value <= SEED_MAX ? value : Number(USUAL.seed);
}
