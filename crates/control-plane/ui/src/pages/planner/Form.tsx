// What is asked. Every change is in the address at once; there is nothing to submit.

import type { ComponentChildren } from "preact";
import { useId } from "preact/hooks";
import type { PlanAnswer } from "../../api/schema";
import { Icon } from "../../parts/Icon";
import type { Inputs, Kind, Method, Stage, Wrong } from "./inputs";
import { change, inputs } from "./state";
import { BASES, METHODS, otherWay } from "./words";

interface Props {
  wrong: Wrong | null;
  answer: PlanAnswer | null;
  use: () => void;
  children?: ComponentChildren;
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

export function Form({ wrong, answer, use, children }: Props) {
  const it = inputs.value;
  const isPlan = answer !== null && wrong === null;
  return (
    <form class="card form" aria-label="Plan" onSubmit={(event) => event.preventDefault()}>
      <h2>Plan</h2>
      <Choice label="Stage" name="stage" options={STAGES} />
      {children}
      <Choice label="Metric kind" name="kind" options={KINDS} />
      <Measured wrong={wrong} />
      <Field name="lift" label="Smallest lift worth finding" after={isPlan ? otherWay(answer) : "% relative"} wrong={wrong} />
      <div class="row">
        <Field name="alpha" label="α" spoken="Alpha, the share of false positives" wrong={wrong} />
        <Field name="power" label="Power" after="%" wrong={wrong} />
      </div>
      <div class="row">
        <Field name="treatments" label="Treatments" wrong={wrong} />
        <Field name="split" label="Split" placeholder="equal" wrong={wrong} />
      </div>
      <Field name="day" label={`New ${it.noun} a day`} hint="New, not active: people who were already counted do not count again." wrong={wrong} />
      {it.stage === "running" && <Field name="units" label={`${capital(it.noun)} so far`} hint="In all arms together." wrong={wrong} />}
      <Method wrong={wrong} />
      {it.method === "group_sequential" && <Field name="looks" label="Planned looks" wrong={wrong} />}
      {it.stage === "before" && (
        <button type="button" class="btn main wide" onClick={use} disabled={!isPlan}>
          Use for a new experiment
        </button>
      )}
    </form>
  );
}

const capital = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);

function Measured({ wrong }: { wrong: Wrong | null }) {
  switch (inputs.value.kind) {
    case "conversion":
      return <Field name="base" label={BASES.conversion} after="%" wrong={wrong} />;
    case "mean":
      return (
        <div class="row">
          <Field name="base" label={BASES.mean} wrong={wrong} />
          <Field name="deviation" label="Standard deviation" wrong={wrong} />
        </div>
      );
    case "ratio":
      return (
        <>
          <div class="row">
            <Field name="numerator" label="Numerator" spoken="Numerator, its mean per unit" wrong={wrong} />
            <Field name="numeratorDeviation" label="Deviation" spoken="Standard deviation of the numerator" wrong={wrong} />
          </div>
          <div class="row">
            <Field name="denominator" label="Denominator" spoken="Denominator, its mean per unit" wrong={wrong} />
            <Field name="denominatorDeviation" label="Deviation" spoken="Standard deviation of the denominator" wrong={wrong} />
          </div>
          <Field name="correlation" label="Correlation of the two" hint="Both per unit of randomisation, so that the spread is that of whole units." wrong={wrong} />
        </>
      );
  }
}

interface FieldProps {
  name: keyof Inputs;
  label: string;
  /** For those who listen, where the label is a symbol or repeats. */
  spoken?: string;
  after?: string;
  hint?: string;
  placeholder?: string;
  wrong: Wrong | null;
}

function Field({ name, label, spoken, after, hint, placeholder, wrong }: FieldProps) {
  const id = useId();
  const isWrong = wrong?.field === name;
  const about = isWrong ? `${id}-wrong` : hint ? `${id}-hint` : undefined;
  return (
    <label>
      {label}
      <span class={isWrong ? "inp wrong" : "inp"}>
        <input
          value={inputs.value[name]}
          inputMode={name === "split" ? "text" : "decimal"}
          autocomplete="off"
          spellcheck={false}
          placeholder={placeholder}
          aria-label={spoken}
          aria-invalid={isWrong}
          aria-describedby={about}
          onInput={(event) => change({ [name]: event.currentTarget.value })}
        />
        {after && <span>{after}</span>}
      </span>
      {isWrong ? (
        <span class="h t-alarm" id={`${id}-wrong`}>
          {wrong.detail}
        </span>
      ) : (
        hint && (
          <span class="h" id={`${id}-hint`}>
            {hint}
          </span>
        )
      )}
    </label>
  );
}

function Choice<T extends string>({ label, name, options }: { label: string; name: "kind" | "stage"; options: [T, string][] }) {
  const now = inputs.value[name];
  const choose = (to: T) => {
    // A rate is no mean: what was typed for one says nothing about the other.
    const base = name === "kind" && to !== now ? { base: to === "mean" ? "24" : "5" } : {};
    change({ [name]: to, ...base }, true);
  };
  return (
    <div class="seg" role="group" aria-label={label}>
      {options.map(([value, text]) => (
        <button type="button" aria-pressed={value === now} onClick={() => choose(value)}>
          {text}
        </button>
      ))}
    </div>
  );
}

function Method({ wrong }: { wrong: Wrong | null }) {
  const isWrong = wrong?.field === "method";
  return (
    <label>
      How will you read it?
      <span class="inp">
        <select value={inputs.value.method} aria-invalid={isWrong} onChange={(event) => change({ method: event.currentTarget.value as Method }, true)}>
          {Object.entries(METHODS).map(([method, { option }]) => (
            <option value={method}>{option}</option>
          ))}
        </select>
        <Icon name="more" />
      </span>
    </label>
  );
}
