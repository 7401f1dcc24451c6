// Verify by replay: the server reads its log again up to this look, and compares what comes out with what it published.

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { drop, get, post } from "../../api/client";
import type { Verification } from "../../api/types";
import { percent, plural } from "../../numbers";
import { moment } from "../../times";

/** Often enough that the bar moves, seldom enough that asking costs nothing. */
const ASK_MS = 400;

export function Verify({ id, look }: { id: string; look: string }) {
  const found = useSignal<Verification | null>(null);
  const problem = useSignal("");
  const path = `/v1/experiments/${encodeURIComponent(id)}/verify`;
  const it = found.value;
  const running = it?.state === "running";
  const show = (next: Verification) => (found.value = next);
  const fail = (why: unknown) => {
    found.value = null;
    problem.value = (why as Error).message;
  };
  const begin = () => {
    problem.value = "";
    post<Verification>(`${path}?look=${encodeURIComponent(look)}`).then(show, fail);
  };
  const end = () => drop(path).then(() => fail(new Error("Ended.")), fail);
  useEffect(() => {
    if (!running) return;
    const asking = setInterval(() => get<Verification>(path).then(show, fail), ASK_MS);
    return () => clearInterval(asking);
  }, [running, path]);
  return (
    <div class="prov">
      {running ? (
        <>
          <progress value={it.share} aria-label="Replayed" />
          <span>{percent(it.share)} of the records replayed</span>
          <button type="button" class="link" onClick={end}>
            End
          </button>
        </>
      ) : (
        <button type="button" class="btn s" onClick={begin}>
          Verify by replay
        </button>
      )}
      <span role="status">{problem.value || (it && verifyWords(it))}</span>
      {!it && !problem.value && (
        <span>
          or run <span class="mono">assay replay --json --log … --look {look}</span>
        </span>
      )}
    </div>
  );
}

/** What came out, in a sentence. */
export function verifyWords(it: Verification): string {
  if (it.state === "running") return "";
  if (it.state === "failed") return `It could not be replayed: ${it.detail}. This does the same elsewhere: ${it.command}`;
  const read = `${plural(it.records, "record")} up to ${moment(it.look, true)} UTC, replayed in ${it.seconds.toFixed(1)} s`;
  const build = it.build === it.published_build ? "" : `, by ${it.build} instead of ${it.published_build}`;
  if (it.identical) return `Identical, byte by byte: ${read}${build}.`;
  const shown = (value: string | null) => value ?? "nothing";
  return `Not identical. At ${it.differs?.path || "the whole"} was published ${shown(it.differs?.published ?? null)}, and the replay has ${shown(it.differs?.replayed ?? null)} (${read}${build}).`;
}
