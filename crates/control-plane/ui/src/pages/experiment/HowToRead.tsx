// How to read the table of metrics.

import { Dialog } from "../../parts/Dialog";
import { opened } from "../../shell/dialogs";

export function HowToRead() {
  const close = () => (opened.value = null);
  return (
    <Dialog title="How to read this" close={close}>
      <ul>
        <li>
          <b>The bar</b> is the range of lifts that the data do not rule out. It was valid at every look so far, so you may read it now and again tomorrow.
        </li>
        <li>
          <b>The shape</b> in it is the best single guess, and says which arm.
        </li>
        <li>
          <b>Blue</b> means better, <b>vermilion</b> worse, in the direction you want for this metric. <b>Grey</b> means that zero is still inside.
        </li>
        <li>
          <b>The dashed blue line</b> is the smallest effect you said is worth shipping. A bar beyond it is clear of your minimum. A dashed red line is the most harm that a guardrail tolerates.
        </li>
        <li>
          <b>p, any time</b> only falls. Below α once means decided, for good.
        </li>
        <li>With several arms against one control the p of the primary metric is corrected for their number.</li>
      </ul>
    </Dialog>
  );
}
