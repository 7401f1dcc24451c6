// Finds an experiment by title, id or owner.

import { useSignal } from "@preact/signals";
import { useResource } from "../api/resource";
import type { List, Row } from "../api/types";
import { Dialog } from "../parts/Dialog";
import { hasAll, wordsOf } from "../pages/experiments/order";
import { experimentPath, go } from "../router";
import { opened } from "./dialogs";

const SHOWN_MAX = 8;

/** Rows whose title, id or owner contains every word, those that begin with it first. */
export function matches(rows: Row[], text: string): Row[] {
  const words = wordsOf(text);
  const rank = (row: Row) => (words.some((word) => row.experiment.startsWith(word) || row.title.toLowerCase().startsWith(word)) ? 0 : 1);
  return rows
    .filter((row) => hasAll(row, words))
    .sort((a, b) => rank(a) - rank(b))
    .slice(0, SHOWN_MAX);
}

export function Find() {
  const list = useResource<List>("/v1/experiments");
  const text = useSignal("");
  const chosen = useSignal(0);
  const found = matches(list?.data.value?.experiments ?? [], text.value);
  const close = () => (opened.value = null);
  const open = (row: Row | undefined) => {
    if (!row) return;
    close();
    go(experimentPath(row.experiment));
  };
  const keys = (event: KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && found.length > 0) chosen.value = (chosen.value + step + found.length) % found.length;
    else if (event.key === "Enter") open(found[chosen.value]);
    else return;
    event.preventDefault();
  };
  const nothing = list?.error.value ? "The list could not be loaded." : list?.data.value ? "No experiment is called that." : "Loading.";
  return (
    <Dialog title="Find an experiment" close={close} class="finder" bare>
      <input
        type="search"
        placeholder="Title, id or owner"
        aria-label="Title, id or owner"
        role="combobox"
        list={undefined}
        aria-expanded={found.length > 0}
        aria-controls="found"
        aria-activedescendant={found.length > 0 ? `found-${chosen.value}` : undefined}
        autocomplete="off"
        value={text.value}
        onInput={(event) => {
          text.value = event.currentTarget.value;
          chosen.value = 0;
        }}
        onKeyDown={keys}
      />
      {found.length > 0 ? (
        <ul role="listbox" id="found" aria-label="Experiments">
          {found.map((row, index) => (
            <li role="option" id={`found-${index}`} aria-selected={index === chosen.value} onClick={() => open(row)} onPointerMove={() => (chosen.value = index)}>
              <b>{row.title || row.experiment}</b>
              <span class="faint">
                <span class="mono">{row.experiment}</span>
                {row.owner && ` · ${row.owner}`}
              </span>
            </li>
          ))}
        </ul>
      ) : (
        <p class="dim small" id="found">
          {nothing}
        </p>
      )}
    </Dialog>
  );
}
