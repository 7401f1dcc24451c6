// A plain table: caption for those who do not see it, scopes on its headers, numbers to the right.

import type { ComponentChildren } from "preact";
import { Wide } from "./Card";

interface Props {
  caption: string;
  /** Headers; one that begins with # stands over numbers, which are to the right. */
  columns: string[];
  rows: ComponentChildren[][];
  stack?: boolean;
}

export function Table({ caption, columns, rows, stack = false }: Props) {
  const cellClass = (at: number) => (columns[at]?.startsWith("#") ? "num" : undefined);
  return (
    <Wide label={caption}>
      <table class={stack ? "tbl stack" : "tbl"} role="table">
        <caption class="vh">{caption}</caption>
        <HeadRow headers={columns.map((name, at) => [name.replace(/^#/, ""), cellClass(at)])} />
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

/** What stands over a column, and how it looks. */
export type Header = [name: ComponentChildren, looks?: string | undefined];

/** Roles are said because narrow pages change how tables are displayed. */
export const HeadRow = ({ headers }: { headers: Header[] }) => (
  <thead role="rowgroup">
    <tr role="row">
      {headers.map(([name, looks]) => (
        <th scope="col" role="columnheader" class={looks}>
          {name}
        </th>
      ))}
    </tr>
  </thead>
);
