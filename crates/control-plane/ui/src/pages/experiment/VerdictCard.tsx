// The sentence, the arms, and the four answers.

import type { Experiment, Results } from "../../api/types";
import { pairUnits, shapeOf, sum, totalUnits } from "../../model";
import { count, percent } from "../../numbers";
import { Icon } from "../../parts/Icon";
import { Say } from "../../parts/Say";
import { ArmName } from "../../parts/Shape";
import { Word } from "../../parts/Word";
import { answersOf } from "../../words/answers";
import { units } from "../../words/part";
import type { Held } from "./told";

/** Verdicts in which there is nothing yet that could be valid. */
const WORDLESS = ["no_data", "no_primary", "waiting", "degenerate", "unsupported", "before_plan", "no_method"];

interface Props {
  experiment: Experiment;
  results: Results;
  told: Held;
  ageMs: number;
}

export function VerdictCard({ experiment, results, told, ageMs }: Props) {
  return (
    <section class={`card verdict-card ${told.tone}`} aria-label="Verdict">
      <div class="verdict">
        <div class="say">
          <div class="eyebrow">
            Verdict
            {experiment.deciding === "always_valid" && told.tone === "" && !WORDLESS.includes(experiment.verdict.code) && <span class="pill">valid at every look, so also at this one</span>}
          </div>
          <p class="v">
            <span class={told.changed ? "changed" : undefined} key={told.code}>
              <Say parts={told.sentence} />
            </span>
          </p>
          {told.caveats.length > 0 && <p class="c">{told.caveats.join(" ")}</p>}
        </div>
        <Arms experiment={experiment} results={results} />
      </div>
      <dl class="qs">
        {answersOf(experiment, results, ageMs).map((it) => (
          <div>
            <dt>{it.question}</dt>
            <dd>
              <div class={`a ${it.tone}`}>
                <Icon name={it.icon} />
                <Word text={it.word} />
              </div>
              <div class="w">
                {it.why} {it.question === "Why believe it?" && <a href="#sql">Offsets and build</a>}
              </div>
            </dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

function Arms({ experiment, results }: { experiment: Experiment; results: Results }) {
  const total = totalUnits(experiment);
  const plan = experiment.planned_units;
  const pair = pairUnits(experiment);
  const many = units(experiment.unit_name);
  const hour = lastHour(experiment);
  return (
    <div class="units">
      <div class="eyebrow">
        <span class="cap">{many}</span>
      </div>
      <table>
        <caption class="vh">
          {many} in each arm at {results.look}
        </caption>
        <tbody>
          {experiment.variants.map(({ variant, name, control }) => {
            const of = experiment.units[variant] ?? 0;
            return (
              <tr>
                <th scope="row">
                  <ArmName index={control ? -1 : shapeOf(experiment, variant)} name={name || variant} />
                </th>
                <td title={String(of)}>{count(of)}</td>
                <td class="faint">{total > 0 ? percent(of / total, 2) : "–"}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
      <div class="plan-line dim">
        {count(pair)} of {count(plan)} planned per pair
      </div>
      <div class="bar" role="img" aria-label={`${percent(pair / plan)} of plan`}>
        <i style={{ width: `${Math.min(100, (pair / plan) * 100).toFixed(0)}%` }} />
      </div>
      {hour !== null && (
        <div class="small faint rate">
          +{count(hour)} in the last hour{experiment.units_per_day !== null && `, ${count(Math.round(experiment.units_per_day))} a day`}
        </div>
      )}
    </div>
  );
}

/** From the youngest cohort of any metric whose window has no waiting in it. */
function lastHour(experiment: Experiment): number | null {
  const open = experiment.metrics.find((it) => it.cohorts && it.maturity === "open") ?? experiment.metrics.find((it) => it.cohorts);
  const cohort = open?.cohorts?.["1h"];
  return cohort ? sum(Object.values(cohort.variants).map((it) => it.units)) : null;
}
