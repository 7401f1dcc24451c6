// Light, dark, or as the system says. `theme-first.js` sets the same before the first paint.

import { effect, signal } from "@preact/signals";
import { recall, remember } from "./memory";

export type Theme = "system" | "light" | "dark";
const ORDER: Theme[] = ["system", "light", "dark"];
const KEY = "theme";

const asTheme = (text: string | null): Theme => ORDER.find((it) => it === text) ?? "system";

// The address wins, so that a link can show one theme; it is not remembered.
export const theme = signal<Theme>("system");

export function nextTheme(): void {
  theme.value = ORDER[(ORDER.indexOf(theme.value) + 1) % ORDER.length] ?? "system";
  remember(KEY, theme.value);
}

export function startTheme(): void {
  theme.value = asTheme(new URLSearchParams(location.search).get("theme") ?? recall(KEY));
  const system = matchMedia("(prefers-color-scheme: dark)");
  // On paper there is ink only.
  const paper = matchMedia("print");
  const apply = () => {
    const dark = !paper.matches && (theme.value === "dark" || (theme.value === "system" && system.matches));
    document.documentElement.dataset.theme = dark ? "dark" : "light";
  };
  system.addEventListener("change", apply);
  paper.addEventListener("change", apply);
  effect(apply);
}
