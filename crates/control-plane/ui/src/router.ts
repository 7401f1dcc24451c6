// Addresses: what is shown is a function of the address, and every choice that changes numbers is in it.

import { computed, signal } from "@preact/signals";

const here = () => ({ path: location.pathname, query: location.search, hash: location.hash });
export const address = signal(here());
export const path = computed(() => address.value.path);
export const query = computed(() => new URLSearchParams(address.value.query));

export type Route =
  | { page: "experiments" }
  | { page: "experiment"; id: string }
  | { page: "versions"; id: string; from: number; to: number }
  | { page: "plan" }
  | { page: "status"; rest: string[] }
  | { page: "missing" };

/** Which page an address means. */
export function routeOf(pathname: string): Route {
  const [first, ...rest] = pathname.split("/").filter(Boolean).map(decode);
  if (first === undefined || (first === "experiments" && rest.length === 0)) return { page: "experiments" };
  if (first === "experiments") return experimentRoute(rest);
  if (first === "plan" && rest.length === 0) return { page: "plan" };
  if (first === "status") return { page: "status", rest };
  return { page: "missing" };
}

function experimentRoute([id, part, versions, ...more]: string[]): Route {
  if (id !== undefined && part === undefined) return { page: "experiment", id };
  const range = /^(\d+)\.\.(\d+)$/.exec(versions ?? "");
  if (id !== undefined && part === "versions" && range && more.length === 0) {
    return { page: "versions", id, from: Number(range[1]), to: Number(range[2]) };
  }
  return { page: "missing" };
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

export const route = computed(() => routeOf(path.value));

export const experimentPath = (id: string) => `/experiments/${encodeURIComponent(id)}`;

/** Goes to an address of this page. `replace` leaves no entry to come back to. */
export function go(to: string, replace = false): void {
  const before = location.pathname;
  history[replace ? "replaceState" : "pushState"](null, "", to);
  address.value = here();
  if (location.pathname !== before) scrollTo(0, 0);
  else if (location.hash && !replace) document.getElementById(location.hash.slice(1))?.scrollIntoView();
}

/** The present address with these query values; null removes one. */
export function withQuery(changes: Record<string, string | null>): string {
  const next = new URLSearchParams(address.value.query);
  for (const [key, value] of Object.entries(changes)) {
    if (value === null || value === "") next.delete(key);
    else next.set(key, value);
  }
  const text = next.toString();
  return location.pathname + (text && `?${text}`) + location.hash;
}

/** Links to other addresses of this page do not load it anew. */
export function startRouter(): void {
  addEventListener("popstate", () => (address.value = here()));
  addEventListener("click", (event) => {
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const link = (event.target as Element).closest?.("a");
    if (!link?.href || link.target || link.hasAttribute("download") || link.origin !== location.origin) return;
    if (link.pathname.startsWith("/v1/") || link.pathname === "/openapi.json") return;
    // The browser itself scrolls to a part of the same document, and moves the focus there.
    if (link.hash && link.pathname === location.pathname && link.search === location.search) return;
    event.preventDefault();
    go(link.pathname + link.search + link.hash);
  });
}
