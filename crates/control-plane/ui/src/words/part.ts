// A sentence as pieces: what is said is text, and which words are strong is beside it.

export interface Part {
  text: string;
  strong?: boolean;
  tone?: "better" | "worse" | undefined;
}

export const say = (text: string): Part => ({ text });
export const strong = (text: string): Part => ({ text, strong: true });
export const textOf = (parts: Part[]): string => parts.map((it) => it.text).join("");

/** A metric's name inside a sentence: "Purchase rate" loses its capital, "CTR" does not. */
export const inner = (name: string): string => (/^\p{Lu}\p{Ll}/u.test(name) ? name.charAt(0).toLowerCase() + name.slice(1) : name);

export const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

/** The plural of a unit's name: customer, customers; company, companies. */
export function units(name: string): string {
  if (/[^aeiou]y$/.test(name)) return `${name.slice(0, -1)}ies`;
  return /(s|x|ch|sh)$/.test(name) ? `${name}es` : `${name}s`;
}

export function joined(names: string[], word = "and"): string {
  return names.length < 2 ? (names[0] ?? "") : `${names.slice(0, -1).join(", ")} ${word} ${names[names.length - 1]}`;
}
