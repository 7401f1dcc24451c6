// A dialog of the browser itself: it holds the focus, closes by Esc, and gives the focus back.

import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";

export function Dialog({ label, close, children, class: more = "" }: { label: string; close: () => void; children: ComponentChildren; class?: string }) {
  const ref = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const dialog = ref.current;
    if (dialog && !dialog.open) dialog.showModal();
    return () => dialog?.close();
  }, []);
  return (
    // A click on the dialog itself is one on its backdrop: all of its inside belongs to children.
    <dialog class={`pop ${more}`} ref={ref} aria-label={label} onClose={close} onClick={(event) => event.target === ref.current && close()}>
      <div class="inside">{children}</div>
    </dialog>
  );
}
