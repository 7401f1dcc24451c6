// The form's fields from the results of a running experiment. Sizes and the control's level only: the effect seen so far is in none of them.

import type { Experiment, Results } from "../../api/types";
import { controlOf, primaryOf, totalUnits } from "../../model";
import { count } from "../../numbers";
import type { Inputs } from "./inputs";

const METHODS = ["always_valid", "group_sequential", "fixed_horizon"] as const;
const text = (value: number, digits = 4) => String(Number(value.toPrecision(digits)));

export function filledFrom(results: Results): Partial<Inputs> | null {
  const experiment = results.experiments[0];
  const metric = experiment && primaryOf(experiment);
  const control = experiment && metric?.variants.find((it) => it.variant === controlOf(experiment)?.variant);
  if (!experiment || !metric || !control || control.mean == null) return null;
  const measured = level(metric.unit, control.mean, deviationOf(control));
  if (!measured) return null;
  const lift = metric.minimum_effect;
  return {
    ...measured,
    ...(lift ? { lift: text((metric.direction === "decrease" ? -lift : lift) * 100) } : {}),
    alpha: text(experiment.alpha),
    treatments: String(experiment.variants.length - 1),
    split: splitOf(experiment),
    ...(experiment.units_per_day ? { day: count(experiment.units_per_day) } : {}),
    units: count(totalUnits(experiment)),
    noun: experiment.unit_name || "customers",
    method: METHODS.find((it) => it === String(experiment.deciding)) ?? "always_valid",
  };
}

function level(unit: string, mean: number, deviation: number | null): Partial<Inputs> | null {
  if (unit === "rate") return mean > 0 && mean < 1 ? { kind: "conversion", base: text(mean * 100) } : null;
  return deviation !== null && deviation > 0 ? { kind: "mean", base: text(mean), deviation: text(deviation) } : null;
}

/** A deviation of units, from the standard error of their mean. */
function deviationOf(arm: { standard_error?: number | null; units?: number }): number | null {
  return arm.standard_error != null && arm.units ? arm.standard_error * Math.sqrt(arm.units) : null;
}

function splitOf(experiment: Experiment): string {
  const weights = [...experiment.variants].sort((a, b) => Number(b.control) - Number(a.control)).map((it) => it.weight ?? 1);
  return weights.every((it) => it === weights[0]) ? "" : weights.map((it) => text(it)).join(" / ");
}
