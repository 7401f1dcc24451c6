// The list, live: one stream for all rows.

import { batch, effect, signal, type Signal } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import { firstPaint } from "../../api/firstPaint";
import type { ApiError } from "../../api/client";
import { resource } from "../../api/resource";
import type { Beat, List } from "../../api/types";
import { connection, shown } from "../../freshness";
import { live, type Live } from "../../live";
import { millis } from "../../times";

export interface ListStore {
  list: Signal<List | null>;
  error: Signal<ApiError | null>;
  retryIn: Signal<number | null>;
  reload: () => void;
  close: () => void;
}

const isList = (document: unknown): document is List => typeof document === "object" && document !== null && "groups" in document && "experiments" in document;

function open(): ListStore {
  const painted = firstPaint();
  const first = isList(painted) ? painted : null;
  const fetched = resource<List>("/v1/experiments", first);
  const list = signal<List | null>(first);
  let stream: Live | null = null;

  const tellAge = (it: List, serverTime: string) => {
    const since = Math.max(0, millis(serverTime) - millis(it.server_time)) || 0;
    const { freshness } = it;
    shown.value = { logTime: freshness.log_time, ageMs: (freshness.age_ms ?? 0) + since, saidAt: performance.now(), heldBy: freshness.held_by ?? null, frozen: null };
  };
  const put = (next: List) => {
    const before = list.peek();
    if (before && millis(next.look) < millis(before.look)) return;
    batch(() => {
      list.value = next;
      tellAge(next, next.server_time);
    });
  };
  const beat = (data: unknown) => {
    const now = list.peek();
    if (now) tellAge(now, (data as Beat).server_time);
  };
  const stops = [effect(() => {
      if (fetched.data.value) put(fetched.data.value);
    })];
  const listen = () => {
    if (stream) return;
    stream = live("/v1/stream", { result: (data) => isList(data) && put(data), beat, config: fetched.reload }, fetched.reload, list.peek()?.look ?? null);
    const mine = stream;
    stops.push(effect(() => void (connection.value = mine.connection.value)));
  };
  stops.push(effect(() => void (list.value && listen())));
  return {
    list,
    error: fetched.error,
    retryIn: fetched.retryIn,
    reload: fetched.reload,
    close: () => {
      stops.forEach((stop) => typeof stop === "function" && stop());
      stream?.close();
      fetched.close();
      connection.value = null;
    },
  };
}

export function useList(): ListStore {
  const store = useMemo(open, []);
  useEffect(() => () => store.close(), [store]);
  return store;
}
