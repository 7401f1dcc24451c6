// Words that say a state: when they change while they are shown, an ink line below them says so for a moment.

import type { ComponentChildren } from "preact";
import { useRef } from "preact/hooks";
import { gist } from "../gist";

export function Word({ text, children = text }: { text: string; children?: ComponentChildren }) {
  const now = gist(text);
  const last = useRef(now);
  const changes = useRef(0);
  if (last.current !== now) changes.current += 1;
  last.current = now;
  return (
    <span class={changes.current > 0 ? "changed" : undefined} key={changes.current}>
      {children}
    </span>
  );
}
