// One stream, kept open: reconnects with growing waits, goes on after the last look, and sleeps while nobody looks.

import { signal, type Signal } from "@preact/signals";
import { readEvents, type ServerEvent } from "./api/events";

export type Connection = { state: "connecting" } | { state: "open" } | { state: "waiting"; seconds: number } | { state: "asleep" };

const WAIT_FIRST_S = 1;
const WAIT_MAX_S = 30;
/** A page in the background stops listening after this long, and fetches when it is looked at again. */
const HIDDEN_MS = 60_000;
/** Beats come every 5 s: after three without any, the connection is dead even if nobody said so. */
const SILENCE_MS = 16_000;
/** At most four paints a second: the newest event of each kind wins. */
const PAINT_MS = 250;

export type Handlers = Record<string, (data: unknown, id: string | null) => void>;

export interface Live {
  connection: Signal<Connection>;
  retryNow: () => void;
  close: () => void;
}

/** How long to wait before try `n` (from 0), in seconds; `luck` in [0, 1) keeps many pages from coming back at once. */
export function waitOf(n: number, luck: number): number {
  const full = Math.min(WAIT_MAX_S, WAIT_FIRST_S * 2 ** n);
  return full * (0.75 + luck / 2);
}

export function live(path: string, handlers: Handlers, woken: () => void, lastId: string | null = null): Live {
  const connection = signal<Connection>({ state: "connecting" });
  let abort = new AbortController();
  let tries = 0;
  let last = lastId;
  let closed = false;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let silence: ReturnType<typeof setTimeout> | undefined;
  let hidden: ReturnType<typeof setTimeout> | undefined;
  const painter = paintingAtMostEvery(PAINT_MS, handlers);
  const stateNow = () => connection.peek().state;

  const listen = () => {
    clearTimeout(silence);
    silence = setTimeout(() => abort.abort(new Error("silent")), SILENCE_MS);
  };
  const each = (event: ServerEvent) => {
    listen();
    if (event.event === "result" && event.id !== null) last = event.id;
    painter.push(event);
  };
  const opened = () => {
    tries = 0;
    connection.value = { state: "open" };
  };
  const connect = async () => {
    clearTimeout(timer);
    abort = new AbortController();
    const mine = abort;
    connection.value = { state: "connecting" };
    listen();
    await readEvents(path, last, mine.signal, opened, each).catch(() => {});
    if (!closed && mine === abort && stateNow() !== "asleep") wait();
  };
  const wait = () => {
    clearTimeout(silence);
    const until = performance.now() + waitOf(tries, Math.random()) * 1000;
    tries += 1;
    const tick = () => {
      const seconds = Math.ceil((until - performance.now()) / 1000);
      if (seconds <= 0) return void connect();
      connection.value = { state: "waiting", seconds };
      timer = setTimeout(tick, Math.min(1000, until - performance.now()));
    };
    tick();
  };
  const sleep = () => {
    connection.value = { state: "asleep" };
    clearTimeout(timer);
    clearTimeout(silence);
    abort.abort();
  };
  const seen = () => {
    clearTimeout(hidden);
    if (document.hidden) hidden = setTimeout(sleep, HIDDEN_MS);
    else if (connection.value.state === "asleep") {
      woken();
      void connect();
    }
  };
  document.addEventListener("visibilitychange", seen);
  void connect();
  return {
    connection,
    retryNow: () => {
      clearTimeout(timer);
      tries = 0;
      void connect();
    },
    close: () => {
      closed = true;
      for (const it of [timer, silence, hidden]) clearTimeout(it);
      painter.stop();
      abort.abort();
      document.removeEventListener("visibilitychange", seen);
    },
  };
}

function paintingAtMostEvery(ms: number, handlers: Handlers) {
  // Alarms and changes of configuration are few and all matter; of results and beats only the newest does.
  let newest = new Map<string, ServerEvent>();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const deliver = (event: ServerEvent) => {
    let data: unknown;
    try {
      data = JSON.parse(event.data);
    } catch {
      return;
    }
    handlers[event.event]?.(data, event.id);
  };
  const paint = () => {
    const events = [...newest.values()];
    newest = new Map();
    timer = undefined;
    events.forEach(deliver);
  };
  return {
    push(event: ServerEvent) {
      if (event.event !== "result" && event.event !== "beat") return deliver(event);
      newest.set(event.event, event);
      timer ??= setTimeout(paint, ms);
    },
    stop: () => clearTimeout(timer),
  };
}
