// Names and values, one below the other.

import type { ComponentChildren } from "preact";

export type Fact = [name: ComponentChildren, value: ComponentChildren];

export function Facts({ rows, class: name }: { rows: Fact[]; class?: string }) {
  return (
    <dl class={name}>
      {rows.map(([term, value]) => (
        <div>
          <dt>{term}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
