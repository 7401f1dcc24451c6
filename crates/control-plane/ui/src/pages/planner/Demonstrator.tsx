// Why looking early is a problem: an experiment in which nothing changes, and how many of such are ever called significant.

import type { PeekAnswer } from "../../api/schema";
import { Card } from "../../parts/Card";
import { Failure } from "../../parts/Failure";
import { alternate, area, line, pct, SIZE, steps, type Point } from "../../path";
import { count, percent, plural, pValue } from "../../numbers";
import { pAxis, rangeOf } from "../../scale";
import { Chart } from "./Chart";
import { seedOf } from "./inputs";
import { falls, leastOf, looksAt, } from "./lines";
import { change, inputs, useAnswer } from "./state";
import { share, tickCount } from "./words";

interface Props {
  rate: number;
  alpha: number;
  units: number;
  noun: string;
}

const LOOKS = 200;
/** What the simulation takes at most. */
const UNITS_MAX = 4_000_000;
const SEEDS = 1_000_000;

export function Demonstrator({ rate, alpha, units, noun }: Props) {
  const seed = seedOf(inputs.value.seed);
  const size = Math.min(UNITS_MAX, Math.max(2 * LOOKS, Math.round(units)));
  const answer = useAnswer<PeekAnswer>("/v1/peek", { seed, looks: LOOKS, units: size, rate, alpha });
  const peek = answer.data.value;
  const another = () => change({ seed: String(Math.floor(Math.random() * SEEDS)) }, true);
  return (
    <Card
      title="Why looking early is a problem, and why it is not one here"
      about="Both pictures show experiments in which nothing changes. Whatever is called significant is wrong."
      class="block"
      side={
        <button type="button" class="btn s" onClick={another}>
          Draw another
        </button>
      }
    >
      {answer.error.value && <Failure title="The demonstration could not be drawn." of={answer} />}
      {peek ? <Pictures peek={peek} noun={noun} /> : <div class="two tight blank" />}
    </Card>
  );
}

function Pictures({ peek, noun }: { peek: PeekAnswer; noun: string }) {
  return (
    <>
      <div class="two tight">
        <div>
          <h3>One of them, looked at {peek.looks} times</h3>
          <Path peek={peek} noun={noun} />
        </div>
        <div>
          <h3>All of them: ever called significant, by number of looks</h3>
          <Shares peek={peek} />
        </div>
      </div>
      <div class="key">
        <span class="faint">
          Seed {peek.seed}. Left, one simulated experiment of {count(peek.units)} {noun} that convert at {share(peek.rate)} in both arms. Right, lines by theory; {plural(peek.runs, "simulated experiment")} of that size agree within{" "}
          {percent(agreement(peek), 1)}.
        </span>
      </div>
    </>
  );
}

/** The largest distance between what was simulated and what theory says. */
function agreement(peek: PeekAnswer): number {
  return Math.max(...peek.ever.flatMap((it) => [it.ordinary, it.always_valid].map((one) => Math.abs(one.simulated - one.theory))));
}

function Path({ peek, noun }: { peek: PeekAnswer; noun: string }) {
  const { top, y, level } = pAxis(leastOf(peek), peek.alpha);
  const x = (at: number) => (SIZE * (at + 1)) / peek.looks;
  const points = (of: (it: PeekAnswer["path"][number]) => number) => peek.path.map((it, at): Point => [x(at), Math.min(SIZE, top(of(it)))]);
  const [ordinary, valid] = [points((it) => it.ordinary), points((it) => it.always_valid)];
  const often = `ordinary p: below ${peek.alpha} at ${peek.ordinary_below} of ${plural(peek.looks, "look")}`;
  const never = peek.always_valid_below === 0 ? "the always-valid p never is" : `the always-valid p is at ${peek.always_valid_below}`;
  const title = `One simulated experiment without effect: ${often}; ${never}`;
  return (
    <Chart
      title={title}
      label={title}
      height="mid"
      x={alternate([0, 0.25, 0.5, 0.75, 1].map((it) => ({ at: SIZE * it, text: tickCount(peek.units * it) })))}
      y={y}
      level={level}
      inks={[
        ...falls(peek).map(([from, to]) => ({ d: area([from, level], [Math.min(SIZE, to), SIZE]), fill: "worse-band" })),
        { d: line(ordinary), line: "worse", width: 1.4 },
        { d: steps(valid), line: "better", width: 2.2 },
      ]}
      columns={["Look", `#${noun}`, "#ordinary p", "#always-valid p"]}
      rows={peek.path.map((it, at) => [count(at + 1), count(it.units), pValue(it.ordinary), pValue(it.always_valid)])}
      places={ordinary}
    >
      <span class="note t-worse right lowest">{often}</span>
      <span class="note t-better bare" style={{ left: "12%" }}>
        always-valid p
      </span>
    </Chart>
  );
}

function Shares({ peek }: { peek: PeekAnswer }) {
  const { ever, alpha } = peek;
  const most = ever.at(-1)?.looks ?? 1;
  const { high: top, ticks: grid } = rangeOf([0, alpha, ...ever.map((it) => it.ordinary.theory)], 5);
  const x = (looks: number) => looksAt(looks, most);
  const y = (value: number) => SIZE * (1 - value / top);
  const points = (of: (it: PeekAnswer["ever"][number]) => number) => ever.map((it): Point => [x(it.looks), y(of(it))]);
  const [twenty, all] = [ever.find((it) => it.looks === 20), ever.at(-1)];
  const [ordinary, valid] = [points((it) => it.ordinary.theory), points((it) => it.always_valid.theory)];
  const title = "Share of experiments without any effect that are ever called significant, by number of looks";
  const ticks = [1, 2, 5, 10, 20, 50, 100, 200].filter((it) => it <= most);
  return (
    <Chart
      title={title}
      label={`${title}: ordinary p ${percent(all?.ordinary.theory ?? 0, 0)} after ${most} looks, always-valid ${percent(all?.always_valid.theory ?? 0, 1)}.`}
      height="mid"
      x={ticks.map((it) => ({ at: x(it), text: count(it), extra: it !== 1 && it !== 10 && it !== 50 && it !== most }))}
      y={[...grid.filter((it) => it === 0 || Math.abs(it - alpha) > top / 14), alpha].map((it) => ({ at: y(it), text: share(it) }))}
      level={y(alpha)}
      inks={[
        { d: line(ordinary), line: "worse", width: 2.2 },
        { d: line(valid), line: "better", width: 2.2 },
      ]}
      columns={["Looks", "#ordinary p", "#simulated", "#always-valid", "#simulated"]}
      rows={ever.map((it) => [count(it.looks), ...[it.ordinary, it.always_valid].flatMap((p) => [percent(p.theory, 1), percent(p.simulated, 1)])])}
      places={ordinary}
    >
      <span class="note t-worse bare" style={{ left: "3%", top: "18%" }}>
        ordinary p: {twenty && `${percent(twenty.ordinary.theory)} after 20 looks,`}
        <br />
        {percent(all?.ordinary.theory ?? 0)} after {most}
      </span>
      <span class="note t-better bare above right" style={{ top: pct(y(alpha)) }}>
        always-valid: {percent(all?.always_valid.theory ?? 0, 1)} after {most}, promised {share(alpha)}
      </span>
    </Chart>
  );
}
