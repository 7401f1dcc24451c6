// Says changes of state to those who listen: at most one a minute, because a reader that talks all the time says nothing.

import { signal } from "@preact/signals";

export const spoken = signal("");
const EVERY_MS = 60_000;
let last = Number.NEGATIVE_INFINITY;
let waiting: ReturnType<typeof setTimeout> | undefined;

export function announce(text: string): void {
  clearTimeout(waiting);
  const wait = last + EVERY_MS - performance.now();
  const speak = () => {
    last = performance.now();
    spoken.value = text;
  };
  if (wait <= 0) speak();
  // The newest words win; older ones are not true any more.
  else waiting = setTimeout(speak, wait);
}
