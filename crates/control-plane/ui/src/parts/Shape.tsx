// The shape says which arm: control an open circle, then circle, diamond, triangle, square. Arms never have colours.

const FILLED = ["M6 1a5 5 0 1 0 0 10A5 5 0 1 0 6 1Z", "M6 .3 11.7 6 6 11.7 .3 6Z", "M6 .8 11.4 10.6H.6Z", "M1.4 1.4h9.2v9.2H1.4Z"];
/** After four the shapes come again, with a hole. */
const HOLE = "M6 4a2 2 0 1 1 0 4A2 2 0 1 1 6 4Z";

/** `index` counts treatments from 0; the control has -1. */
export function Shape({ index }: { index: number }) {
  if (index < 0) {
    return (
      <svg viewBox="0 0 12 12" aria-hidden="true">
        <circle cx="6" cy="6" r="4.4" fill="none" stroke="currentColor" stroke-width="1.8" />
      </svg>
    );
  }
  const outline = FILLED[index % FILLED.length] ?? "";
  return (
    <svg viewBox="0 0 12 12" aria-hidden="true">
      <path d={index < FILLED.length ? outline : outline + HOLE} fill="currentColor" fill-rule="evenodd" />
    </svg>
  );
}

export function ArmName({ index, name, strong = false }: { index: number; name: string; strong?: boolean }) {
  return (
    <span class={strong ? "arm strong" : "arm"}>
      <Shape index={index} />
      {name}
    </span>
  );
}
