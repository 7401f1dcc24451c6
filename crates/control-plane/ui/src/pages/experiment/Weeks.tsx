// Each week of first exposure on its own: whether an effect was only new, and has gone.

import type { Metric } from "../../api/types";
import { drawnOf, endsOf, type Scale, type Speech } from "../../columns";
import { coversZero, type Comparison, signOf } from "../../model";
import { count, percent } from "../../numbers";
import { Axis, Interval } from "../../parts/Interval";
import { HeadRow } from "../../parts/Table";
import { axisOf } from "../../scale";
import { day, millis } from "../../times";

const DAY_MS = 86_400_000;

interface Props {
  metric: Metric;
  comparisons: Comparison[];
  speech: Speech;
  scale: Scale;
  alpha: number;
  unit: string;
}

export function Weeks({ metric, comparisons, speech, scale, alpha, unit }: Props) {
  const control = metric.variants.find((it) => it.control)?.variant;
  const rows = comparisons.flatMap((it) =>
    (metric.weeks ?? []).flatMap((week) => {
      const arm = week.variants.find((own) => own.variant === it.arm.variant);
      const base = week.variants.find((own) => own.variant === control);
      if (!arm || !base) return [];
      return [{ it, week, arm, base, value: drawnOf({ low: null, high: null, lift_low: null, lift_high: null, lift_shape: null, ...arm }, arm, scale) }];
    }),
  );
  if (rows.length === 0) return <p class="empty">Nobody was exposed yet.</p>;
  const axis = axisOf(rows.map((row) => endsOf(row.value)), rows.flatMap((row) => row.value.point ?? []));
  const several = comparisons.length > 1;
  const level = percent(1 - alpha, 0);
  return (
    <table class="forest" role="table">
      <caption class="vh">{metric.name} by week of first exposure, each on its own, not corrected</caption>
      <HeadRow
        headers={[
          ["Week"],
          ["Control", "num"],
          ["Arm", "num"],
          [`${scale === "lift" ? "Lift" : "Difference"} and ${level} interval`, "num"],
          [
            <>
              <span class="vh">Picture</span>
              <Axis scale={axis} say={speech.tick} />
            </>,
            "fx wide",
          ],
        ]}
      />
      <tbody role="rowgroup">
        {rows.map(({ it, week, arm, base, value }) => {
          const [low, high] = endsOf(value);
          const kind = coversZero(low, high, value.shape) ? "same" : signOf(metric) * (value.point ?? 0) > 0 ? "better" : "worse";
          const shown = value.shape !== null;
          const name = `${week.week}: ${day(week.from)} to ${day(millis(week.to) - DAY_MS)}${several ? `, ${it.name}` : ""}`;
          return (
            <tr class="r" role="row">
              <th scope="row" role="rowheader">
                {name}
                <span class="rng">
                  {count(arm.units + base.units)} {unit}
                </span>
              </th>
              <td class="num c-ctrl" role="cell">
                {speech.mean(base.mean)}
              </td>
              <td class="num c-trt" role="cell">
                {speech.mean(arm.mean)}
              </td>
              <td class="num c-lift" role="cell">
                <span class="big">{shown ? speech.point(value.point) : "too few"}</span>
                {shown && <span class="rng">{speech.range(value)}</span>}
              </td>
              <td class="fx" role="cell">
                <Interval scale={axis} low={low} point={value.point} high={high} kind={kind} arm={it.index} shown={shown} label={`${name}: ${shown ? `${speech.point(value.point)}, ${speech.range(value)}` : "too few"}`} />
              </td>
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}

/** What the picture shows, above it. */
export const weeksAbout = (alpha: number, unit: string): string =>
  `By week of first exposure, each on its own, not corrected: fixed-horizon ${percent(1 - alpha, 0)} intervals of the ${unit} who were new in that week. Weeks are seven whole days, UTC, from the first day on.`;
