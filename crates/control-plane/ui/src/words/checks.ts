// The health checks in the order of questions: the server's words, and where the rows are.

import type { Checks, Experiment, Results } from "../api/types";

export type Check = Checks[number] & { link?: { text: string; to: string } };

/** Where those of the log stand among those of the experiment. */
const LAST = ["Outside"];
const LETTERS = { text: "Open dead letters", to: "/status/dead-letters" };
const LINKS: Partial<Record<Check["name"], Check["link"]>> = { Rejected: LETTERS, "Rejected here": LETTERS };

export function checksOf(experiment: Experiment, results: Results): Check[] {
  // Looks that were kept by an earlier build have no words.
  const own = experiment.said?.checks ?? [];
  const all = [...own.filter((it) => !LAST.includes(it.name)), ...(results.events.said ?? []), ...own.filter((it) => LAST.includes(it.name))];
  return all.map((it) => (it.state === "good" || !LINKS[it.name] ? it : { ...it, link: LINKS[it.name] }) as Check);
}
