// The token that a server may ask readers for. It stays in this tab: session storage, so that closing it forgets.

import { signal } from "@preact/signals";

const KEY = "assay.token";

/** What the reader gave; null where nothing was asked for. */
export const token = signal(stored());
/** Why the token is asked for now, in words; null while it is not. */
export const wanted = signal<string | null>(null);

function stored(): string | null {
  try {
    return sessionStorage.getItem(KEY);
  } catch {
    // Storage may be refused; the token then lives as long as the page.
    return null;
  }
}

export function keep(value: string | null): void {
  token.value = value;
  try {
    if (value === null) sessionStorage.removeItem(KEY);
    else sessionStorage.setItem(KEY, value);
  } catch {
    // As above.
  }
}

/** `fetch` that shows the token, and asks for it where the server does. */
export async function fetchWith(path: string, init: RequestInit): Promise<Response> {
  const shown = token.peek();
  const headers = { ...(init.headers as Record<string, string>), ...(shown === null ? {} : { authorization: `Bearer ${shown}` }) };
  const answer = await fetch(path, { ...init, headers });
  // An answer to a token that was replaced meanwhile says nothing of the new one.
  if (answer.status === 401 && shown === token.peek()) wanted.value = shown === null ? "" : "This token is not accepted any more.";
  return answer;
}

export function signOut(): void {
  keep(null);
  wanted.value = "You are signed out.";
}
