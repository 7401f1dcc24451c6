// The bar above every page: name, pages, find, how fresh the numbers are, theme.

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { signOut, token } from "../api/token";
import { Icon } from "../parts/Icon";
import { route } from "../router";
import { nextTheme, theme } from "../theme";
import { shown } from "../freshness";
import { FreshnessLine } from "./FreshnessLine";
import { opened } from "./dialogs";

const PAGES = [
  { name: "Experiments", to: "/experiments", pages: ["experiments", "experiment", "versions"] },
  { name: "Planner", to: "/plan", pages: ["plan"] },
  { name: "Status", to: "/status", pages: ["status"] },
];

function Links() {
  const here = route.value.page;
  return (
    <>
      {PAGES.map(({ name, to, pages }) => (
        <a href={to} aria-current={pages.includes(here) ? "page" : undefined}>
          {name}
        </a>
      ))}
    </>
  );
}

const THEMES = { system: ["system", "Theme: as the system says"], light: ["sun", "Theme: light"], dark: ["moon", "Theme: dark"] } as const;

function ThemeButton() {
  const [icon, label] = THEMES[theme.value];
  return (
    <button type="button" class="btn icon" onClick={nextTheme} aria-label={`${label}. Change`} title={`${label} (t)`}>
      <Icon name={icon} />
    </button>
  );
}

const SignOut = () =>
  token.value !== null && (
    <button type="button" class="btn s" onClick={signOut}>
      Sign out
    </button>
  );

export function Top() {
  const menu = useSignal(false);
  const here = route.value;
  useEffect(() => {
    menu.value = false;
  }, [here]);
  return (
    <header class={shown.value?.frozen ? "top frozen" : "top"}>
      <div class="in">
        <a class="brand" href="/experiments" aria-label="Assay, experiments">
          <svg viewBox="0 0 22 22" aria-hidden="true">
            <rect x="1" y="1" width="20" height="20" rx="5.5" fill="var(--ink)" />
            <path d="M4.5 11h13M4.5 8.2v5.6M17.5 8.2v5.6" stroke="var(--bg)" stroke-width="1.6" />
            <circle cx="12.4" cy="11" r="2.7" fill="var(--bg)" />
          </svg>
          Assay
        </a>
        <nav class="nav" aria-label="Main">
          <Links />
        </nav>
        <span class="grow" />
        <button type="button" class="find" onClick={() => (opened.value = "find")}>
          <Icon name="find" />
          Find experiment
          <kbd aria-hidden="true">/</kbd>
        </button>
        <FreshnessLine />
        <span class="hide-s">
          <ThemeButton /> <SignOut />
        </span>
        <button type="button" class="btn icon menu" aria-label="Menu" aria-expanded={menu.value} aria-controls="menu" onClick={() => (menu.value = !menu.value)}>
          <Icon name={menu.value ? "close" : "menu"} />
        </button>
      </div>
      <div class="sheet" id="menu" hidden={!menu.value}>
        <nav aria-label="Menu">
          <Links />
        </nav>
        <button type="button" class="btn" onClick={() => (opened.value = "find")}>
          <Icon name="find" />
          Find experiment
        </button>
        <ThemeButton />
        <SignOut />
      </div>
    </header>
  );
}
