// What one page shows: a whole look at a time, live or frozen. The last good one stays whatever happens.

import { batch, effect, signal, type Signal } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import type { ApiError } from "./api/client";
import { firstPaint } from "./api/firstPaint";
import { resource } from "./api/resource";
import type { Beat, Freshness } from "./api/types";
import { connection, shown } from "./freshness";
import { live, type Live } from "./live";
import { millis } from "./times";

interface Look {
  look: string;
  freshness: Freshness;
  server_time?: string;
}

export interface Store<T> {
  data: Signal<T | null>;
  error: Signal<ApiError | null>;
  retryIn: Signal<number | null>;
  reload: () => void;
  close: () => void;
}

/** `stream` tells of newer looks; without one the look is frozen. `isOurs` says whether what came is what the page is about. */
function open<T extends Look>(path: string, stream: string | null, isOurs: (it: object) => boolean): Store<T> {
  const ours = (it: unknown) => (typeof it === "object" && it !== null && isOurs(it) ? (it as T) : null);
  const first = stream === null ? null : ours(firstPaint());
  const fetched = resource<T>(path, first);
  const data = signal<T | null>(first);
  let listening: Live | null = null;

  /** The age that the server gave, and what has passed on its own clock since. */
  const tellAge = (it: T, serverTime = it.server_time) => {
    const { freshness } = it;
    const since = serverTime && it.server_time ? millis(serverTime) - millis(it.server_time) : 0;
    shown.value = {
      logTime: freshness.log_time,
      ageMs: (freshness.age_ms ?? 0) + Math.max(0, since),
      saidAt: performance.now(),
      heldBy: freshness.held_by ?? null,
      frozen: stream === null ? it.look : null,
    };
  };
  const put = (next: T | null) => {
    const before = data.peek();
    // A look that is older than the one shown came late over another way.
    if (!next || (stream !== null && before && millis(next.look) < millis(before.look))) return;
    batch(() => {
      data.value = next;
      tellAge(next);
    });
  };
  const beat = (it: unknown) => {
    const now = data.peek();
    if (now) tellAge(now, (it as Beat).server_time);
  };
  const stops = [effect(() => put(fetched.data.value))];
  // Nothing is streamed of what is not there; a page that has numbers may listen at once.
  stops.push(
    effect(() => {
      const now = data.value;
      if (stream === null || listening || !now) return;
      const mine = live(stream, { result: (it) => put(ours(it)), beat, config: fetched.reload }, fetched.reload, now.look);
      listening = mine;
      stops.push(effect(() => void (connection.value = mine.connection.value)));
    }),
  );
  return {
    ...fetched,
    data,
    close: () => {
      stops.forEach((stop) => stop());
      listening?.close();
      fetched.close();
      connection.value = null;
    },
  };
}

export function useStore<T extends Look>(path: string, stream: string | null, isOurs: (it: object) => boolean): Store<T> {
  const store = useMemo(() => open<T>(path, stream, isOurs), [path]);
  useEffect(() => () => store.close(), [store]);
  return store;
}
