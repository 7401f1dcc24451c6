// SQL and export: the same numbers elsewhere, and where they come from.

import { useSignal } from "@preact/signals";
import type { Results } from "../../api/types";
import { ofExperiment } from "../../api/client";
import { copy, save } from "../../copy";
import { primaryOf } from "../../model";
import { Card } from "../../parts/Card";
import { Icon } from "../../parts/Icon";
import { query } from "../../router";
import type { Shown } from "./Experiment";

const KEYWORDS = /\b(SELECT|FROM|WHERE|AND|ORDER BY|FINAL)\b/;
/** More partitions than this are counted, and named in the JSON. */
const OFFSETS_MAX = 8;

export function Sql({ experiment, results }: Shown) {
  const copied = useSignal(false);
  const id = experiment.experiment;
  const asked = query.value.get("metric") ?? primaryOf(experiment)?.metric ?? "";
  const text = sqlOf(experiment, asked, results.look);
  const look = `?look=${encodeURIComponent(results.look)}`;
  const copySql = () =>
    copy(text).then(() => {
      copied.value = true;
      setTimeout(() => (copied.value = false), 2000);
    });
  return (
    <Card
      id="sql"
      class="block"
      title="SQL and export"
      about="The same numbers from the columnar store. Anyone who replays these offsets gets the same bits."
      side={
        <span class="acts-row">
          <button type="button" class="btn s" onClick={copySql}>
            <Icon name="copy" />
            <span aria-live="polite">{copied.value ? "Copied" : "Copy SQL"}</span>
          </button>
          <button type="button" class="btn s" onClick={() => save(`${id}.json`, "application/json", JSON.stringify(results, null, 2))}>
            JSON
          </button>
          <a class="btn s" href={ofExperiment(id, `results.csv${look}`)} download={`${id}.csv`}>
            CSV
          </a>
        </span>
      }
    >
      <pre class="flat" tabIndex={0} role="region" aria-label="SQL">
        {text.split(KEYWORDS).map((part) => (KEYWORDS.test(part) ? <b>{part}</b> : part))}
      </pre>
      <Provenance results={results} looks={experiment.looks_evaluated} />
    </Card>
  );
}

const quoted = (value: string) => `'${value.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;

function sqlOf(experiment: Shown["experiment"], metric: string, look: string): string {
  return `SELECT variant, segment, segment_value, units, sum, mean, lift, lift_low, lift_high, p_value_running
FROM experiment_results FINAL
WHERE experiment_id = ${quoted(experiment.experiment)} AND salt = ${quoted(experiment.salt)}
  AND metric = ${quoted(metric)} AND look = ${quoted(look.replace("T", " ").replace("Z", ""))}
ORDER BY segment, segment_value, variant`;
}

function Provenance({ results, looks }: { results: Results; looks: number }) {
  const { provenance } = results;
  const all = Object.entries(provenance.offsets).sort(([a], [b]) => Number(a) - Number(b));
  const offsets = all.slice(0, OFFSETS_MAX).map(([partition, [from, to]]) => `${partition}:[${from},${to})`);
  const more = all.length > OFFSETS_MAX ? ` and ${all.length - OFFSETS_MAX} more` : "";
  return (
    <div class="prov">
      <Fact name="Look" value={results.look} />
      <Fact name="Offsets" value={offsets.join(" ") + more} />
      <Fact name="Log" value={provenance.log} />
      <Fact name="Revision" value={String(provenance.config_version)} />
      <Fact name="Semantics" value={String(provenance.semantics)} />
      <Fact name="Build" value={provenance.build} />
      <Fact name="Aligned looks" value={looks.toLocaleString("en")} />
      <span>
        Verify: <span class="mono">assay replay --json</span> on these offsets gives this JSON
      </span>
    </div>
  );
}

const Fact = ({ name, value }: { name: string; value: string }) => (
  <span>
    {name} <span class="mono">{value}</span>
  </span>
);
