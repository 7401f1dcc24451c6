// Those who came lately, beside all: a change that the whole hides shows here first. Pure.

import type { Metric } from "./api/types";
import { count } from "./numbers";

export const COHORTS = { "1h": "last hour", "24h": "last 24 h", "7d": "last 7 days" } as const;
export type Cohort = keyof typeof COHORTS;
export const KEYS = Object.keys(COHORTS) as Cohort[];

/** What the address asks for; anything else asks for none. */
export const cohortOf = (query: URLSearchParams): Cohort | null => KEYS.find((it) => it === query.get("cohort")) ?? null;

/** Of one arm: how many came, and the mean of their values so far. */
export function cohortArm(metric: Metric, cohort: Cohort, variant: string, say: (mean: number | null) => string): [units: string, mean: string] {
  const of = metric.cohorts?.[cohort].variants[variant];
  return of ? [count(of.units), say(of.mean)] : ["–", "–"];
}
