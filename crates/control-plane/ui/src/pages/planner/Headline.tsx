// The three answers.

import type { PlanAnswer } from "../../api/schema";
import { count } from "../../numbers";
import { Kpis } from "../../parts/Kpis";
import { atMostWords, expectedWords, METHODS, priceWords, times } from "./words";

export function Headline({ answer, noun }: { answer: PlanAnswer; noun: string }) {
  const { headline, method } = answer;
  const plan = answer.methods.find((it) => it.method === method);
  if (!plan) return null;
  return (
    <section class="card" aria-label="Answers">
      <Kpis
        of={[
          [
            "Plan for at most",
            <>
              {count(headline.at_most)} <small>{noun}</small>
            </>,
            atMostWords(plan, answer.treatments, answer.per_day),
          ],
          [method === "fixed_horizon" ? "You stop at" : "Expect to stop at about", count(headline.expected), expectedWords(answer, plan)],
          [PRICES[method], times(headline.price), priceWords(headline, noun, method)],
        ]}
      />
      <p class="vh" aria-live="polite">{`${METHODS[method].option}: at most ${count(headline.at_most)} ${noun}.`}</p>
    </section>
  );
}

const PRICES = { always_valid: "Price of looking any time", group_sequential: "Price of looking now and then", fixed_horizon: "Price of not looking" } as const;
