// What is typed, kept in the address; and the server's answers to it.

import { signal, useSignal, type ReadonlySignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { ApiError, post } from "../../api/client";
import { address, go, query } from "../../router";
import { addressOf, read, type Inputs } from "./inputs";

/** While somebody types, nothing is asked: the answer would be old before it came. */
const TYPING_MS = 250;

export const inputs = signal<Inputs>(read(new URLSearchParams()));
let writing: ReturnType<typeof setTimeout> | undefined;
let written = "";

const here = () => address.peek().path + address.peek().query;

/** Changes some inputs; the address follows when the typing stops. */
export function change(changes: Partial<Inputs>, at_once = false): void {
  inputs.value = { ...inputs.peek(), ...changes };
  clearTimeout(writing);
  if (at_once) write();
  else writing = setTimeout(write, TYPING_MS);
}

function write(): void {
  written = addressOf(inputs.peek());
  // Somebody may have gone to another page meanwhile.
  if (location.pathname === "/plan" && here() !== written) go(written, true);
}

/** Follows the address: links, and going back. */
export function useAddress(): void {
  const now = query.value;
  const text = here();
  if (text !== written) {
    inputs.value = read(now);
    written = addressOf(inputs.peek());
  }
  // A plan without its inputs in the address would be another one when what is usual changes.
  useEffect(write, [text]);
}

export interface Answer<T> {
  data: ReadonlySignal<T | null>;
  error: ReadonlySignal<ApiError | null>;
  reload: () => void;
}

/** The answer to a question, asked anew when it changes; the last good one stays meanwhile. Null asks nothing. */
export function useAnswer<T>(path: string, question: unknown | null): Answer<T> {
  const data = useSignal<T | null>(null);
  const error = useSignal<ApiError | null>(null);
  const again = useSignal(0);
  const first = useRef(true);
  const text = question === null ? null : JSON.stringify(question);
  useEffect(() => {
    if (text === null) return;
    const abort = new AbortController();
    const ask = () =>
      post<T>(path, JSON.parse(text), abort.signal).then(
        (answer) => {
          if (abort.signal.aborted) return;
          error.value = null;
          data.value = answer;
        },
        (failure) => {
          if (!abort.signal.aborted && failure instanceof ApiError) error.value = failure;
        },
      );
    const wait = first.current ? 0 : TYPING_MS;
    first.current = false;
    const timer = setTimeout(ask, wait);
    return () => {
      clearTimeout(timer);
      abort.abort();
    };
  }, [path, text, again.value]);
  return { data, error, reload: () => again.value++ };
}
