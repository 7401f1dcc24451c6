// Everything that is known of one comparison, in full precision.

import type { Experiment } from "../../api/types";
import { COHORTS, cohortArm, KEYS } from "../../cohorts";
import { type Comparison, controlOf } from "../../model";
import { count, exact, pValue } from "../../numbers";
import { Facts } from "../../parts/Facts";
import { moment } from "../../times";

export function Drawer({ experiment, it }: { experiment: Experiment; it: Comparison }) {
  const { arm, test, metric } = it;
  const control = metric.variants.find((other) => other.control);
  const controlName = controlOf(experiment)?.name ?? "Control";
  const fixed = arm.fixed_horizon;
  const bayes = arm.bayesian;
  const guardrail = arm.guardrail;
  const reached = (control?.units ?? 0) + arm.units >= experiment.planned_units;
  return (
    <div class="facts">
      <Group
        title="Units and sums"
        rows={[
          [`${controlName}, units`, count(control?.units ?? 0)],
          [`${it.name}, units`, count(arm.units)],
          [`${controlName}, sum`, control?.sum],
          [`${it.name}, sum`, arm.sum],
          ...(arm.denominator === undefined ? [] : ([[`${it.name}, denominator`, arm.denominator]] as [string, number][])),
        ]}
      />
      <Group
        title="Means"
        rows={[
          [controlName, control?.mean],
          ["standard error", control?.standard_error],
          [it.name, arm.mean],
          ["standard error", arm.standard_error],
          ["Difference", arm.difference],
          ["Lift", arm.lift],
        ]}
      />
      <Group
        title="Valid at any time"
        rows={[
          ["Difference, from", test.low],
          ["to", test.high],
          [test.lift_shape === "exclusive" ? "Lift, below" : "Lift, from", test.lift_low],
          [test.lift_shape === "exclusive" ? "or above" : "to", test.lift_high],
          ["ln E at this look", test.ln_e],
          ["p of this look alone", test.p_value],
          ["p so far, which decides", test.p_value_running],
          ...(test.p_value_adjusted == null ? [] : ([["p so far, corrected (Holm)", test.p_value_adjusted]] as [string, number][])),
          ["Decided", test.crossed ? `${moment(test.crossed.look, true)} UTC at ${count(test.crossed.units)}` : "not yet"],
        ]}
      />
      {guardrail && (
        <Group
          title="Guardrail"
          rows={[
            ["Margin", guardrail.margin],
            ["ln E that it is safe", guardrail.safe_ln_e],
            ["ln E that it harms", guardrail.harm_ln_e],
            ["p so far, safe", pValue(guardrail.safe_p_value_running)],
            ["p so far, harm", pValue(guardrail.harm_p_value_running)],
          ]}
        />
      )}
      <Group
        title={reached ? "For comparison, not for deciding" : "For comparison, valid only at the planned end"}
        rows={[
          ["One look, p", fixed?.p_value],
          ["One look, difference from", fixed?.low],
          ["to", fixed?.high],
          ["Chance to be better", bayes?.chance_to_win],
          ["Expected loss", bayes?.expected_loss],
        ]}
      />
      {metric.cohorts && <Group title="By first exposure: mean (units)" rows={cohortRows(experiment, it)} />}
      <p class="small dim">
        <a href="#sql">The query that gives these numbers</a>
      </p>
    </div>
  );
}

function cohortRows(experiment: Experiment, it: Comparison): [string, string][] {
  const control = controlOf(experiment);
  const arms = [
    [control?.variant ?? "", control?.name ?? "Control"],
    [it.arm.variant, it.name],
  ] as const;
  return KEYS.flatMap((key) =>
    arms.map(([variant, name]): [string, string] => {
      const [units, mean] = cohortArm(it.metric, key, variant, exact);
      return [`${name}, ${COHORTS[key]}`, units === "–" ? units : `${mean} (${units})`];
    }),
  );
}

/** Numbers are said as they are. */
function Group({ title, rows }: { title: string; rows: [string, string | number | null | undefined][] }) {
  return (
    <div>
      <h3>{title}</h3>
      <Facts rows={rows.map(([name, value]) => [name, typeof value === "string" ? value : exact(value)])} />
    </div>
  );
}
