// One arm over time, to be read point by point, and the p that only falls.

import { count, pValue } from "../../numbers";
import { beside, Plot, type Reading, Upright } from "../../parts/Plot";
import { ArmName, Shape } from "../../parts/Shape";
import { pct } from "../../path";
import { moment } from "../../times";
import { capital, units } from "../../words/part";
import { armPicture, type Drawing } from "./armPicture";

export function ArmChart({ unit, ...drawing }: Drawing & { unit: string }) {
  const { it, points, minimum, speech, alpha, byUnits, scale } = drawing;
  const { ok, top, xOf, tone, now, crossing, minimumText, x, y, inks, p } = armPicture(drawing);
  const versions = points.filter((point, index) => index > 0 && point.version !== null && points[index - 1]?.version !== null && point.version !== points[index - 1]?.version);
  const decided = crossing ? `Decided ${moment(crossing.look)}` : "Not decided";
  const label = `${capital(scale)} of ${it.name} over time. Now ${speech.both(now)}. ${decided}.`;
  const readings = ok.map((point): Reading => ({
    x: xOf(point),
    y: top(point.value ?? 0),
    lines: [
      `${moment(point.look)} UTC, ${count(point.units)} ${units(unit)}`,
      `${scale} ${speech.point(point.value)}, ${speech.range({ low: point.low, point: point.value, high: point.high, shape: "bounded" })}`,
      `p so far ${pValue(point.p)}`,
    ],
  }));
  return (
    <div class="figs">
      <figure class="fig">
        <figcaption>
          <ArmName index={it.index} name={it.name} strong />
          <span class="dim">
            now <b class="ink">{speech.point(now.point)}</b>, {speech.range(now)}
          </span>
        </figcaption>
        <Plot label={label} x={x} y={y} twoLines={!byUnits} readings={readings} inks={inks}>
          {minimumText && (
            <span class="note bare right t-better" style={{ top: pct(top(minimum ?? 0)) }}>
              {minimumText}
            </span>
          )}
          {versions.map((point) => (
            <>
              <Upright at={xOf(point)} tone="version" />
              <span class="note bare faint" style={{ left: pct(xOf(point)), bottom: "0" }}>
                v{point.version}
              </span>
            </>
          ))}
          {crossing && (
            <>
              <Upright at={crossing.place[0]} tone={tone} />
              <span class={`mk ${tone}`} style={{ left: pct(crossing.place[0]), top: pct(crossing.place[1]) }}>
                <Shape index={it.index} />
              </span>
              <span class="note wrap" style={beside(crossing.place[0])}>
                <b>{decided}</b>
                <br />
                at {count(crossing.units)} {units(unit)}
                {crossing.value !== null && `, ${speech.point(crossing.value)}`}
              </span>
            </>
          )}
        </Plot>
      </figure>
      <figure class="fig">
        <figcaption class="small faint low">Always-valid p so far, log scale</figcaption>
        <Plot label={`Always-valid p of ${it.name} over time; it only falls. Now ${pValue(it.test.p_value_running)}.`} height="low" x={[]} {...p}>
          <span class="note faint bare right above" style={{ top: pct(p.level) }}>
            below {alpha}: decided
          </span>
          {crossing && <Upright at={crossing.place[0]} tone={tone} />}
        </Plot>
      </figure>
    </div>
  );
}
