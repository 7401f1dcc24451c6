// An error in words: what failed, what still works, when it is tried again, and the request's id.

import type { ComponentChildren } from "preact";

interface Props {
  title: string;
  detail: ComponentChildren;
  retryIn?: number | null;
  retry: () => void;
  requestId?: string | null;
}

export function Failure({ title, detail, retryIn, retry, requestId }: Props) {
  return (
    <div class="in">
      <section class="card state alarm failure" role="alert">
        <p class="v">{title}</p>
        <p class="dim small">
          {detail}
          {retryIn != null && ` Trying again in ${retryIn} s.`}{" "}
          <button type="button" class="link" onClick={retry}>
            Try now
          </button>
          {requestId && (
            <>
              {" · request id "}
              <span class="mono">{requestId}</span>
            </>
          )}
        </p>
      </section>
    </div>
  );
}
