// The chance to have shown the effect by so many units: by the chosen way of reading, and by one look.

import type { PlanAnswer } from "../../api/schema";
import { Card } from "../../parts/Card";
import { beside, Upright } from "../../parts/Plot";
import { alternate, line, pct, SIZE, steps } from "../../path";
import { count, percent } from "../../numbers";
import { Chart } from "./Chart";
import { endOf, shares, sizeTicks, stepAt, stepped, valueAt } from "./lines";
import { difference, liftNoun, METHODS, plain, share } from "./words";

const GRID = [0, 0.25, 0.5, 0.75, 1];
/** Points at which the arrow keys stop. */
const STOPS = 40;

export function Chance({ answer, noun }: { answer: PlanAnswer; noun: string }) {
  const end = endOf(answer);
  const { method, power, headline, curve } = answer;
  const fixed = method === "fixed_horizon";
  const chosen = curve.steps ? stepped(curve.chosen, end) : [[0, 0], ...curve.chosen];
  const chosenAt = (units: number) => (curve.steps ? stepAt(chosen, units) : (valueAt(chosen, units) ?? 0));
  const oneAt = (units: number) => valueAt(curve.one_look, units) ?? 0;
  const name = METHODS[method].short;
  const x = (units: number) => (SIZE * units) / end;
  const stops = Array.from({ length: STOPS }, (_, at) => (end * (at + 1)) / STOPS);
  const perDay = answer.per_day;
  const effect = answer.lift === null ? `a difference of ${difference(answer.difference, answer.kind)}` : liftNoun(answer.lift);
  const base = answer.kind === "conversion" ? share(answer.base) : plain(answer.base);
  const about = fixed
    ? `By number of ${noun}, with ${base} today, if that number was the planned one.`
    : `By number of ${noun}, with ${base} today. The ${name} line counts stopping at any ${method === "always_valid" ? "time" : "look"} up to there.`;
  const title = `Chance to have shown ${effect}`;
  const label = `${title}, by number of ${noun}: ${name} reaches ${share(power)} at ${count(headline.at_most)}, one look at ${count(headline.one_look)}.`;
  const [most, one, wanted] = [x(headline.at_most), x(headline.one_look), SIZE * (1 - power)];
  const left = most > 550;
  // Two lines so near each other have their notes one above the other; on a phone there is room for one note between lines that are not.
  const close = most - one < 240;
  const narrow = most - one < 600;
  return (
    <Card title={title} about={about} class="block">
      <Chart
        title={title}
        label={label}
        x={alternate(sizeTicks(end, perDay))}
        y={GRID.map((it) => ({ at: SIZE * (1 - it), text: percent(it) }))}
        level={wanted}
        twoLines
        inks={[
          { d: line(shares(curve.one_look, end)), line: "same", width: fixed ? 2.2 : 1.6, dashed: !fixed },
          ...(fixed ? [] : [{ d: (curve.steps ? steps : line)(shares(chosen, end)), line: "better", width: 2.2 }]),
        ]}
        columns={[`#${noun}`, ...(perDay === null ? [] : ["#day"]), ...(fixed ? [] : [`#${name}`]), "#one look there"]}
        rows={stops.map((units) => [count(units), ...(perDay === null ? [] : [count(Math.ceil(units / perDay))]), ...(fixed ? [] : [percent(chosenAt(units), 1)]), percent(oneAt(units), 1)])}
        places={stops.map((units) => [x(units), SIZE * (1 - oneAt(units))])}
      >
        {!fixed && (
          <>
            <Upright at={one} tone="same" top={wanted} />
            <span class={narrow && !close ? "note low hide-s" : "note low"} style={beside(one, close || !left)}>
              fixed: one look
              <br />
              at {count(headline.one_look)}
            </span>
          </>
        )}
        <Upright at={most} tone={fixed ? "same" : ""} top={wanted} />
        <span class={`note low${fixed ? "" : " t-better"}${close && !fixed ? " second" : ""}`} style={beside(close ? Math.min(one, most) : most, left)}>
          {fixed ? "one look" : name}:
          <br />
          {fixed ? "at" : "at most"} {count(headline.at_most)}
        </span>
        <span class="note faint bare above" style={{ left: "2px", top: pct(wanted) }}>
          wanted power {share(power)}
        </span>
      </Chart>
    </Card>
  );
}
