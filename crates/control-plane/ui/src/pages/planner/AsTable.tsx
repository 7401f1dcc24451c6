// The points of a picture in a table, for those who want the numbers.

import type { ComponentChildren } from "preact";
import { useSignal } from "@preact/signals";
import { Table, type Column } from "../../parts/Table";

export function AsTable({ caption, columns, rows }: { caption: string; columns: Column[]; rows: ComponentChildren[][] }) {
  const open = useSignal(false);
  return (
    <>
      <p class="as-table small faint">
        <button type="button" class="link" aria-expanded={open.value} onClick={() => (open.value = !open.value)}>
          {open.value ? "Hide table" : "Show as table"}
        </button>
      </p>
      {open.value && (
        <div class="tbl-tall">
          <Table caption={`Table: ${caption}`} columns={columns} rows={rows} />
        </div>
      )}
    </>
  );
}
