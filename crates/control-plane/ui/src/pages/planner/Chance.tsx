// The chance to have shown the effect by so many units: by the chosen way of reading, and by one look.

import type { PlanAnswer } from "../../api/schema";
import { Card } from "../../parts/Card";
import { Plot, type Reading } from "../../parts/Plot";
import { line, across, steps, SIZE } from "../../path";
import { count, percent } from "../../numbers";
import { endOf, shares, sizeTicks, stepAt, stepped, valueAt } from "./lines";
import { AsTable } from "./AsTable";
import { liftNoun, METHODS, plain, share, difference, tickCount } from "./words";

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
  const x = (units: number) => (100 * units) / end;
  const stops = Array.from({ length: STOPS }, (_, at) => (end * (at + 1)) / STOPS);
  const day = (units: number) => (answer.per_day === null ? "" : `, day ${Math.ceil(units / answer.per_day)}`);
  const readings = stops.map((units): Reading => ({
    x: x(units),
    y: 100 * (1 - oneAt(units)),
    text: (
      <>
        <b>
          {count(units)} {noun}
        </b>
        {day(units)}
        {!fixed && (
          <>
            <br />
            {name}: {percent(chosenAt(units), 1)}
          </>
        )}
        <br />
        one look there: {percent(oneAt(units), 1)}
      </>
    ),
    spoken: `${count(units)} ${noun}${day(units)}: ${fixed ? "" : `${name} ${percent(chosenAt(units), 1)}, `}one look ${percent(oneAt(units), 1)}`,
  }));
  const effect = answer.lift === null ? `a difference of ${difference(answer.difference, answer.kind)}` : liftNoun(answer.lift);
  const base = answer.kind === "conversion" ? share(answer.base) : plain(answer.base);
  const about = fixed
    ? `By number of ${noun}, with ${base} today, if that number was the planned one.`
    : `By number of ${noun}, with ${base} today. The ${name} line counts stopping at any ${method === "always_valid" ? "time" : "look"} up to there.`;
  const title = `Chance to have shown ${effect}`;
  const label = `${title}, by number of ${noun}: ${name} reaches ${share(power)} at ${count(headline.at_most)}, one look at ${count(headline.one_look)}.`;
  const left = x(headline.at_most) > 55;
  const gap = x(headline.at_most) - x(headline.one_look);
  // Two lines so near each other have their notes one above the other; on a phone there is room for one note between lines that are not.
  const close = gap < 24;
  const narrow = gap < 60;
  const before = (units: number) => ({ right: `${(100.8 - x(units)).toFixed(1)}%`, textAlign: "right" as const });
  const after = (units: number) => ({ left: `${(x(units) + 0.8).toFixed(1)}%` });
  return (
    <Card title={title} about={about} class="block">
      <figure class="fig inset">
        <Plot
          label={label}
          x={sizeTicks(end, answer.per_day).map((tick, index) => ({
            at: tick.at,
            extra: index % 2 === 1,
            text: (
              <>
                {tickCount(tick.units)}
                {tick.day !== null && (
                  <>
                    <br />
                    day {plain(Math.round(tick.day * 10) / 10, 3)}
                  </>
                )}
              </>
            ),
          }))}
          y={GRID.map((it) => ({ at: 100 * (1 - it), text: percent(it) }))}
          twoLines
          readings={readings}
          over={
            <>
              {!fixed && <span class="vl same" style={{ left: `${x(headline.one_look).toFixed(2)}%`, top: `${100 * (1 - power)}%` }} />}
              <span class={fixed ? "vl same" : "vl"} style={{ left: `${x(headline.at_most).toFixed(2)}%`, top: `${100 * (1 - power)}%` }} />
              {!fixed && (
                <span class={narrow && !close ? "note low hide-s" : "note low"} style={close || !left ? before(headline.one_look) : after(headline.one_look)}>
                  fixed: one look
                  <br />
                  at {count(headline.one_look)}
                </span>
              )}
              <span class={`note low${fixed ? "" : " t-better"}${close && !fixed ? " second" : ""}`} style={left ? before(close ? Math.min(headline.one_look, headline.at_most) : headline.at_most) : after(headline.at_most)}>
                {fixed ? "one look" : name}:
                <br />
                {fixed ? "at" : "at most"} {count(headline.at_most)}
              </span>
              <span class="note faint bare above" style={{ left: "2px", top: `${100 * (1 - power)}%` }}>
                wanted power {share(power)}
              </span>
            </>
          }
        >
          {GRID.map((it) => (
            <path d={across(SIZE * it)} stroke="var(--grid)" />
          ))}
          <path d={across(SIZE * (1 - power))} stroke="var(--ink-3)" stroke-dasharray="4 3" />
          <path d={line(shares(curve.one_look, end))} fill="none" stroke="var(--same)" stroke-width={fixed ? 2.2 : 1.6} stroke-dasharray={fixed ? undefined : "5 3"} />
          {!fixed && <path d={curve.steps ? steps(shares(chosen, end)) : line(shares(chosen, end))} fill="none" stroke="var(--better)" stroke-width="2.2" />}
        </Plot>
        <AsTable
          caption={title}
          columns={[{ name: noun, number: true }, ...(fixed ? [] : [{ name, number: true }]), { name: "one look", number: true }]}
          rows={stops.map((units) => [count(units), ...(fixed ? [] : [percent(chosenAt(units), 1)]), percent(oneAt(units), 1)])}
        />
      </figure>
    </Card>
  );
}
