// What a running experiment can still find: by sizes alone, never by what was seen.

import type { PlanAnswer, Still } from "../../api/schema";
import { Card } from "../../parts/Card";
import { beside, Upright } from "../../parts/Plot";
import { Table } from "../../parts/Table";
import { alternate, line, pct, SIZE, type Point } from "../../path";
import { count } from "../../numbers";
import { rangeOf, ticksOf } from "../../scale";
import { capital } from "../../words/part";
import { Chart } from "./Chart";
import { effects } from "./lines";
import { difference, findsWords, METHODS, plain, share, tickCount, whenWords } from "./words";

export function StillFinds({ answer, still, noun }: { answer: PlanAnswer; still: Still; noun: string }) {
  const relative = answer.lift !== null;
  const upwards = (answer.lift ?? answer.difference) > 0;
  const of = (it: Still["curve"][number]) => (relative ? (upwards ? it.lift_up : it.lift_down) : upwards ? it.difference_up : it.difference_down);
  const wanted = Math.abs(answer.lift ?? answer.difference);
  const rows = [...still.at].sort((a, b) => a.units - b.units).map((it) => {
    const words = findsWords(it, answer.kind);
    const enough = Math.abs(of(it) ?? Number.POSITIVE_INFINITY) <= wanted * (1 + 1e-6);
    return [whenWords(it), count(it.units), words.up, words.down, enough ? "yes" : "not yet"];
  });
  return (
    <Card
      title="What can it still find?"
      about={`The smallest effects that ${METHODS[answer.method].short} reading finds with a chance of ${share(answer.power)} if the experiment ends there. It follows from the number of ${noun} alone: nothing that was seen is in it, and it says nothing about what is true.`}
      class="block"
    >
      <Curve answer={answer} still={still} noun={noun} of={of} wanted={wanted} />
      <Table
        caption="Smallest effects that are found, by size"
        columns={["When", `#${capital(noun)}`, "#Increase", "#Decrease", `Finds ${relative ? share(answer.lift ?? 0) : difference(answer.difference, answer.kind)}?`]}
        rows={rows}
      />
    </Card>
  );
}

interface CurveProps {
  answer: PlanAnswer;
  still: Still;
  noun: string;
  of: (it: Still["curve"][number]) => number | null;
  wanted: number;
}

function Curve({ answer, still, noun, of, wanted }: CurveProps) {
  const points = effects(still.curve, of);
  const now = still.at[0]?.units ?? 0;
  const [first, last] = [points[0]?.[0] ?? 1, points.at(-1)?.[0] ?? 1];
  // Small samples find so little that nothing else could be seen: what is above four times the wanted effect is cut.
  const scale = rangeOf([0, wanted * 1.15, ...points.map(([, it = 0]) => Math.min(it, 4 * wanted))], 5);
  const x = (units: number) => (SIZE * (units - first)) / Math.max(1, last - first);
  const y = (value: number) => SIZE * (1 - value / scale.high);
  const say = (value: number) => (answer.lift === null ? plain(answer.kind === "conversion" ? value * 100 : value, 3) : share(value));
  const places = points.map(([units = 0, value = 0]): Point => [x(units), Math.max(0, y(value))]);
  const title = `Smallest effect that is found, by number of ${noun}`;
  return (
    <Chart
      title={title}
      label={`${title}: ${count(now)} so far.`}
      height="mid"
      x={alternate(ticksOf(first, last, 7).map((it) => ({ at: x(it), text: tickCount(it) })))}
      y={scale.ticks.map((it) => ({ at: y(it), text: say(it) }))}
      level={y(wanted)}
      inks={[{ d: line(points.map(([units = 0, value = 0]) => [x(units), y(value)])), line: "better", width: 2.2 }]}
      columns={[`#${noun}`, "#finds"]}
      rows={points.map(([units = 0, value = 0]) => [count(units), say(value)])}
      places={places}
    >
      <Upright at={x(now)} tone="same" />
      <span class="note" style={{ ...beside(x(now)), top: "2px" }}>
        now: {count(now)}
      </span>
      <span class="note faint bare above" style={{ left: "2px", top: pct(y(wanted)) }}>
        wanted {say(wanted)}
      </span>
    </Chart>
  );
}
