// Single keys, and `g` followed by one. They can be switched off: who dictates or slips would otherwise press them by accident (WCAG 2.1.4).

import { signal } from "@preact/signals";
import { recall, remember } from "./memory";

export interface Key {
  keys: string;
  does: string;
}

/** What the list of keys says; the order is that of the list. */
export const KEYS: Key[] = [
  { keys: "/", does: "Find an experiment" },
  { keys: "g e", does: "Go to experiments" },
  { keys: "g p", does: "Go to the planner" },
  { keys: "g s", does: "Go to the status" },
  { keys: "j k", does: "Next and previous row" },
  { keys: "Enter", does: "Open the row" },
  { keys: "[ ]", does: "Previous and next look" },
  { keys: "l", does: "Back to live" },
  { keys: "d", does: "Lift or difference" },
  { keys: "t", does: "Light, dark, or as the system says" },
  { keys: "?", does: "This list" },
  { keys: "Esc", does: "Close" },
];

export const keysOn = signal(true);
const SEQUENCE_MS = 1500;
const actions = new Map<string, () => void>();

/** Makes a key do something until the returned function is called. */
export function onKey(key: string, action: () => void): () => void {
  actions.set(key, action);
  return () => {
    if (actions.get(key) === action) actions.delete(key);
  };
}

export function switchKeys(on: boolean): void {
  keysOn.value = on;
  remember("keys", on ? "on" : "off");
}

const typing = (target: EventTarget | null) => target instanceof Element && target.closest("input, textarea, select, [contenteditable]") !== null;

export function startKeys(): void {
  keysOn.value = recall("keys") !== "off";
  let pending = "";
  let since = 0;
  addEventListener("keydown", (event) => {
    if (!keysOn.value || event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || typing(event.target)) return;
    // A dialog has the keyboard to itself.
    if (document.querySelector("dialog[open]")) return;
    const sequence = pending && event.timeStamp - since < SEQUENCE_MS ? `${pending} ${event.key}` : event.key;
    pending = event.key === "g" && !pending ? "g" : "";
    since = event.timeStamp;
    const action = actions.get(sequence);
    if (!action) return;
    event.preventDefault();
    action();
  });
}
