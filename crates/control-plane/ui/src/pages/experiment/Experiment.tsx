// One experiment: a single document in the order of people's questions, so that finding, printing and linking work.

import { useEffect } from "preact/hooks";
import { type Asked, Failure } from "../../parts/Failure";
import { Skeleton } from "../../parts/Skeleton";
import { go, query, withQuery } from "../../router";
import { ageNow } from "../../freshness";
import { onKey } from "../../keys";
import { lazy } from "../../lazy";
import { useStore } from "../../store";
import { moveRow } from "../../rows";
import type { Experiment as Shape, Results } from "../../api/types";
import { ofExperiment } from "../../api/client";
import { useResource } from "../../api/resource";
import type { ExperimentLog, History } from "../../api/types";
import type { Scale } from "../../columns";
import { Head } from "./Head";
import { Metrics } from "./Metrics";
import { Sections } from "./Sections";
import { VerdictCard } from "./VerdictCard";
import { useTold } from "./told";

/** What stands below the first screen comes a moment later. */
const Provisional = lazy(() => import("./later").then((it) => it.Provisional));
const Below = lazy(() => import("./later").then((it) => it.Below));

/** What the parts of the page are given. */
export interface Shown {
  experiment: Shape;
  results: Results;
  scale: Scale;
}

export function Experiment({ id }: { id: string }) {
  const look = query.value.get("look");
  const asked = look === null ? "results" : `results?look=${encodeURIComponent(look)}`;
  const isOurs = (it: object) => "provenance" in it && (it as Results).experiments.some((of) => of.experiment === id);
  const store = useStore<Results>(ofExperiment(id, asked), look === null ? ofExperiment(id, "stream") : null, isOurs);
  const results = store.data.value;
  const error = store.error.value;
  if (!results) {
    if (error) return <NotLoaded id={id} of={store} />;
    return <Skeleton />;
  }
  const phases = results.experiments.filter((it) => it.experiment === id);
  const experiment = phases.find((it) => it.in_force) ?? phases[0];
  if (!experiment) return <NotLoaded id={id} of={store} detail="The look has no results of it." />;
  return <Loaded experiment={experiment} earlier={phases.filter((it) => it !== experiment)} results={results} asked={store} frozen={look !== null} />;
}

interface LoadedProps {
  experiment: Shape;
  earlier: Shape[];
  results: Results;
  asked: Asked;
  frozen: boolean;
}

function Loaded({ experiment, earlier, results, asked, frozen }: LoadedProps) {
  const id = experiment.experiment;
  const scale: Scale = query.value.get("scale") === "difference" ? "difference" : "lift";
  const log = useResource<ExperimentLog>(ofExperiment(id, "log"));
  const history = useResource<History>(ofExperiment(id, "history"));
  const told = useTold(experiment, results, frozen ? 0 : (ageNow.value ?? 0), log?.data.value ?? null);
  const age = frozen ? 0 : (ageNow.value ?? 0);
  useEffect(() => {
    document.title = `${experiment.title || id} · Assay`;
  }, [experiment.title, id]);
  useLookKeys(results.look, frozen, history?.data.value ?? null);
  const retryIn = asked.retryIn?.value;
  const shown = { experiment, results, scale };
  return (
    <>
      <div class="in">
        <Head experiment={experiment} results={results} pill={told.pill} />
        {asked.error.value && (
          <p class="notice" role="status">
            <span>Newer results could not be loaded; these are the last good ones.{retryIn != null && ` Trying again in ${retryIn} s.`}</span>
            <button type="button" class="link" onClick={asked.reload}>
              Try now
            </button>
          </p>
        )}
        <VerdictCard experiment={experiment} results={results} told={told} ageMs={age} />
        {results.provisional && <Provisional experiment={experiment} results={results} />}
      </div>
      <Sections scale={scale} look={results.look} frozen={frozen} experiment={experiment} />
      <div class="in">
        <Metrics {...shown} />
        <Below shown={shown} frozen={frozen} earlier={earlier} log={log} />
        <div class="foot" />
      </div>
    </>
  );
}

/** Looks before and after, among those that the history has. */
function useLookKeys(look: string, frozen: boolean, history: History | null): void {
  useEffect(() => {
    const looks = (Object.values(history?.series ?? {})[0] ?? []).map((point) => String(point[0]));
    const step = (by: -1 | 1) => {
      const earlier = looks.filter((it) => it < look);
      const to = by < 0 ? earlier[earlier.length - 1] : looks.find((it) => it > look);
      if (to !== undefined) go(withQuery({ look: to }), true);
      else if (by > 0) go(withQuery({ look: null }), true);
    };
    const stops = [
      onKey("[", () => step(-1)),
      onKey("]", () => frozen && step(1)),
      onKey("l", () => go(withQuery({ look: null }))),
      onKey("d", () => go(withQuery({ scale: query.peek().get("scale") === "difference" ? null : "difference" }), true)),
      onKey("j", () => moveRow(1)),
      onKey("k", () => moveRow(-1)),
    ];
    return () => stops.forEach((stop) => stop());
  }, [look, frozen, history]);
}

function NotLoaded({ id, of, detail }: { id: string; of: Asked; detail?: string }) {
  const error = of.error.value;
  const gone = !error || error.status === 404;
  return (
    <>
      <div class="in">
        <div class="crumb">
          <a href="/experiments">Experiments</a> / {id}
        </div>
        <h1 class="vh">{id}</h1>
      </div>
      <Failure
        title={gone ? `There are no results of ${id}.` : "The results could not be loaded."}
        of={of}
        detail={detail ?? `${error?.message}${gone ? "" : " Flags keep working from the last good copy."}`}
      />
    </>
  );
}
