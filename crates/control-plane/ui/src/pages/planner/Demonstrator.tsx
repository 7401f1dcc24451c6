// Why looking early is a problem: an experiment in which nothing changes, and how many of such are ever called significant.

import type { PeekAnswer } from "../../api/schema";
import { Card } from "../../parts/Card";
import { Failure } from "../../parts/Failure";
import { Plot, type Reading } from "../../parts/Plot";
import { across, line, SIZE, steps, type Point } from "../../path";
import { count, percent, plural, pValue } from "../../numbers";
import { AsTable } from "./AsTable";
import { seedOf } from "./inputs";
import { falls, leastOf, logDown, looksAt, roomFor } from "./lines";
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
  const { data, error, retry } = useAnswer<PeekAnswer>("/v1/peek", { seed, looks: LOOKS, units: size, rate, alpha });
  const peek = data.value;
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
      {error.value && <Failure title="The demonstration could not be drawn." detail={error.value.message} retry={retry} requestId={error.value.requestId} />}
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

/** Of the words on the line, about, in thousandths of a picture that is 390 px wide. */
const WORD_WIDTH = 270;
const WORD_HEIGHT = 90;

function Path({ peek, noun }: { peek: PeekAnswer; noun: string }) {
  const least = leastOf(peek);
  const x = (at: number) => (SIZE * (at + 1)) / peek.looks;
  const y = (p: number) => logDown(p, least);
  const points = (of: (it: PeekAnswer["path"][number]) => number) => peek.path.map((it, at): Point => [x(at), y(of(it))]);
  const tens = [1, 0.1, 0.01, 1e-3, 1e-4, 1e-6, 1e-8].filter((it) => it >= least);
  const near = (p: number) => Math.abs(y(p) - y(peek.alpha)) < 60;
  const last = peek.path.at(-1);
  const often = `ordinary p: below ${peek.alpha} at ${peek.ordinary_below} of ${plural(peek.looks, "look")}`;
  const never = peek.always_valid_below === 0 ? "the always-valid p never is" : `the always-valid p is at ${peek.always_valid_below}`;
  const readings = peek.path.map((it, at): Reading => ({
    x: x(at) / 10,
    y: y(it.ordinary) / 10,
    text: (
      <>
        <b>
          Look {at + 1}, {count(it.units)} {noun}
        </b>
        <br />
        ordinary p {pValue(it.ordinary)}
        <br />
        always-valid p {pValue(it.always_valid)}
      </>
    ),
    spoken: `Look ${at + 1}: ordinary p ${pValue(it.ordinary)}, always-valid p ${pValue(it.always_valid)}`,
  }));
  const word = roomFor(y(last?.always_valid ?? 1), points((it) => it.ordinary), WORD_WIDTH, WORD_HEIGHT);
  const title = `One simulated experiment without effect: ${often}; ${never}`;
  return (
    <figure class="fig inset">
      <Plot
        label={title}
        height="mid"
        y={[...tens.filter((p) => !near(p)), peek.alpha].map((p) => ({ at: y(p) / 10, text: p >= 1e-4 ? String(p) : p.toExponential(0).replace("-", "−") }))}
        x={[0, 0.25, 0.5, 0.75, 1].map((it, at) => ({ at: 100 * it, text: it === 0 ? "0" : tickCount(peek.units * it), extra: at % 2 === 1 }))}
        readings={readings}
        over={
          <>
            <span class="note t-worse right lowest">{often}</span>
            <span class="note t-better middle" style={{ left: `${word.x / 10}%`, top: `${word.y / 10}%` }}>
              always-valid p
            </span>
          </>
        }
      >
        {falls(peek).map(([from, to]) => (
          <rect x={from} y={y(peek.alpha)} width={Math.min(SIZE, to) - from} height={SIZE - y(peek.alpha)} fill="var(--worse-band)" />
        ))}
        {tens.map((p) => (
          <path d={across(y(p))} stroke="var(--grid)" />
        ))}
        <path d={across(y(peek.alpha))} stroke="var(--ink-3)" stroke-dasharray="4 3" />
        <path d={line(points((it) => it.ordinary))} fill="none" stroke="var(--worse)" stroke-width="1.4" />
        <path d={steps(points((it) => it.always_valid))} fill="none" stroke="var(--better)" stroke-width="2.2" />
      </Plot>
      <AsTable
        caption={title}
        columns={[{ name: "Look" }, { name: noun, number: true }, { name: "ordinary p", number: true }, { name: "always-valid p", number: true }]}
        rows={peek.path.map((it, at) => [at + 1, count(it.units), pValue(it.ordinary), pValue(it.always_valid)])}
      />
    </figure>
  );
}

const TOPS = [0.2, 0.4, 0.6, 0.8, 1];

function Shares({ peek }: { peek: PeekAnswer }) {
  const { ever, alpha } = peek;
  const most = ever.at(-1)?.looks ?? 1;
  const highest = Math.max(alpha, ...ever.map((it) => it.ordinary.theory));
  const top = TOPS.find((it) => it >= highest * 1.02) ?? 1;
  const grid = [0, top / 4, top / 2, (3 * top) / 4, top];
  const x = (looks: number) => looksAt(looks, most);
  const y = (value: number) => SIZE * (1 - value / top);
  const points = (of: (it: PeekAnswer["ever"][number]) => number) => ever.map((it): Point => [x(it.looks), y(of(it))]);
  const at = (looks: number) => ever.find((it) => it.looks === looks);
  const [twenty, all] = [at(20), ever.at(-1)];
  const readings = ever.map((it): Reading => ({
    x: x(it.looks) / 10,
    y: y(it.ordinary.theory) / 10,
    text: (
      <>
        <b>{plural(it.looks, "look")}</b>
        <br />
        ordinary p {percent(it.ordinary.theory, 1)} (simulated {percent(it.ordinary.simulated, 1)})
        <br />
        always-valid {percent(it.always_valid.theory, 1)} (simulated {percent(it.always_valid.simulated, 1)})
      </>
    ),
    spoken: `${plural(it.looks, "look")}: ordinary p ${percent(it.ordinary.theory, 1)}, always-valid ${percent(it.always_valid.theory, 1)}`,
  }));
  const title = "Share of experiments without any effect that are ever called significant, by number of looks";
  const ticks = [1, 2, 5, 10, 20, 50, 100, 200].filter((it) => it <= most);
  return (
    <figure class="fig inset">
      <Plot
        label={`${title}: ordinary p ${percent(all?.ordinary.theory ?? 0, 0)} after ${most} looks, always-valid ${percent(all?.always_valid.theory ?? 0, 1)}.`}
        height="mid"
        y={[...grid.filter((it) => it === 0 || Math.abs(it - alpha) > top / 14), alpha].map((it) => ({ at: y(it) / 10, text: share(it) }))}
        x={ticks.map((it) => ({ at: x(it) / 10, text: count(it), extra: it !== 1 && it !== 10 && it !== 50 && it !== most }))}
        readings={readings}
        over={
          <>
            <span class="note t-worse bare" style={{ left: "3%", top: "18%" }}>
              ordinary p: {twenty && `${percent(twenty.ordinary.theory)} after 20 looks,`}
              <br />
              {percent(all?.ordinary.theory ?? 0)} after {most}
            </span>
            <span class="note t-better bare above right" style={{ top: `${y(alpha) / 10}%` }}>
              always-valid: {percent(all?.always_valid.theory ?? 0, 1)} after {most}, promised {share(alpha)}
            </span>
          </>
        }
      >
        {grid.map((it) => (
          <path d={across(y(it))} stroke="var(--grid)" />
        ))}
        <path d={across(y(alpha))} stroke="var(--ink-3)" stroke-dasharray="4 3" />
        <path d={line(points((it) => it.ordinary.theory))} fill="none" stroke="var(--worse)" stroke-width="2.2" />
        <path d={line(points((it) => it.always_valid.theory))} fill="none" stroke="var(--better)" stroke-width="2.2" />
      </Plot>
      <AsTable
        caption={title}
        columns={[{ name: "Looks" }, { name: "ordinary p", number: true }, { name: "simulated", number: true }, { name: "always-valid", number: true }, { name: "simulated", number: true }]}
        rows={ever.map((it) => [it.looks, percent(it.ordinary.theory, 1), percent(it.ordinary.simulated, 1), percent(it.always_valid.theory, 1), percent(it.always_valid.simulated, 1)])}
      />
    </figure>
  );
}
