// One address of the server as a signal: the last good answer stays while a newer one is fetched or has failed.

import { signal, type Signal } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import { ApiError, get } from "./client";

export interface Resource<T> {
  data: Signal<T | null>;
  error: Signal<ApiError | null>;
  /** Seconds until the next try; null when none is waiting. */
  retryIn: Signal<number | null>;
  reload: () => void;
  close: () => void;
}

const RETRY_FIRST_S = 1;
const RETRY_MAX_S = 30;

/** Starts to fetch at once, unless `first` is the answer already. */
export function resource<T>(path: string, first: T | null = null): Resource<T> {
  const data = signal<T | null>(first);
  const error = signal<ApiError | null>(null);
  const retryIn = signal<number | null>(null);
  let abort = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  let wait = RETRY_FIRST_S;

  const load = () => {
    clearTimeout(timer);
    abort.abort();
    abort = new AbortController();
    retryIn.value = null;
    get<T>(path, abort.signal).then(
      (answer) => {
        wait = RETRY_FIRST_S;
        error.value = null;
        data.value = answer;
      },
      (failure) => failure instanceof ApiError && failed(failure),
    );
  };
  const failed = (failure: ApiError) => {
    error.value = failure;
    // What is missing stays missing, and a refusal stays a refusal.
    if (failure.status >= 400 && failure.status < 500 && failure.status !== 429) return;
    countDown(wait);
    wait = Math.min(RETRY_MAX_S, wait * 2);
  };
  const countDown = (left: number) => {
    retryIn.value = left;
    timer = setTimeout(() => (left > 1 ? countDown(left - 1) : load()), 1000);
  };
  const close = () => {
    clearTimeout(timer);
    abort.abort();
  };
  if (first === null) load();
  return { data, error, retryIn, reload: load, close };
}

/** A resource for as long as the component is shown with this address. */
export function useResource<T>(path: string | null): Resource<T> | null {
  const it = useMemo(() => (path === null ? null : resource<T>(path)), [path]);
  useEffect(() => () => it?.close(), [it]);
  return it;
}
