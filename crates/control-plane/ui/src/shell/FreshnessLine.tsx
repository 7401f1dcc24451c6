// Live, delayed, stale, not connected, or a look that does not move.

import { ageNow, connection, freshnessWords, shown } from "../freshness";
import { Icon } from "../parts/Icon";
import { go, withQuery } from "../router";
import { provisionalWanted } from "../provisional";

export function FreshnessLine() {
  const words = freshnessWords(shown.value, ageNow.value, connection.value);
  if (words === null) return null;
  return (
    <span class={words.tone === "warn" ? "live t-warn" : "live"}>
      {words.tone === "live" && <span class="dot" />}
      {words.tone === "warn" && <Icon name={words.strong === "Not connected" ? "warn" : "clock"} />}
      <span>
        <b class={words.tone === "live" ? undefined : "plainly"}>{words.strong}</b>
        {words.rest && <span class="xt"> · {words.rest}</span>}
        {words.offer && shown.value?.heldBy !== null && (
          <span class="xt">
            {" · "}
            <button type="button" class="link" onClick={() => (provisionalWanted.value = !provisionalWanted.value)}>
              {provisionalWanted.value ? "Hide provisional" : "Show provisional"}
            </button>
          </span>
        )}
        {words.tone === "plain" && (
          <>
            {" · "}
            <button type="button" class="link" onClick={() => go(withQuery({ look: null }))}>
              Back to live
            </button>
          </>
        )}
      </span>
    </span>
  );
}
