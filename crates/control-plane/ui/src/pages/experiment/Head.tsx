// Title, state, and what kind of experiment this is.

import { useSignal } from "@preact/signals";
import type { Experiment, Results } from "../../api/types";
import { Heading } from "../../parts/Heading";
import { Icon } from "../../parts/Icon";
import { Pill } from "../../parts/Pill";
import { experimentPath } from "../../router";
import { copy } from "../../copy";
import { full, local } from "../../times";
import type { Told } from "../../words/state";

const METHODS = { always_valid: "Always-valid", fixed_horizon: "One look at the planned end", group_sequential: "Group sequential", bayesian: "Bayesian" };

export function Head({ experiment, results, pill }: { experiment: Experiment; results: Results; pill: Told["pill"] }) {
  const copied = useSignal("");
  const id = experiment.experiment;
  const say = (what: string) => {
    copied.value = what;
    setTimeout(() => (copied.value = ""), 2000);
  };
  const share = () => {
    const link = `${location.origin}${experimentPath(id)}?look=${encodeURIComponent(results.look)}`;
    copy(link).then(() => say("Link copied"));
  };
  return (
    <>
      <div class="crumb">
        <a href="/experiments">Experiments</a> / {id}
      </div>
      <Heading
        title={experiment.title || id}
        acts={
          <button type="button" class="btn" onClick={share}>
            <Icon name="share" />
            <span aria-live="polite">{copied.value || "Share look"}</span>
          </button>
        }
      >
        <span>
          <Pill {...pill} />
        </span>
        <button type="button" class="idcopy" onClick={() => copy(id).then(() => say("Id copied"))} title="Copy the id" aria-label={`Copy the id ${id}`}>
          <span class="mono">{id}</span>
        </button>
        <span>
          {experiment.variants.length} arms, unit {experiment.unit_name}
        </span>
        <span>
          {METHODS[experiment.method]}, α {experiment.alpha}
        </span>
        {experiment.owner && <span>Owner {experiment.owner}</span>}
        {experiment.started && <span title={local(experiment.started)}>Since {full(experiment.started)}</span>}
      </Heading>
    </>
  );
}
