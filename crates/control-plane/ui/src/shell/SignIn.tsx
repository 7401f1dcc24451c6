// Asks for the token of a server that wants one.

import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { keep, wanted } from "../api/token";

export function SignIn() {
  const field = useRef<HTMLInputElement>(null);
  const wrong = useSignal("");
  const busy = useSignal(false);
  useEffect(() => {
    document.title = "Sign in · Assay";
    field.current?.focus();
  }, []);
  const submit = async (event: Event) => {
    event.preventDefault();
    const given = field.current?.value.trim() ?? "";
    busy.value = true;
    wrong.value = given ? await tried(given) : "Enter the token.";
    busy.value = false;
    if (!wrong.value) {
      keep(given);
      wanted.value = null;
    } else field.current?.select();
  };
  return (
    <div class="in">
      <form class="card state failure" onSubmit={submit}>
        <h1 class="v">This server asks readers for a token</h1>
        <p class="dim small">
          {wanted.value} Whoever runs it has the token (<span class="mono">--read-token</span>). It stays in this tab until you sign out or close it.
        </p>
        <p class="acts-row signin">
          <input ref={field} type="password" aria-label="Token" autocomplete="current-password" aria-invalid={wrong.value !== ""} aria-describedby="wrong" />
          <button type="submit" class="btn" disabled={busy.value}>
            Open
          </button>
        </p>
        <p id="wrong" role="alert" class="small">
          {wrong.value}
        </p>
      </form>
    </div>
  );
}

/** What is wrong with a token; nothing if it is the right one. */
async function tried(token: string): Promise<string> {
  try {
    const { status } = await fetch("/v1/experiments", { headers: { authorization: `Bearer ${token}` } });
    return status === 401 ? "This is not the token of this server." : "";
  } catch {
    // What no header can carry is no token either.
    return /^[\x21-\x7e]+$/.test(token) ? "The server cannot be reached. Try again." : "This is not the token of this server.";
  }
}
