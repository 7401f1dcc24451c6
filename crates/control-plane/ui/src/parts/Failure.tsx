// An error in words: what failed, what still works, when it is tried again, and the request's id.

import type { ApiError } from "../api/client";

/** What was asked for and did not come. */
export interface Asked {
  error: { value: ApiError | null };
  /** Seconds until the next try. */
  retryIn?: { value: number | null };
  reload: () => void;
}

interface Props {
  title: string;
  of: Asked;
  /** Instead of what the error says. */
  detail?: string;
}

export function Failure({ title, of, detail }: Props) {
  const [error, retryIn] = [of.error.value, of.retryIn?.value];
  return (
    <div class="in">
      <section class="card state alarm failure" role="alert">
        <p class="v">{title}</p>
        <p class="dim small">
          {detail ?? error?.message}
          {retryIn != null && ` Trying again in ${retryIn} s.`}{" "}
          <button type="button" class="link" onClick={of.reload}>
            Try now
          </button>
          {error?.requestId && (
            <>
              {" · request id "}
              <span class="mono">{error.requestId}</span>
            </>
          )}
        </p>
      </section>
    </div>
  );
}
