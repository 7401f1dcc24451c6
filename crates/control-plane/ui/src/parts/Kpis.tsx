// The few numbers that are looked for first: what each is, itself, and what goes with it.

import type { ComponentChildren } from "preact";

export type Kpi = [name: string, value: ComponentChildren, more: ComponentChildren];

export const Kpis = ({ of }: { of: Kpi[] }) => (
  <div class={of.length > 3 ? "kpis four" : "kpis"}>
    {of.map(([name, value, more]) => (
      <div>
        <div class="k">{name}</div>
        <div class="n">{value}</div>
        <div class="w">{more}</div>
      </div>
    ))}
  </div>
);
