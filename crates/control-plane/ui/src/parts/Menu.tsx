// A button that opens a short list to choose from. Arrow keys move in it, Esc closes it and gives the focus back.

import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { Icon, type IconName } from "./Icon";

export interface Choice {
  text: string;
  chosen?: boolean;
  choose: () => void;
}

interface Props {
  label: string;
  icon?: IconName;
  choices: Choice[];
  /** Something to fill in below the choices. */
  extra?: (close: () => void) => ComponentChildren;
}

export function Menu({ label, icon, choices, extra }: Props) {
  const open = useSignal(false);
  const root = useRef<HTMLSpanElement>(null);
  const button = useRef<HTMLButtonElement>(null);
  const close = () => {
    open.value = false;
    button.current?.focus();
  };
  useEffect(() => {
    if (!open.value) return;
    root.current?.querySelector<HTMLElement>(".list-of button")?.focus();
    const outside = (event: Event) => {
      if (!root.current?.contains(event.target as Node)) open.value = false;
    };
    document.addEventListener("pointerdown", outside);
    return () => document.removeEventListener("pointerdown", outside);
  }, [open.value]);
  const keys = (event: KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (event.key === "Escape") close();
    else if (step && open.value) {
      const items = [...(root.current?.querySelectorAll<HTMLElement>(".list-of button, .list-of input") ?? [])];
      items[(items.indexOf(document.activeElement as HTMLElement) + step + items.length) % items.length]?.focus();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <span class="menu-at" ref={root} onKeyDown={keys}>
      <button type="button" class="btn s" ref={button} aria-expanded={open.value} onClick={() => (open.value = !open.value)}>
        {icon && <Icon name={icon} />}
        {label}
        <Icon name="more" />
      </button>
      {open.value && (
        <div class="list-of" role="group" aria-label={label}>
          {choices.map((it) => (
            <button
              type="button"
              aria-pressed={it.chosen ?? false}
              onClick={() => {
                close();
                it.choose();
              }}
            >
              {it.text}
              {it.chosen && <Icon name="ok" />}
            </button>
          ))}
          {extra?.(close)}
        </div>
      )}
    </span>
  );
}
