// When the interval would be clear of the minimum, if the present estimate were true.

import type { Experiment } from "../api/types";
import { armName, primaryOf } from "../model";
import { count, plural } from "../numbers";
import { inner, units } from "./part";

/** Of the undecided arm that takes longest; nothing where nothing is known. */
export function clearing(experiment: Experiment): string {
  const metric = primaryOf(experiment);
  const undecided = experiment.verdict.stop.arguments.undecided;
  const all = (metric?.variants ?? []).flatMap(({ variant, projected }) => (projected && (!undecided || undecided.includes(variant)) ? [{ variant, ...projected }] : []));
  const goal = metric?.minimum_effect == null ? "zero" : "your minimum";
  if (experiment.deciding !== "always_valid") return "";
  if (all.some((it) => it.status === "far")) return ` If the present estimate is true, no size within reach makes the interval clear of ${goal}.`;
  const last = all.filter((it) => it.status === "ok").sort((a, b) => (b.units ?? 0) - (a.units ?? 0))[0];
  if (!last?.units) return "";
  const days = last.days_left == null ? "" : `, in ${last.days_left < 1 ? "less than a day" : `about ${plural(Math.ceil(last.days_left), "day")}`}`;
  const of = experiment.variants.length > 2 ? ` of ${inner(armName(experiment, last.variant))}` : "";
  return ` If the present estimate is true, the interval${of} is clear of ${goal} at ${count(last.units)} ${units(experiment.unit_name)} per pair${days}.`;
}
