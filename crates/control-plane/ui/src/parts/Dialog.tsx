// A dialog of the browser itself: it holds the focus, closes by Esc, and gives the focus back.

import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";

interface Props {
  title: string;
  close: () => void;
  class?: string;
  /** What can be done besides closing it. */
  acts?: ComponentChildren;
  /** Nothing is around what it holds. */
  bare?: boolean;
  children: ComponentChildren;
}

export function Dialog({ title, close, children, class: more = "", acts, bare }: Props) {
  const ref = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const dialog = ref.current;
    if (dialog && !dialog.open) dialog.showModal();
    return () => dialog?.close();
  }, []);
  return (
    // A click on the dialog itself is one on its backdrop: all of its inside belongs to children.
    <dialog class={`pop ${more}`} ref={ref} aria-label={title} onClose={close} onClick={(event) => event.target === ref.current && close()}>
      <div class="inside">
        {bare ? (
          children
        ) : (
          <>
            <h2>{title}</h2>
            {children}
            <div class="acts-row">
              {acts}
              <button type="button" class="btn" onClick={close}>
                Close
              </button>
            </div>
          </>
        )}
      </div>
    </dialog>
  );
}
