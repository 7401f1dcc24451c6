// The three answers.

import type { PlanAnswer } from "../../api/schema";
import { count } from "../../numbers";
import { atMostWords, expectedWords, METHODS, priceWords, times } from "./words";

export function Headline({ answer, noun }: { answer: PlanAnswer; noun: string }) {
  const { headline, method } = answer;
  const plan = answer.methods.find((it) => it.method === method);
  if (!plan) return null;
  return (
    <section class="card" aria-label="Answers">
      <div class="kpis">
        <div>
          <div class="k">Plan for at most</div>
          <div class="n">
            {count(headline.at_most)} <small>{noun}</small>
          </div>
          <div class="w">{atMostWords(plan, answer.treatments, answer.per_day)}</div>
        </div>
        <div>
          <div class="k">{method === "fixed_horizon" ? "You stop at" : "Expect to stop at about"}</div>
          <div class="n">{count(headline.expected)}</div>
          <div class="w">{expectedWords(answer, plan)}</div>
        </div>
        <div>
          <div class="k">{PRICES[method]}</div>
          <div class="n">{times(headline.price)}</div>
          <div class="w">{priceWords(headline, noun, method)}</div>
        </div>
      </div>
      <p class="vh" aria-live="polite">{`${METHODS[method].option}: at most ${count(headline.at_most)} ${noun}.`}</p>
    </section>
  );
}

const PRICES = { always_valid: "Price of looking any time", group_sequential: "Price of looking now and then", fixed_horizon: "Price of not looking" } as const;
