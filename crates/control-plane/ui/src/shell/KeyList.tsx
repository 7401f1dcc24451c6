// The list of keys, and the switch that turns them off.

import { KEYS, keysOn, switchKeys } from "../keys";
import { Dialog } from "../parts/Dialog";
import { opened } from "./dialogs";

export function KeyList() {
  return (
    <Dialog label="Keys" close={() => (opened.value = null)}>
      <h2>Keys</h2>
      <dl class="keys">
        {KEYS.map(({ keys, does }) => (
          <div>
            <dt>
              {keys.split(" ").map((key) => (
                <kbd>{key}</kbd>
              ))}
            </dt>
            <dd>{does}</dd>
          </div>
        ))}
      </dl>
      <p class="dim small">A chart that has the focus is read with the arrow keys, Home, End, PageUp and PageDown.</p>
      <label class="check">
        <input type="checkbox" checked={keysOn.value} onChange={(event) => switchKeys(event.currentTarget.checked)} />
        Single keys do something
      </label>
      <button type="button" class="btn" onClick={() => (opened.value = null)}>
        Close
      </button>
    </Dialog>
  );
}
