// One of several, where their names are long.

import type { ComponentChildren } from "preact";
import { Icon } from "../../parts/Icon";

interface Props {
  label: string;
  value: string;
  wrong?: boolean;
  options: [value: string, text: string][];
  choose: (to: string) => void;
  children?: ComponentChildren;
}

export function Select({ label, value, wrong = false, options, choose, children }: Props) {
  return (
    <label>
      {label}
      <span class="inp">
        <select value={value} aria-invalid={wrong} onChange={(event) => choose(event.currentTarget.value)}>
          {options.map(([of, text]) => (
            <option value={of}>{text}</option>
          ))}
        </select>
        <Icon name="more" />
      </span>
      {children}
    </label>
  );
}
