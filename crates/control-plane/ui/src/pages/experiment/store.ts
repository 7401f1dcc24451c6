// The results that one page shows: a whole look at a time, live or frozen. The last good one stays whatever happens.

import { batch, effect, signal, type Signal } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import { ApiError } from "../../api/client";
import { firstPaint } from "../../api/firstPaint";
import { resource } from "../../api/resource";
import type { Beat, Results } from "../../api/types";
import { connection, shown } from "../../freshness";
import { live, type Live } from "../../live";
import { millis } from "../../times";

export interface Store {
  results: Signal<Results | null>;
  error: Signal<ApiError | null>;
  retryIn: Signal<number | null>;
  reload: () => void;
  close: () => void;
}

const addressOf = (id: string, rest: string) => `/v1/experiments/${encodeURIComponent(id)}/${rest}`;

const isOf = (document: unknown, id: string): document is Results =>
  typeof document === "object" && document !== null && "provenance" in document && (document as Results).experiments.some((it) => it.experiment === id);

function open(id: string, look: string | null): Store {
  const painted = look === null ? firstPaint() : null;
  const first = isOf(painted, id) ? painted : null;
  const asked = look === null ? "results" : `results?look=${encodeURIComponent(look)}`;
  const fetched = resource<Results>(addressOf(id, asked), first);
  const results = signal<Results | null>(first);
  let stream: Live | null = null;

  const put = (next: Results) => {
    const before = results.peek();
    // A look that is older than the one shown came late over another way.
    if (look === null && before && millis(next.look) < millis(before.look)) return;
    batch(() => {
      results.value = next;
      tellAge(next, look);
    });
  };
  const heard = (data: unknown) => {
    if (isOf(data, id)) put(data);
  };
  const beat = (data: unknown) => {
    const now = results.peek();
    if (now) shown.value = ageAt(now, (data as Beat).server_time, look);
  };
  const stops = [
    effect(() => {
      const next = fetched.data.value;
      if (next) put(next);
    }),
  ];
  const listen = () => {
    if (look !== null || stream) return;
    stream = live(addressOf(id, "stream"), { result: heard, beat, config: fetched.reload }, fetched.reload, results.peek()?.look ?? null);
    const mine = stream;
    stops.push(effect(() => void (connection.value = mine.connection.value)));
  };
  // Nothing is streamed of what is not there; a page that has numbers may listen at once.
  stops.push(effect(() => void (results.value && listen())));
  return {
    results,
    error: fetched.error,
    retryIn: fetched.retryIn,
    reload: fetched.reload,
    close: () => {
      stops.forEach((stop) => stop());
      stream?.close();
      fetched.close();
      connection.value = null;
    },
  };
}

function tellAge(results: Results, frozen: string | null): void {
  shown.value = ageAt(results, results.server_time ?? null, frozen);
}

/** The age that the server gave, and what has passed on its own clock since. */
function ageAt(results: Results, serverTime: string | null, frozen: string | null) {
  const { freshness } = results;
  const since = serverTime && results.server_time ? millis(serverTime) - millis(results.server_time) : 0;
  return {
    logTime: freshness.log_time,
    ageMs: (freshness.age_ms ?? 0) + Math.max(0, since),
    saidAt: performance.now(),
    heldBy: freshness.held_by ?? null,
    frozen: frozen === null ? null : results.look,
  };
}

export function useStore(id: string, look: string | null): Store {
  const store = useMemo(() => open(id, look), [id, look]);
  useEffect(() => () => store.close(), [store]);
  return store;
}
