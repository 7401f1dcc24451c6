// Fills the form from an experiment that runs: its primary metric as the control has it now, its size and its plan.

import { useEffect } from "preact/hooks";
import { useSignal } from "@preact/signals";
import { get, ofExperiment } from "../../api/client";
import { useResource } from "../../api/resource";
import type { List, Results } from "../../api/types";
import { filledFrom } from "./filled";
import { Select } from "./Select";
import { change } from "./state";

export function FromExperiment() {
  const list = useResource<List>("/v1/experiments");
  const chosen = useSignal("");
  const problem = useSignal("");
  useEffect(() => {
    const id = chosen.value;
    if (!id) return;
    const abort = new AbortController();
    get<Results>(ofExperiment(id, "results"), abort.signal).then(
      (results) => {
        const filled = filledFrom(results);
        problem.value = filled ? "" : "It has no primary metric with values yet.";
        if (filled) change(filled, true);
      },
      (failure) => {
        if (!abort.signal.aborted) problem.value = failure instanceof Error ? failure.message : "It could not be read.";
      },
    );
    return () => abort.abort();
  }, [chosen.value]);
  const running = (list?.data.value?.experiments ?? []).filter((it) => it.status === "running" || it.status === "paused");
  if (running.length === 0) return null;
  return (
    <Select label="Fill in from" value={chosen.value} options={[["", "an experiment …"], ...running.map((it): [string, string] => [it.experiment, it.title || it.experiment])]} choose={(id) => (chosen.value = id)}>
      {problem.value && <span class="h t-alarm">{problem.value}</span>}
    </Select>
  );
}
