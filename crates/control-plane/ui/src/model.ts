// What to draw an experiment's numbers as. What they mean is said by the server, in codes; here is only what pictures need beside them.

import type { AlwaysValid, Arguments, Arm, Experiment, Metric } from "./api/types";
import type { Kind } from "./parts/Interval";

export type Code = NonNullable<Arm["verdict"]>["code"];

export interface Comparison {
  metric: Metric;
  arm: Arm;
  test: AlwaysValid;
  code: Code;
  args: Arguments;
  /** Counts treatments from 0: the shape. */
  index: number;
  name: string;
  kind: Kind;
  /** The p that decides: corrected for several arms where that is done. */
  p: number | null;
}

/** +1 where more is better. */
export const signOf = (metric: Pick<Metric, "direction">): 1 | -1 => (metric.direction === "decrease" ? -1 : 1);

/** Whether zero is among the lifts that are not ruled out. */
export function coversZero(low: number | null, high: number | null, shape: string | null): boolean {
  if (shape === "exclusive") return low === null || high === null || !(low < 0 && 0 < high);
  return (low === null || low <= 0) && (high === null || high >= 0);
}

export const armName = (experiment: Experiment, variant: string): string =>
  experiment.variants.find((it) => it.variant === variant)?.name || variant;

export const controlOf = (experiment: Experiment) => experiment.variants.find((it) => it.control) ?? experiment.variants[0];

/** Shapes by variant: the control has -1. */
export const shapeOf = (experiment: Experiment, variant: string): number =>
  experiment.variants.filter((it) => !it.control).findIndex((it) => it.variant === variant);

export function compare(experiment: Experiment, metric: Metric): Comparison[] {
  return metric.variants.flatMap((arm) => {
    const { always_valid: test, verdict } = arm;
    if (!test || !verdict) return [];
    return [
      {
        metric,
        arm,
        test,
        code: verdict.code,
        args: verdict.arguments,
        index: shapeOf(experiment, arm.variant),
        name: armName(experiment, arm.variant),
        kind: kindOf(metric, arm, test),
        p: test.p_value_adjusted ?? test.p_value_running ?? null,
      },
    ];
  });
}

/** Colour says what the interval says today, whatever was decided: grey while zero is inside. */
export function kindOf(metric: Pick<Metric, "direction">, arm: Pick<Arm, "lift" | "difference" | "verdict">, test: AlwaysValid): Kind {
  if (test.status === "srm_blocked" || arm.verdict?.code === "blocked") return "void";
  if (test.status !== "ok" || coversZero(test.lift_low, test.lift_high, test.lift_shape)) return "same";
  // Several arms: the colour of a decision has to wait for the correction.
  if (arm.verdict?.arguments.excludes_zero_before_correction) return "same";
  return signOf(metric) * (arm.lift ?? arm.difference ?? 0) > 0 ? "better" : "worse";
}

const WITHOUT: Code[] = ["waiting", "degenerate", "unsupported", "before_plan"];

export const hasInterval = (it: Comparison): boolean =>
  !WITHOUT.includes(it.code) && it.test.status !== "burn_in" && it.test.status !== "degenerate" && it.test.status !== "unsupported";

/** Decided in the intended direction or against it. */
export function directionOf(code: Code): "better" | "worse" | null {
  if (code === "better" || code === "better_may_be_small") return "better";
  return code === "worse" ? "worse" : null;
}

/** The margin as a lift: on the side of harm. */
export const harmOf = (metric: Metric): number | null =>
  metric.role === "guardrail" && metric.margin !== null ? -signOf(metric) * metric.margin : null;

/** The minimum effect as a lift: on the side of better. */
export const minimumOf = (metric: Metric): number | null => (metric.minimum_effect === null ? null : signOf(metric) * metric.minimum_effect);

export const primaryOf = (experiment: Experiment): Metric | undefined =>
  experiment.metrics.find((it) => it.role === "primary") ?? experiment.metrics[0];

export const sum = (values: number[]): number => values.reduce((a, b) => a + b, 0);
export const totalUnits = (experiment: Experiment): number => sum(Object.values(experiment.units));

/** Units of the smallest pair of control and treatment: what the plan is about. */
export function pairUnits(experiment: Experiment): number {
  const of = (variant: string) => experiment.units[variant] ?? 0;
  const control = of(controlOf(experiment)?.variant ?? "");
  const treatments = experiment.variants.filter((it) => !it.control).map((it) => of(it.variant));
  return treatments.length === 0 ? control : control + Math.min(...treatments);
}
