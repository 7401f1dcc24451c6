// Setup and history: the definition as people write it, its versions, and what happened, in the order of the log.

import { useSignal } from "@preact/signals";
import type { Definition, Experiment, ExperimentLog, LogEntry } from "../../api/types";
import { ofExperiment } from "../../api/client";
import { type Resource, useResource } from "../../api/resource";
import { totalUnits } from "../../model";
import { count } from "../../numbers";
import { Card } from "../../parts/Card";
import { Menu } from "../../parts/Menu";
import { Yaml } from "../../parts/Yaml";
import { experimentPath, go, withQuery } from "../../router";
import { local, moment } from "../../times";
import { entryWords } from "../../words/log";
import { units } from "../../words/part";

interface Props {
  experiment: Experiment;
  earlier: Experiment[];
  log: Resource<ExperimentLog> | null;
}

export function Setup({ experiment, earlier, log }: Props) {
  const version = useSignal<number | null>(null);
  const id = experiment.experiment;
  const asked = version.value === null ? "" : `?version=${version.value}`;
  const definition = useResource<Definition>(ofExperiment(id, `definition${asked}`));
  const shown = definition?.data.value;
  const versions = shown?.versions ?? [];
  const [before, last] = versions.slice(-2).map((it) => it.version);
  return (
    <div class="two block" id="setup" tabIndex={-1}>
      <Card
        title="Setup"
        about="Frozen at the start: planned size, α, method, primary metric. Changing them starts a new phase."
        side={
          <span class="acts-row">
            {versions.length > 1 && (
              <Menu
                label={`Version ${shown?.version ?? experiment.config_version}`}
                choices={[...versions].reverse().map((it) => ({
                  text: `Version ${it.version}${it.at ? `, ${moment(it.at)}` : ""}`,
                  chosen: it.version === shown?.version,
                  choose: () => (version.value = it.version),
                }))}
              />
            )}
            {before !== undefined && last !== undefined && (
              <button type="button" class="btn s" onClick={() => go(`${experimentPath(id)}/versions/${before}..${last}`)}>
                Compare versions
              </button>
            )}
          </span>
        }
      >
        {experiment.hypothesis && <p class="empty">{experiment.hypothesis}</p>}
        <pre tabIndex={0} role="region" aria-label="Definition">
          {shown ? (
            <>
              <i>{`# ${id}, version ${shown.version}, plan ${experiment.plan_hash}\n`}</i>
              <Yaml text={shown.yaml} />
            </>
          ) : (
            <i>{definition?.error.value ? `# ${definition.error.value.message}` : "# loading"}</i>
          )}
        </pre>
      </Card>
      <Card title="History" about="Versions, alarms and decisions, newest first.">
        <ol class="log">
          {[...((log?.data.value?.entries ?? []) as LogEntry[])].reverse().map((entry) => (
            <Entry experiment={experiment} entry={entry} />
          ))}
          {earlier.map((phase) => (
            <li>
              <time>earlier phase</time>
              <div>
                {phase.salt}, {count(totalUnits(phase))} {units(phase.unit_name)} <span class="who">· read out only</span>
              </div>
            </li>
          ))}
          {log?.error.value && <li>The history could not be loaded: {log.error.value.message}</li>}
        </ol>
      </Card>
    </div>
  );
}

function Entry({ experiment, entry }: { experiment: Experiment; entry: LogEntry }) {
  const words = entryWords(experiment, entry);
  const look = typeof entry.look === "string" ? entry.look : null;
  return (
    <li>
      <time dateTime={entry.at ?? undefined} title={local(entry.at)}>
        {entry.at ? moment(entry.at) : "just now"}
      </time>
      <div>
        {words.strong && <b>{words.strong}</b>}
        {words.text} <span class="who">· {entry.actor || "unknown"}</span>
        {look && (
          <>
            {" "}
            <a href={withQuery({ look }).replace(/#.*/, "")} class="faint">
              look
            </a>
          </>
        )}
      </div>
    </li>
  );
}
