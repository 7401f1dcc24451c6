// A picture whose points are the rows of a table: pointer, arrow keys and table say the same.

import { useSignal } from "@preact/signals";
import { Plot, type Props as PlotProps } from "../../parts/Plot";
import { Table } from "../../parts/Table";
import type { Point } from "../../path";

interface Props extends PlotProps {
  title: string;
  columns: string[];
  rows: string[][];
  /** Where each row is in the picture. */
  places: Point[];
}

export function Chart({ title, columns, rows, places, ...plot }: Props) {
  const open = useSignal(false);
  const readings = rows.map((cells, at) => {
    const [x, y] = places[at] ?? [0, 0];
    return { x, y, lines: cells.map((cell, of) => `${columns[of]?.replace("#", "")} ${cell}`) };
  });
  return (
    <figure class="fig inset">
      <Plot {...plot} readings={readings} />
      <p class="as-table small faint">
        <button type="button" class="link" aria-expanded={open.value} onClick={() => (open.value = !open.value)}>
          {open.value ? "Hide table" : "Show as table"}
        </button>
      </p>
      {open.value && (
        <div class="tbl-tall">
          <Table caption={`Table: ${title}`} columns={columns} rows={rows} />
        </div>
      )}
    </figure>
  );
}
