// The means of those who came lately, on request. They stand apart from the metrics because nothing is inferred from them.

import type { Experiment, Metric } from "../../api/types";
import { type Cohort, COHORTS, cohortArm } from "../../cohorts";
import { type Scale, speechOf } from "../../columns";
import { armName, compare, shapeOf } from "../../model";
import { ArmName } from "../../parts/Shape";
import { Table } from "../../parts/Table";
import { full } from "../../times";
import { capital, inner, units } from "../../words/part";

export function CohortTable({ experiment, cohort, scale }: { experiment: Experiment; cohort: Cohort; scale: Scale }) {
  const metrics = experiment.metrics.filter((it) => it.cohorts);
  const from = metrics[0]?.cohorts?.[cohort].from;
  const many = units(experiment.unit_name);
  const title = `First exposed in the ${COHORTS[cohort]}`;
  const rows = (metric: Metric) => {
    const { mean } = speechOf(metric, compare(experiment, metric), scale);
    return metric.variants.map((arm) => {
      const [size, value] = cohortArm(metric, cohort, arm.variant, mean);
      const name = <ArmName index={arm.control ? -1 : shapeOf(experiment, arm.variant)} name={`${armName(experiment, arm.variant)}, ${inner(metric.name)}`} />;
      return [name, size, value, mean(arm.mean ?? null)];
    });
  };
  return (
    <section class="frame" id="cohort" aria-label={title}>
      <p>
        <b>{title}</b>
        {from && `, since ${full(from)}`}. Raw means of so few {many}, without intervals: they never feed the verdict.
      </p>
      <Table caption={`${title}, raw means`} columns={["Arm and metric", `#${capital(many)}`, "#Mean", "#of all"]} rows={metrics.flatMap(rows)} />
    </section>
  );
}
