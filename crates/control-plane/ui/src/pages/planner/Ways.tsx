// The same experiment read in every way, other splits, and the looks of the group sequential plan.

import type { PlanAnswer } from "../../api/schema";
import { Card } from "../../parts/Card";
import { Table } from "../../parts/Table";
import { count, percent, pValue } from "../../numbers";
import { capital } from "../../words/part";
import { durationWords, METHODS, share, splitWords } from "./words";

export function Ways({ answer, noun, looks }: { answer: PlanAnswer; noun: string; looks: number }) {
  const rows = answer.methods.map((plan) => {
    const chosen = plan.method === answer.method;
    const words = METHODS[plan.method];
    return [
      <span class={chosen ? "strong" : ""}>
        {words.name(plan.looks ?? looks)}
        {chosen && <span class="vh"> (chosen)</span>}
      </span>,
      <span class="dim">{words.may(plan.looks ?? looks)}</span>,
      count(plan.total),
      count(plan.total_on_average),
      durationWords(plan),
    ];
  });
  return (
    <Card title="Ways to read the same experiment" class="block">
      <Table
        caption="Methods side by side"
        columns={["Method", "You may look", `#${capital(noun)} at most`, "#On average", "Duration"]}
        rows={rows}
      />
      <div class="key line">
        <span class="faint">{splitWords(answer, noun)}</span>
      </div>
    </Card>
  );
}

export function Boundaries({ answer, noun }: { answer: PlanAnswer; noun: string }) {
  const looks = answer.boundaries.length;
  return (
    <Card title="Bounds of the group sequential plan" about={`${looks === 1 ? "One look" : `${looks} looks, evenly spaced`}; alpha is spent as O'Brien and Fleming did: little early, almost all at the end. A look in between that would have stopped makes the test void.`} class="block">
      <Table
        caption="Bounds, look by look"
        columns={["Look", `#${capital(noun)}`, "#Stop when |z| is at least", "#or ordinary p below", "#Alpha spent", "#Chance to have stopped"]}
        rows={answer.boundaries.map((it) => [`${it.look} of ${looks}`, count(it.units), it.z >= 8 ? "never" : it.z.toFixed(3), it.z >= 8 ? "never" : pValue(it.p_value), it.alpha_spent < 1e-4 ? "<0.01%" : share(it.alpha_spent), percent(it.chance, 1)])}
      />
    </Card>
  );
}
