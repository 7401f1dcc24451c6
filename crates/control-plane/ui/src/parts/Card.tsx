// A card with a heading, a sentence that says what is in it, and room for a control.

import type { ComponentChildren } from "preact";

interface Props {
  id?: string;
  title: string;
  about?: ComponentChildren;
  side?: ComponentChildren;
  class?: string;
  children: ComponentChildren;
}

export function Card({ id, title, about, side, class: more = "", children }: Props) {
  return (
    <section class={`card ${more}`} id={id} aria-label={title} tabIndex={id ? -1 : undefined}>
      <header>
        <div>
          <h2>{title}</h2>
          {about && <p>{about}</p>}
        </div>
        {side}
      </header>
      {children}
    </section>
  );
}

/** A region that may scroll sideways, and can be reached by keyboard because of that. */
export function Wide({ label, children }: { label: string; children: ComponentChildren }) {
  return (
    <div class="tbl-w" tabIndex={0} role="region" aria-label={label}>
      {children}
    </div>
  );
}
