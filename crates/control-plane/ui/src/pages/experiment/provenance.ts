// Where the numbers of a look come from. Pure.

import type { Results } from "../../api/types";

/** More partitions than this are counted, and named in the JSON. */
const OFFSETS_MAX = 8;

export function provenanceOf({ look, provenance }: Results): [name: string, value: string][] {
  const all = Object.entries(provenance.offsets).sort(([a], [b]) => Number(a) - Number(b));
  const offsets = all.slice(0, OFFSETS_MAX).map(([partition, [from, to]]) => `${partition}:[${from},${to})`);
  const more = all.length > OFFSETS_MAX ? ` and ${all.length - OFFSETS_MAX} more` : "";
  return [
    ["Look", look],
    ["Offsets", offsets.join(" ") + more],
    ["Log", provenance.log],
    ["Revision", String(provenance.config_version)],
    ["Semantics", String(provenance.semantics)],
    ["Build", provenance.build],
  ];
}
