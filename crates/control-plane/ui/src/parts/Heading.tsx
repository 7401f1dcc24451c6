// The top of a page: what it is, what is known of it, what can be done.

import type { ComponentChildren } from "preact";

interface Props {
  title: ComponentChildren;
  /** Nothing stands above it. */
  first?: boolean;
  /** What can be done. */
  acts?: ComponentChildren;
  /** What is known. */
  children: ComponentChildren;
}

export function Heading({ title, first, acts, children }: Props) {
  return (
    <div class={first ? "head first" : "head"}>
      <div>
        <h1>{title}</h1>
        <div class="meta">{children}</div>
      </div>
      {acts && <div class="acts">{acts}</div>}
    </div>
  );
}
