// What is asked. Every change is in the address at once; there is nothing to submit.

import type { ComponentChildren } from "preact";
import { useId } from "preact/hooks";
import type { PlanAnswer } from "../../api/schema";
import { Switch } from "../../parts/Switch";
import { capital } from "../../words/part";
import { type Inputs, type Kind, type Stage, USUAL, USUAL_MEAN, type Wrong } from "./inputs";
import { Select } from "./Select";
import { change, inputs } from "./state";
import { METHODS, otherWay } from "./words";

interface Props {
  wrong: Wrong | null;
  answer: PlanAnswer | null;
  use: () => void;
  children?: ComponentChildren;
}

interface FieldOf {
  name: keyof Inputs;
  label: string;
  /** For those who listen, where the label is a symbol or repeats. */
  spoken?: string;
  after?: string;
  hint?: string;
  placeholder?: string;
}

const KINDS: [Kind, string][] = [
  ["conversion", "Conversion"],
  ["mean", "Mean"],
  ["ratio", "Ratio"],
];

const STAGES: [Stage, string][] = [
  ["before", "Before launch"],
  ["running", "Running"],
];

/** What is known of the metric today, row by row. */
const MEASURED: Record<Kind, FieldOf[][]> = {
  conversion: [[{ name: "base", label: "Rate today", after: "%" }]],
  mean: [
    [
      { name: "base", label: "Mean today" },
      { name: "deviation", label: "Standard deviation" },
    ],
  ],
  ratio: [
    [
      { name: "numerator", label: "Numerator", spoken: "Numerator, its mean per unit" },
      { name: "numeratorDeviation", label: "Deviation", spoken: "Standard deviation of the numerator" },
    ],
    [
      { name: "denominator", label: "Denominator", spoken: "Denominator, its mean per unit" },
      { name: "denominatorDeviation", label: "Deviation", spoken: "Standard deviation of the denominator" },
    ],
    [{ name: "correlation", label: "Correlation of the two", hint: "Both per unit of randomisation, so that the spread is that of whole units." }],
  ],
};

function rowsOf({ kind, stage, noun }: Inputs, lift: string): FieldOf[][] {
  return [
    ...MEASURED[kind],
    [{ name: "lift", label: "Smallest lift worth finding", after: lift }],
    [
      { name: "alpha", label: "α", spoken: "Alpha, the share of false positives" },
      { name: "power", label: "Power", after: "%" },
    ],
    [
      { name: "treatments", label: "Treatments" },
      { name: "split", label: "Split", placeholder: "equal" },
    ],
    [{ name: "day", label: `New ${noun} a day`, hint: "New, not active: people who were already counted do not count again." }],
    ...(stage === "running" ? [[{ name: "units" as const, label: `${capital(noun)} so far`, hint: "In all arms together." }]] : []),
  ];
}

export function Form({ wrong, answer, use, children }: Props) {
  const it = inputs.value;
  const isPlan = answer !== null && wrong === null;
  // A rate is no mean: what was typed for one says nothing about the other.
  const measure = (kind: Kind) => change({ kind, ...(kind === it.kind ? {} : { base: kind === "mean" ? USUAL_MEAN : USUAL.base }) }, true);
  const field = (of: FieldOf) => <Field key={of.name} {...of} wrong={wrong?.field === of.name ? wrong.detail : null} />;
  return (
    <form class="card form" aria-label="Plan" onSubmit={(event) => event.preventDefault()}>
      <h2>Plan</h2>
      <Switch
        label="Stage"
        now={it.stage}
        options={STAGES}
        choose={(stage) => change({ stage }, true)}
      />
      {children}
      <Switch label="Metric kind" now={it.kind} options={KINDS} choose={measure} />
      {rowsOf(it, isPlan ? otherWay(answer) : "% relative").map((row) => (
        <div class="row" key={row[0]?.name}>
          {row.map(field)}
        </div>
      ))}
      <Select
        label="How will you read it?"
        value={it.method}
        wrong={wrong?.field === "method"}
        options={Object.entries(METHODS).map(([method, { option }]) => [method, option])}
        choose={(method) => change({ method: method as Inputs["method"] }, true)}
      />
      {it.method === "group_sequential" && field({ name: "looks", label: "Planned looks" })}
      {it.stage === "before" && (
        <button type="button" class="btn main wide" onClick={use} disabled={!isPlan}>
          Use for a new experiment
        </button>
      )}
    </form>
  );
}

function Field({ name, label, spoken, after, hint, placeholder, wrong }: FieldOf & { wrong: string | null }) {
  const id = useId();
  const about = wrong ?? hint;
  return (
    <label>
      {label}
      <span class={wrong ? "inp wrong" : "inp"}>
        <input
          value={inputs.value[name]}
          inputMode={name === "split" ? "text" : "decimal"}
          autocomplete="off"
          spellcheck={false}
          placeholder={placeholder}
          aria-label={spoken}
          aria-invalid={wrong !== null}
          aria-describedby={about && id}
          onInput={(event) => change({ [name]: event.currentTarget.value })}
        />
        {after && <span>{after}</span>}
      </span>
      {about && (
        <span class={wrong ? "h t-alarm" : "h"} id={id}>
          {about}
        </span>
      )}
    </label>
  );
}
