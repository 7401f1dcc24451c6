// A plain table: caption for those who do not see it, scopes on its headers, numbers to the right.

import type { ComponentChildren } from "preact";
import { Wide } from "./Card";

export interface Column {
  name: string;
  number?: boolean;
}

interface Props {
  caption: string;
  columns: Column[];
  rows: ComponentChildren[][];
  stack?: boolean;
}

export function Table({ caption, columns, rows, stack = false }: Props) {
  const cellClass = (at: number) => (columns[at]?.number ? "num" : undefined);
  return (
    <Wide label={caption}>
      <table class={stack ? "tbl stack" : "tbl"} role="table">
        <caption class="vh">{caption}</caption>
        <thead role="rowgroup">
          <tr role="row">
            {columns.map((column, at) => (
              <th scope="col" role="columnheader" class={cellClass(at)}>
                {column.name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody role="rowgroup">
          {rows.map((cells) => (
            <tr role="row">
              {cells.map((cell, at) => (
                <td role="cell" class={cellClass(at)}>
                  {cell}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </Wide>
  );
}
