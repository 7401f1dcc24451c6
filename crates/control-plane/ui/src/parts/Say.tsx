// A sentence of pieces on the page.

import type { Part } from "../words/part";

export function Say({ parts }: { parts: Part[] }) {
  return (
    <>
      {parts.map(({ text, strong, tone }) => {
        if (!strong) return text;
        return <b class={tone === "better" ? "b" : tone === "worse" ? "t-worse" : undefined}>{text}</b>;
      })}
    </>
  );
}
