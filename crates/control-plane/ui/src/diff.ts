// What changed between two texts, line by line: the longest common sequence of lines stays.

export interface Change {
  kind: "same" | "added" | "removed";
  text: string;
}

/** Definitions have some hundred lines; beyond this the table would be too large, and everything counts as changed. */
const LINES_MAX = 2_000;

export function diff(before: string, after: string): Change[] {
  const [a, b] = [before.trimEnd().split("\n"), after.trimEnd().split("\n")];
  if (a.length > LINES_MAX || b.length > LINES_MAX) {
    return [...a.map((text): Change => ({ kind: "removed", text })), ...b.map((text): Change => ({ kind: "added", text }))];
  }
  const width = b.length + 1;
  const common = new Uint16Array((a.length + 1) * width);
  const get = (i: number, j: number) => common[i * width + j] ?? 0;
  for (let i = a.length - 1; i >= 0; i -= 1) {
    for (let j = b.length - 1; j >= 0; j -= 1) {
      common[i * width + j] = a[i] === b[j] ? get(i + 1, j + 1) + 1 : Math.max(get(i + 1, j), get(i, j + 1));
    }
  }
  const out: Change[] = [];
  for (let i = 0, j = 0; i < a.length || j < b.length; ) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      out.push({ kind: "same", text: a[i] ?? "" });
      i += 1;
      j += 1;
    } else if (i < a.length && (j >= b.length || get(i + 1, j) >= get(i, j + 1))) {
      out.push({ kind: "removed", text: a[i] ?? "" });
      i += 1;
    } else {
      out.push({ kind: "added", text: b[j] ?? "" });
      j += 1;
    }
  }
  return out;
}
