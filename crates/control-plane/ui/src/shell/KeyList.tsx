// The list of keys, and the switch that turns them off.

import { KEYS, keysOn, switchKeys } from "../keys";
import { Facts } from "../parts/Facts";
import { Dialog } from "../parts/Dialog";
import { opened } from "./dialogs";

export function KeyList() {
  return (
    <Dialog title="Keys" close={() => (opened.value = null)}>
      <Facts class="keys" rows={KEYS.map(({ keys, does }) => [keys.split(" ").map((key) => <kbd>{key}</kbd>), does])} />
      <p class="dim small">A chart that has the focus is read with the arrow keys, Home, End, PageUp and PageDown.</p>
      <label class="check">
        <input type="checkbox" checked={keysOn.value} onChange={(event) => switchKeys(event.currentTarget.checked)} />
        Single keys do something
      </label>
    </Dialog>
  );
}
