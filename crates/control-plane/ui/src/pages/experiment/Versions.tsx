// Two versions of a definition, line by line.

import { useEffect } from "preact/hooks";
import type { Definition } from "../../api/types";
import { ofExperiment } from "../../api/client";
import { useResource } from "../../api/resource";
import { diff } from "../../diff";
import { Card } from "../../parts/Card";
import { Failure } from "../../parts/Failure";
import { Heading } from "../../parts/Heading";
import { Skeleton } from "../../parts/Skeleton";
import { experimentPath } from "../../router";
import { full } from "../../times";

export function Versions({ id, from, to }: { id: string; from: number; to: number }) {
  const path = (version: number) => ofExperiment(id, `definition?version=${version}`);
  const [a, b] = [useResource<Definition>(path(from)), useResource<Definition>(path(to))];
  useEffect(() => {
    document.title = `${id}, versions ${from} and ${to} · Assay`;
  }, [id, from, to]);
  const failed = [a, b].find((it) => it?.error.value);
  const [before, after] = [a?.data.value, b?.data.value];
  if (failed && (!before || !after)) {
    return <Failure title="The versions could not be loaded." of={failed} />;
  }
  if (!before || !after) return <Skeleton />;
  const changes = diff(before.yaml, after.yaml);
  const [added, removed] = ["added", "removed"].map((kind) => changes.filter((it) => it.kind === kind).length);
  return (
    <div class="in">
      <div class="crumb">
        <a href="/experiments">Experiments</a> / <a href={experimentPath(id)}>{id}</a> / versions
      </div>
      <Heading title={`Version ${before.version} to ${after.version}`}>
        <span>
          {added} lines added, {removed} removed
        </span>
        {after.at && <span>Since {full(after.at)}</span>}
      </Heading>
      <Card title="Definition">
        <pre class="diff" tabIndex={0} role="region" aria-label="Differences">
          {changes.map((it) => {
            const text = it.text || " ";
            if (it.kind === "added") return <ins>{text}</ins>;
            return it.kind === "removed" ? <del>{text}</del> : <span>{text}</span>;
          })}
        </pre>
      </Card>
      <div class="foot" />
    </div>
  );
}
