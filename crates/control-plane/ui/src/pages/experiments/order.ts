// Which rows the list shows, in which groups, in which order.

import type { Row } from "../../api/types";

export type Group = Row["group"];
export type Sort = "attention" | "effect" | "days" | "title";

export const GROUPS: { group: Group; name: string }[] = [
  { group: "attention", name: "Needs attention" },
  { group: "decided", name: "Decided, still running" },
  { group: "undecided", name: "Undecided" },
  { group: "draft", name: "Draft" },
  { group: "stopped", name: "Stopped" },
];

export const SORTS: Record<Sort, string> = {
  attention: "attention, then newest",
  effect: "lift in minimum effects",
  days: "days running",
  title: "title",
};

export interface Filter {
  state: Group | null;
  owner: string | null;
  text: string;
  sort: Sort;
}

export function filterOf(query: URLSearchParams): Filter {
  const state = GROUPS.find((it) => it.group === query.get("state"))?.group ?? null;
  const asked = query.get("sort") ?? "";
  const sort = asked in SORTS ? (asked as Sort) : "attention";
  return { state, owner: query.get("owner"), text: query.get("q") ?? "", sort };
}

export const inMinimums = (row: Row): number | null => {
  const { primary } = row;
  return primary?.lift == null || !primary.minimum_effect ? null : primary.lift / primary.minimum_effect;
};

const least = Number.NEGATIVE_INFINITY;
const COMPARE: Record<Sort, (a: Row, b: Row) => number> = {
  attention: (a, b) => String(b.started ?? "").localeCompare(String(a.started ?? "")) || a.experiment.localeCompare(b.experiment),
  effect: (a, b) => (inMinimums(b) ?? least) - (inMinimums(a) ?? least) || a.experiment.localeCompare(b.experiment),
  days: (a, b) => (b.days_running ?? -1) - (a.days_running ?? -1) || a.experiment.localeCompare(b.experiment),
  title: (a, b) => (a.title || a.experiment).localeCompare(b.title || b.experiment),
};

export const wordsOf = (text: string): string[] => text.toLowerCase().split(/\s+/).filter(Boolean);

/** Whether a row is about all of these words. */
export const hasAll = (row: Row, words: string[]): boolean => words.every((word) => `${row.title} ${row.experiment} ${row.owner}`.toLowerCase().includes(word));

/** The rows to show, by group; empty groups are left out, and stopped ones unless asked for. */
export function arranged(rows: Row[], filter: Filter): { group: Group; name: string; rows: Row[] }[] {
  const words = wordsOf(filter.text);
  const wanted = rows.filter(
    (row) =>
      (filter.state === null ? row.group !== "stopped" : row.group === filter.state) &&
      (filter.owner === null || row.owner === filter.owner) &&
      hasAll(row, words),
  );
  return GROUPS.map(({ group, name }) => ({ group, name, rows: wanted.filter((it) => it.group === group).sort(COMPARE[filter.sort]) })).filter((it) => it.rows.length > 0);
}

export type Order = { group: Group; ids: string[] }[];
export const orderOf = (groups: ReturnType<typeof arranged>): Order => groups.map((it) => ({ group: it.group, ids: it.rows.map((row) => row.experiment) }));

/** How many rows would be elsewhere, came or went. */
export function moved(shown: Order, now: Order): number {
  const flat = (order: Order) => order.flatMap(({ group, ids }) => ids.map((id) => `${group}/${id}`));
  const [a, b] = [flat(shown), flat(now)];
  const places = new Set(a);
  const changed = b.filter((it) => !places.has(it)).length + a.filter((it) => !b.includes(it)).length;
  if (changed > 0) return Math.ceil(Math.max(changed / 2, 1));
  return a.filter((it, at) => it !== b[at]).length;
}
