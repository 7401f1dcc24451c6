// Fills the form from an experiment that runs: its primary metric as the control has it now, its size and its plan.

import { useEffect } from "preact/hooks";
import { useSignal } from "@preact/signals";
import { get } from "../../api/client";
import { useResource } from "../../api/resource";
import type { List, Results } from "../../api/types";
import { Icon } from "../../parts/Icon";
import { filledFrom } from "./filled";
import { change } from "./state";

export function FromExperiment() {
  const list = useResource<List>("/v1/experiments");
  const chosen = useSignal("");
  const problem = useSignal("");
  useEffect(() => {
    const id = chosen.value;
    if (!id) return;
    const abort = new AbortController();
    get<Results>(`/v1/experiments/${encodeURIComponent(id)}/results`, abort.signal).then(
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
    <label>
      Fill in from
      <span class="inp">
        <select value={chosen.value} onChange={(event) => (chosen.value = event.currentTarget.value)}>
          <option value="">an experiment …</option>
          {running.map((it) => (
            <option value={it.experiment}>{it.title || it.experiment}</option>
          ))}
        </select>
        <Icon name="more" />
      </span>
      {problem.value && <span class="h t-alarm">{problem.value}</span>}
    </label>
  );
}
