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
export const USUAL_MEAN = "24";

const CHOICES = {
  stage: ["before", "running"],
  kind: ["conversion", "mean", "ratio"],
  method: ["always_valid", "group_sequential", "fixed_horizon"],
} as const;

const MEASURED: Record<Kind, (keyof Inputs)[]> = {
  conversion: ["base"],
  mean: ["base", "deviation"],
  ratio: ["numerator", "numeratorDeviation", "denominator", "denominatorDeviation", "correlation"],
};

/** Which fields a plan has; the address has them all and no others. */
export const fieldsOf = ({ stage, kind }: Pick<Inputs, "stage" | "kind">): (keyof Inputs)[] => [
  "stage",
  "kind",
  ...MEASURED[kind],
  "lift",
  "alpha",
  "power",
  "treatments",
  "split",
  "day",
  "method",
  "looks",
  ...(stage === "running" ? (["units"] as const) : []),
  "seed",
  "noun",
];

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

/** What the form's fields are called by the server, where that is another name. */
const NAMES: Partial<Record<keyof Inputs, string>> = {
  numerator: "numerator_mean",
  numeratorDeviation: "numerator_deviation",
  denominator: "denominator_mean",
  denominatorDeviation: "denominator_deviation",
  day: "per_day",
};

const nameOf = (field: keyof Inputs) => NAMES[field] ?? field;

/** The form knows differences only as lifts. */
export const fieldOf = (name: string): keyof Inputs | null => (name === "difference" ? "lift" : ((Object.keys(USUAL) as (keyof Inputs)[]).find((it) => nameOf(it) === name) ?? null));

/** The question, or what cannot be read. Ranges are the server's to judge. */
export function questionOf(inputs: Inputs): PlanQuestion | Wrong {
  const { kind, method, stage, split, day } = inputs;
  const question: Record<string, unknown> = { kind, method };
  const percents = ["lift", "power", ...(kind === "conversion" ? ["base"] : [])];
  const numbers: (keyof Inputs)[] = [...MEASURED[kind], "lift", "alpha", "power", "treatments", "looks"];
  if (day.trim() !== "") numbers.push("day");
  if (stage === "running") numbers.push("units");
  for (const field of numbers) {
    const value = numberOf(inputs[field]);
    if (value === null) return { field, detail: inputs[field].trim() === "" ? "Give a number." : `“${inputs[field]}” is no number.` };
    // By its digits, because 5.5 / 100 is not the number nearest to 0.055.
    question[nameOf(field)] = percents.includes(field) ? Number((value / 100).toPrecision(15)) : value;
  }
  const weights = weightsOf(split);
  if (weights === null) return { field: "split", detail: "Write a weight for every arm, the control first, as in 50 / 50." };
  if (weights.length > 0) question.split = weights;
  return question as PlanQuestion;
}

export const isWrong = (it: PlanQuestion | Wrong): it is Wrong => "field" in it && "detail" in it;

const SEED_MAX = 2 ** 53 - 1;

/** The seed of the demonstration; what is none is the usual one. */
export function seedOf(text: string): number {
  const value = numberOf(text);
  return value !== null && Number.isInteger(value) && value >= 0 && value <= SEED_MAX ? value : Number(USUAL.seed);
}
