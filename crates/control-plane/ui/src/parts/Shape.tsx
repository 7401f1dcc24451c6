// An arm's shape and name; the control is an open circle.

import { outlineOf } from "../outline";

/** `index` counts treatments from 0; the control has -1. */
export function Shape({ index }: { index: number }) {
  if (index < 0) {
    return (
      <svg viewBox="0 0 12 12" aria-hidden="true">
        <circle cx="6" cy="6" r="4.4" fill="none" stroke="currentColor" stroke-width="1.8" />
      </svg>
    );
  }
  return (
    <svg viewBox="0 0 12 12" aria-hidden="true">
      <path d={outlineOf(index)} fill="currentColor" fill-rule="evenodd" />
    </svg>
  );
}

export function ArmName({ index, name, strong = false }: { index: number; name: string; strong?: boolean }) {
  return (
    <span class={strong ? "arm strong" : "arm"}>
      <Shape index={index} />
      {name}
    </span>
  );
}
