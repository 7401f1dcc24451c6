// One experiment in the list.

import type { List, Row } from "../../api/types";
import { coversZero } from "../../model";
import { count, lift, percent, range } from "../../numbers";
import { Icon } from "../../parts/Icon";
import { Interval, type Kind, NoInterval } from "../../parts/Interval";
import { Figures } from "../../parts/Picture";
import { Pill } from "../../parts/Pill";
import { Say } from "../../parts/Say";
import { Word } from "../../parts/Word";
import { experimentPath, go } from "../../router";
import type { Scale } from "../../scale";
import { age } from "../../times";
import { liftDecimals } from "../../words/lifts";
import { textOf, units as many } from "../../words/part";
import { rowPill, rowSentence } from "../../words/rows";

/** All rows on one axis: their lifts by their own minimum effects. */
export const EFFECTS: Scale = { low: -4.2, high: 4.2, ticks: [-4, -2, 0, 2, 4] };

export function ListRow({ row, list, ageMs }: { row: Row; list: List; ageMs: number }) {
  const { freshness } = list;
  const sentence = rowSentence(row, ageMs, freshness.log_time, freshness.held_by ?? null);
  const health = row.said;
  const to = experimentPath(row.experiment);
  const open = (event: MouseEvent) => {
    if ((event.target as Element).closest("a, button") || getSelection()?.toString()) return;
    go(to);
  };
  return (
    <tr role="row" class="row" onClick={open}>
      <th scope="row" role="rowheader" class="ttl">
        <a href={to} data-row>
          {row.title || row.experiment}
        </a>
        <span class="id">
          <span class="mono">{row.experiment}</span>
          {row.owner && ` · ${row.owner}`}
        </span>
      </th>
      <td role="cell" class="c-state">
        <Pill {...rowPill(row, ageMs)} />
      </td>
      <td role="cell" class="say">
        <Word text={textOf(sentence)}>
          <Say parts={sentence} />
        </Word>
      </td>
      <Effect row={row} label={textOf(sentence)} />
      <Units row={row} />
      <td role="cell" class="c-health">
        {health.tone === "none" ? (
          <span class="faint">–</span>
        ) : (
          <>
            <span class={health.tone === "good" ? "dim nb" : `t-${health.tone} nb`}>
              <span class={health.tone === "good" ? "yes" : undefined}>
                <Icon name={health.tone === "good" ? "ok" : "warn"} />
              </span>{" "}
              <Word text={health.health} />
            </span>
            <span class="rng">{row.status === "stopped" ? "stopped" : age(ageMs)}</span>
          </>
        )}
      </td>
    </tr>
  );
}

function Effect({ row, label }: { row: Row; label: string }) {
  const { primary } = row;
  const shown = primary?.lift != null && (primary.status === "ok" || primary.status === "srm_blocked");
  const marks = { minimum: primary?.direction === "decrease" ? -1 : 1 };
  if (!primary || !shown) {
    return (
      <>
        <td role="cell" class="num">
          <span class="faint">–</span>
        </td>
        <td role="cell" class="fx">
          <NoInterval scale={EFFECTS} marks={marks} label="No interval yet" />
        </td>
      </>
    );
  }
  const { lift_low: low, lift_high: high, lift_shape: shape } = primary;
  const kind = kindOf(row);
  const decimals = liftDecimals([primary]);
  const unit = primary.minimum_effect ?? null;
  const scaled = (value: number | null) => (value === null || unit === null ? null : value / unit);
  const text = range(low, high, shape, (value) => lift(value, decimals));
  const ends: [number | null, number | null] = shape === "bounded" ? [scaled(low), scaled(high)] : [null, null];
  return (
    <>
      <td role="cell" class={kind === "void" ? "num void" : "num"}>
        <Figures point={lift(primary.lift, decimals)} range={text} />
      </td>
      <td role="cell" class="fx">
        <Interval scale={EFFECTS} low={ends[0]} point={scaled(primary.lift)} high={ends[1]} kind={kind} arm={armIndex(row)} marks={marks} shown={unit !== null} label={unit === null ? "No minimum effect is set" : `${label} Lift ${lift(primary.lift, decimals)}, interval ${text}`} />
      </td>
    </>
  );
}

function kindOf(row: Row): Kind {
  const { primary, verdict } = row;
  if (!primary || verdict?.code === "blocked" || primary.status === "srm_blocked") return "void";
  if (coversZero(primary.lift_low, primary.lift_high, primary.lift_shape) || verdict?.code === "not_shown") return "same";
  return (primary.lift ?? 0) > 0 === (primary.direction === "increase") ? "better" : "worse";
}

const armIndex = (row: Row) => Math.max(0, row.verdict?.arms.findIndex((it) => it.variant === row.primary?.variant) ?? 0);

function Units({ row }: { row: Row }) {
  const { pair_units: units, planned_units: plan } = row;
  if (units === undefined || !plan) {
    return (
      <td role="cell" class="prog">
        <span class="faint">–</span>
      </td>
    );
  }
  return (
    <td role="cell" class="prog" title={`${many(row.unit_name)}, of ${count(plan)} planned per pair`}>
      <span class="only-s faint">{many(row.unit_name)} </span>
      {count(units)}
      <div class="bar" role="img" aria-label={`${percent(units / plan)} of plan`}>
        <i style={{ width: `${Math.min(100, (units / plan) * 100).toFixed(0)}%` }} />
      </div>
    </td>
  );
}
