// SQL and export: the same numbers elsewhere, and where they come from.

import { useSignal } from "@preact/signals";
import { announce } from "../../announce";
import { get, ofExperiment, text as download } from "../../api/client";
import { token } from "../../api/token";
import type { History, Metric, Results } from "../../api/types";
import { copy, save } from "../../copy";
import { primaryOf } from "../../model";
import { Card } from "../../parts/Card";
import { Icon } from "../../parts/Icon";
import { Menu } from "../../parts/Menu";
import { query } from "../../router";
import { provenanceOf } from "./provenance";
import type { Shown } from "./Experiment";
import { Verify } from "./Verify";

const KEYWORDS = /\b(SELECT|FROM|WHERE|AND|ORDER BY|FINAL)\b/;
export function Sql({ experiment, results, scale }: Shown) {
  const copied = useSignal(false);
  const id = experiment.experiment;
  const asked = query.value.get("metric");
  const metric = experiment.metrics.find((it) => it.metric === asked) ?? primaryOf(experiment);
  const text = sqlOf(experiment, metric?.metric ?? "", results.look);
  const csv = ofExperiment(id, `results.csv?look=${encodeURIComponent(results.look)}`);
  // Without a token the browser does it, which says how far it is and where it went wrong.
  const saveCsv = (event: Event) => {
    if (token.peek() === null) return;
    event.preventDefault();
    download(csv).then(
      (table) => save(`${id}.csv`, "text/csv", table),
      (why) => announce(`The table could not be saved: ${(why as Error).message}`),
    );
  };
  const copySql = () =>
    copy(text).then(() => {
      copied.value = true;
      setTimeout(() => (copied.value = false), 2000);
    });
  const problem = useSignal("");
  const picture = async (name: string, draw: (it: typeof import("./pictures"), of: Metric) => string | Promise<string>) => {
    problem.value = "";
    try {
      const { pictures } = await import("./later");
      if (metric) save(`${id}-${metric.metric}-${name}.svg`, "image/svg+xml", pictures.inked(await draw(pictures, metric), lightToken));
    } catch (failure) {
      problem.value = `The picture could not be drawn: ${failure instanceof Error ? failure.message : "unknown"}`;
    }
  };
  const overTime = () =>
    picture("over-time", async (it, of) => {
      const history = await get<History>(ofExperiment(id, `history?metric=${encodeURIComponent(of.metric)}&to=${encodeURIComponent(results.look)}`));
      return it.overTimeSvg(experiment, results, of, history, scale);
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
          <a class="btn s" href={csv} download={`${id}.csv`} onClick={saveCsv}>
            CSV
          </a>
          <Menu
            label="SVG"
            choices={[
              { text: `${metric?.name} over time`, choose: overTime },
              { text: `${metric?.name}, intervals`, choose: () => picture("intervals", (it, of) => it.intervalsSvg(experiment, results, of, scale)) },
            ]}
          />
        </span>
      }
    >
      <pre class="flat" tabIndex={0} role="region" aria-label="SQL">
        {text.split(KEYWORDS).map((part) => (KEYWORDS.test(part) ? <b>{part}</b> : part))}
      </pre>
      {problem.value && (
        <p class="empty t-warn" role="alert">
          {problem.value}
        </p>
      )}
      <Provenance results={results} looks={experiment.looks_evaluated} />
      <Verify id={id} look={results.look} />
    </Card>
  );
}

/** A colour as paper has it, whatever theme the page has. */
function lightToken(name: string): string {
  const rules = [...document.styleSheets].flatMap((sheet) => [...sheet.cssRules]) as CSSStyleRule[];
  return rules.find((it) => it.selectorText === ":root")?.style.getPropertyValue(`--${name}`).trim() ?? "none";
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
  return (
    <div class="prov">
      {provenanceOf(results).map(([name, value]) => (
        <Fact name={name} value={value} />
      ))}
      <Fact name="Aligned looks" value={looks.toLocaleString("en")} />
    </div>
  );
}

const Fact = ({ name, value }: { name: string; value: string }) => (
  <span>
    {name} <span class="mono">{value}</span>
  </span>
);
