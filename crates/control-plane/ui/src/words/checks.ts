// The health checks in words: what was looked at, what was found, and where the rows are.

import type { Experiment, Results } from "../api/types";
import { armName } from "../model";
import { count, pValue, percent, plural } from "../numbers";
import { blockedShort } from "./blocked";
import { units } from "./part";

export interface Check {
  name: string;
  state: "good" | "off" | "none";
  /** Whether it is worse than a warning. */
  bad?: boolean;
  result: string;
  detail: string;
  link?: { text: string; to: string };
}

/** From these shares on a check is worth a look (the page's "With care"). */
const CROSSED_SHARE = 0.005;
const REJECTED_SHARE = 0.001;
const LATE_SHARE = 0.01;
const BALANCE_ALARM = 0.1;

export function checksOf(experiment: Experiment, results: Results): Check[] {
  return [split(experiment), balance(experiment), crossed(experiment), assignment(experiment), lost(experiment), duplicates(results), rejected(experiment, results), unattributed(results), outside(experiment)].filter((it) => it !== null);
}

function split(experiment: Experiment): Check {
  const { srm } = experiment;
  const total = Object.values(srm.counts).reduce((a, b) => a + b, 0);
  const shares = experiment.variants.map(({ variant }) => percent(total > 0 ? (srm.counts[variant] ?? 0) / total : 0, 2)).join(" / ");
  const planned = experiment.variants.map(({ variant }) => percent(srm.expected[variant] ?? 0, 2)).join(" / ");
  const off = experiment.verdict.blocked_by.find((it) => it.code !== "simpson");
  const detail = `${shares} against ${planned}. Running p ${pValue(srm.p_value_running)}.`;
  if (off) return { name: "Split", state: "off", bad: true, result: blockedShort(off).toLowerCase(), detail: `${detail} Decisions are refused.` };
  const inside = srm.segments.length > 0 ? ` ${plural(srm.segments.length, "segment value")} looked at as well.` : "";
  return { name: "Split", state: "good", result: "as planned", detail: detail + inside };
}

function balance(experiment: Experiment): Check {
  const known = experiment.balance;
  if (known.length === 0) return { name: "Balance", state: "none", result: "not checked", detail: "No attributes are kept at exposure." };
  const worst = known.reduce((a, b) => ((b.std_difference ?? 1) > (a.std_difference ?? 1) ? b : a));
  const size = worst.std_difference === null ? "without limit" : worst.std_difference.toFixed(3);
  const detail = `${plural(known.length, "attribute")} known at exposure; largest standardised difference ${size}, ${worst.attribute.replaceAll("_", " ")}.`;
  const off = known.some((it) => it.p_value_running < experiment.srm.threshold || ((it.std_difference ?? 1) > BALANCE_ALARM && it.p_value_running < experiment.alpha));
  return off ? { name: "Balance", state: "off", result: "arms differ", detail } : { name: "Balance", state: "good", result: "nothing stands out", detail };
}

function crossed(experiment: Experiment): Check {
  const n = experiment.crossed_units;
  const share = experiment.shares.crossed ?? 0;
  const result = plural(n, experiment.unit_name, units(experiment.unit_name));
  if (n === 0) return { name: "Crossed", state: "good", result, detail: `No ${experiment.unit_name} was seen in two arms.` };
  return { name: "Crossed", state: share > CROSSED_SHARE ? "off" : "good", result, detail: `${percent(share, 2)} were seen in several arms and are left out of the metrics.` };
}

function assignment(experiment: Experiment): Check {
  const wrong = experiment.misbucketed;
  if (wrong.length === 0) return { name: "Assignment", state: "good", result: "as computed", detail: "Every exposure showed the variant that the hash gives." };
  const total = wrong.reduce((a, it) => a + it.exposures, 0);
  const worst = wrong.reduce((a, b) => (b.exposures > a.exposures ? b : a));
  const arm = worst.variant === null ? "an unknown variant" : armName(experiment, worst.variant);
  const libraries = new Set(wrong.map((it) => it.sdk)).size;
  return {
    name: "Assignment",
    state: "off",
    bad: true,
    result: plural(total, "exposure"),
    detail: `Showed a variant that the hash does not give; most from ${worst.sdk}, ${arm} (${count(worst.exposures)}, ${percent(worst.share, 2)}). ${plural(libraries, "library", "libraries")} in all.`,
  };
}

function lost(experiment: Experiment): Check | null {
  const n = experiment.exposures_lost;
  if (n === 0) return null;
  return { name: "Lost", state: "off", result: plural(n, "exposure"), detail: "Shown by an edge that could not write them to the log; they are in no other number." };
}

function duplicates(results: Results): Check {
  const n = results.events.duplicates;
  return { name: "Duplicates", state: "good", result: `${count(n)} removed`, detail: "Every event’s id is proven new inside the deduplication window; older ones are rejected as late." };
}

const REASON_WORDS: Record<string, string> = { unknown_schema: "unknown schema", unknown_experiment: "unknown experiment", unknown_variant: "unknown variant", unknown_version: "unknown version", wrong_unit_type: "wrong unit type", not_running: "not running" };

function rejected(experiment: Experiment, results: Results): Check {
  const reasons = Object.entries(results.events.rejected).filter(([, n]) => n > 0);
  const total = reasons.reduce((a, [, n]) => a + n, 0);
  const records = Math.max(1, results.events.records);
  const detail = reasons.map(([reason, n]) => `${REASON_WORDS[reason] ?? reason} ${count(n)}`).join(", ");
  const late = (results.events.rejected.late ?? 0) / records;
  const state = total / records > REJECTED_SHARE || late > LATE_SHARE ? "off" : total > 0 ? "none" : "good";
  const link = total > 0 ? { link: { text: "Open dead letters", to: "/status/dead-letters" } } : {};
  return { name: "Rejected", state, result: plural(total, "event"), detail: total > 0 ? `${detail.charAt(0).toUpperCase()}${detail.slice(1)}. Of all experiments.${rejectedHere(experiment)}` : "Nothing was rejected.", ...link };
}

/** Those that named this experiment, and where the last of each reason is. */
function rejectedHere(experiment: Experiment): string {
  // Looks of earlier builds do not say.
  const here = Object.entries(experiment.rejected ?? {});
  const words = here.map(([reason, it]) => `${REASON_WORDS[reason] ?? reason} ${count(it.exposures)} (last: partition ${it.partition}, offset ${it.offset})`);
  return words.length === 0 ? "" : ` Exposures of this one: ${words.join(", ")}.`;
}

function unattributed(results: Results): Check {
  const n = results.events.unattributed;
  const detail = n === 0 ? "Every conversion belongs to an exposed unit." : `${percent(n / Math.max(1, results.events.conversions), 1)} of the conversions count nowhere: their unit was not exposed before, or their window had ended. Of all experiments.`;
  return { name: "Unattributed", state: n === 0 ? "good" : "none", result: plural(n, "conversion"), detail };
}

function outside(experiment: Experiment): Check | null {
  const n = experiment.exposures_outside;
  if (n === 0) return null;
  return { name: "Outside", state: "none", result: plural(n, "exposure"), detail: `From before the start or after the end (${percent(experiment.shares.outside ?? 0, 2)}): accepted, and without effect.` };
}
