// What an experiment's numbers mean: which code each comparison has, and what to draw it as. Words are made of these codes elsewhere.

import type { Arm, AlwaysValid, Experiment, Metric } from "./api/types";
import type { Kind } from "./parts/Interval";

/** What can be said of one arm in one metric. */
export type Code =
  | "waiting"
  | "undecided"
  | "before_correction"
  | "better"
  | "better_may_be_small"
  | "worse"
  | "no_difference"
  | "crossed_back"
  | "drift_suspected"
  | "degenerate"
  | "blocked"
  | "unsupported"
  | "not_yet";

export interface Comparison {
  metric: Metric;
  arm: Arm;
  test: AlwaysValid;
  /** Counts treatments from 0: the shape. */
  index: number;
  name: string;
  code: Code;
  /** Which way the lift points once decided, in the intended direction. */
  direction: "better" | "worse" | null;
  kind: Kind;
  /** The p that decides: corrected for several arms where that is done. */
  p: number | null;
  guardrail: GuardrailCode | null;
}

export type GuardrailCode = "safe" | "harm" | "unknown";

/** +1 where more is better. */
export const signOf = (metric: Metric): 1 | -1 => (metric.direction === "decrease" ? -1 : 1);

export const isOver = (low: number | null, high: number | null, shape: string | null): boolean => {
  if (shape === "exclusive") return low === null || high === null || !(low < 0 && 0 < high);
  return (low === null || low <= 0) && (high === null || high >= 0);
};

const decidedAt = (test: AlwaysValid) => test.crossed ?? null;

export const armName = (experiment: Experiment, variant: string): string =>
  experiment.variants.find((it) => it.variant === variant)?.name || variant;

export const controlOf = (experiment: Experiment) => experiment.variants.find((it) => it.control) ?? experiment.variants[0];

/** Shapes by variant: the control has -1. */
export function shapeOf(experiment: Experiment, variant: string): number {
  return experiment.variants.filter((it) => !it.control).findIndex((it) => it.variant === variant);
}

export function compare(experiment: Experiment, metric: Metric): Comparison[] {
  return metric.variants.flatMap((arm) => {
    const test = arm.always_valid;
    if (!test) return [];
    const p = test.p_value_adjusted ?? test.p_value_running ?? null;
    const code = codeOf(experiment, metric, arm, test, p);
    const direction = directionOf(metric, arm, test, code);
    return [
      {
        metric,
        arm,
        test,
        p,
        code,
        direction,
        index: shapeOf(experiment, arm.variant),
        name: armName(experiment, arm.variant),
        kind: kindOf(metric, arm, test, code),
        guardrail: metric.role === "guardrail" ? guardrailOf(metric, arm, test) : null,
      },
    ];
  });
}

function codeOf(experiment: Experiment, metric: Metric, arm: Arm, test: AlwaysValid, p: number | null): Code {
  const early = { burn_in: "waiting", degenerate: "degenerate", unsupported: "unsupported", srm_blocked: "blocked" } as const;
  if (test.status !== "ok") return early[test.status];
  if (experiment.deciding === "fixed_horizon" && pairUnits(experiment) < experiment.planned_units) return "not_yet";
  if (test.drift_suspected) return "drift_suspected";
  const over = isOver(test.lift_low, test.lift_high, test.lift_shape);
  const decided = decidedAt(test) !== null && (p === null || p < experiment.alpha);
  if (decided && over) return "crossed_back";
  if (decided) return pointing(metric, arm, test);
  if (!over) return "before_correction";
  return isSmall(metric, test) ? "no_difference" : "undecided";
}

function pointing(metric: Metric, arm: Arm, test: AlwaysValid): Code {
  const sign = signOf(metric);
  if (sign * (arm.lift ?? arm.difference ?? 0) < 0) return "worse";
  const minimum = metric.minimum_effect;
  const nearest = nearestZero(test);
  return minimum === null || (nearest !== null && Math.abs(nearest) >= minimum) ? "better" : "better_may_be_small";
}

/** The end of the interval that is nearest to zero. */
export function nearestZero(test: AlwaysValid): number | null {
  const ends = [test.lift_low, test.lift_high].filter((it) => it !== null);
  return ends.length === 0 ? null : ends.reduce((a, b) => (Math.abs(b) < Math.abs(a) ? b : a));
}

function isSmall(metric: Metric, test: AlwaysValid): boolean {
  const minimum = metric.minimum_effect;
  if (minimum === null || test.lift_shape !== "bounded" || test.lift_low === null || test.lift_high === null) return false;
  return -minimum < test.lift_low && test.lift_high < minimum;
}

function directionOf(metric: Metric, arm: Arm, test: AlwaysValid, code: Code): Comparison["direction"] {
  if (code === "better" || code === "better_may_be_small") return "better";
  if (code === "worse") return "worse";
  if (code !== "crossed_back") return null;
  const then = test.crossed?.lift ?? arm.lift ?? 0;
  return signOf(metric) * then > 0 ? "better" : "worse";
}

/** Colour says what the interval says today, whatever was decided: grey while zero is inside. */
function kindOf(metric: Metric, arm: Arm, test: AlwaysValid, code: Code): Kind {
  if (code === "blocked") return "void";
  if (test.status !== "ok" || isOver(test.lift_low, test.lift_high, test.lift_shape)) return "same";
  if (code === "before_correction" || code === "not_yet") return "same";
  return signOf(metric) * (arm.lift ?? arm.difference ?? 0) > 0 ? "better" : "worse";
}

export const hasInterval = (it: Comparison): boolean =>
  it.code !== "waiting" && it.code !== "degenerate" && it.code !== "unsupported" && it.code !== "not_yet" && it.arm.lift != null;

/** What the guardrail's own test says. Without one, the interval has to say it. */
function guardrailOf(metric: Metric, arm: Arm, test: AlwaysValid): GuardrailCode {
  const said = test.guardrail?.decision ?? arm.guardrail?.decision;
  if (said === "safe") return "safe";
  if (said === "harm" || said === "harmful") return "harm";
  if (said !== undefined || test.status !== "ok" || metric.margin === null) return "unknown";
  const [low, high] = metric.direction === "decrease" ? [negated(test.lift_high), negated(test.lift_low)] : [test.lift_low, test.lift_high];
  if (test.lift_shape !== "bounded") return "unknown";
  if (low !== null && low > -metric.margin) return "safe";
  return high !== null && high < -metric.margin ? "harm" : "unknown";
}

const negated = (value: number | null) => (value === null ? null : -value);

/** The margin as a lift: on the side of harm. */
export const harmOf = (metric: Metric): number | null =>
  metric.role === "guardrail" && metric.margin !== null ? -signOf(metric) * metric.margin : null;

export const primaryOf = (experiment: Experiment): Metric | undefined =>
  experiment.metrics.find((it) => it.role === "primary") ?? experiment.metrics[0];

export const totalUnits = (experiment: Experiment): number => Object.values(experiment.units).reduce((a, b) => a + b, 0);

/** Units of the smallest pair of control and treatment: what the plan is about. */
export function pairUnits(experiment: Experiment): number {
  const control = controlOf(experiment)?.variant ?? "";
  const of = (variant: string) => experiment.units[variant] ?? 0;
  const treatments = experiment.variants.filter((it) => !it.control).map((it) => of(it.variant));
  return treatments.length === 0 ? of(control) : of(control) + Math.min(...treatments);
}

/** New units of the smallest pair a day. */
export function pairPerDay(experiment: Experiment): number | null {
  const total = totalUnits(experiment);
  if (experiment.units_per_day === null || total === 0) return null;
  return (experiment.units_per_day * pairUnits(experiment)) / total;
}

/** The arm that the list and the sentence begin with: the best by what is certain, else by its lift. */
export function bestFirst(comparisons: Comparison[]): Comparison[] {
  const rank: Code[] = ["better", "better_may_be_small", "crossed_back", "drift_suspected", "before_correction", "undecided", "no_difference", "worse"];
  const place = (it: Comparison) => {
    const at = rank.indexOf(it.code);
    return at < 0 ? rank.length : at;
  };
  const value = (it: Comparison) => signOf(it.metric) * (it.arm.lift ?? Number.NEGATIVE_INFINITY);
  return [...comparisons].sort((a, b) => place(a) - place(b) || value(b) - value(a) || a.index - b.index);
}
