// Two versions of a definition, line by line.

import { useEffect } from "preact/hooks";
import type { Definition } from "../../api/types";
import { useResource } from "../../api/resource";
import { diff } from "../../diff";
import { Card } from "../../parts/Card";
import { Failure } from "../../parts/Failure";
import { Skeleton } from "../../parts/Skeleton";
import { experimentPath } from "../../router";
import { full } from "../../times";

export function Versions({ id, from, to }: { id: string; from: number; to: number }) {
  const path = (version: number) => `/v1/experiments/${encodeURIComponent(id)}/definition?version=${version}`;
  const [a, b] = [useResource<Definition>(path(from)), useResource<Definition>(path(to))];
  useEffect(() => {
    document.title = `${id}, versions ${from} and ${to} · Assay`;
  }, [id, from, to]);
  const error = a?.error.value ?? b?.error.value;
  const [before, after] = [a?.data.value, b?.data.value];
  if (error && (!before || !after)) {
    return <Failure title="The versions could not be loaded." detail={error.message} retry={() => [a, b].forEach((it) => it?.reload())} requestId={error.requestId} retryIn={a?.retryIn.value ?? b?.retryIn.value ?? null} />;
  }
  if (!before || !after) return <Skeleton />;
  const changes = diff(before.yaml, after.yaml);
  const [added, removed] = ["added", "removed"].map((kind) => changes.filter((it) => it.kind === kind).length);
  return (
    <div class="in">
      <div class="crumb">
        <a href="/experiments">Experiments</a> / <a href={experimentPath(id)}>{id}</a> / versions
      </div>
      <div class="head">
        <div>
          <h1>
            Version {before.version} to {after.version}
          </h1>
          <div class="meta">
            <span>
              {added} lines added, {removed} removed
            </span>
            {after.at && <span>Since {full(after.at)}</span>}
          </div>
        </div>
      </div>
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
