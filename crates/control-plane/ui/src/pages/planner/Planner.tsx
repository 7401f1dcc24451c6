// The planner: what an experiment needs before it starts, and what a running one can still find.

import { useSignal } from "@preact/signals";
import type { PlanAnswer } from "../../api/schema";
import { copy } from "../../copy";
import { Dialog } from "../../parts/Dialog";
import { Failure } from "../../parts/Failure";
import { Heading } from "../../parts/Heading";
import { Skeleton } from "../../parts/Skeleton";
import { capital } from "../../words/part";
import { Chance } from "./Chance";
import { FromExperiment } from "./FromExperiment";
import { Demonstrator } from "./Demonstrator";
import { Form } from "./Form";
import { Headline } from "./Headline";
import { fieldOf, isWrong, questionOf, type Wrong } from "./inputs";
import { StillFinds } from "./StillFinds";
import { inputs, useAddress, useAnswer } from "./state";
import { Boundaries, Ways } from "./Ways";
import { definitionOf } from "./words";

/** The rate that the demonstration shows for metrics that have none. */
const USUAL_RATE = 0.05;

export function Planner() {
  useAddress();
  const it = inputs.value;
  const question = questionOf(it);
  const unread = isWrong(question) ? question : null;
  const asked = useAnswer<PlanAnswer>("/v1/plan", unread ? null : question);
  const using = useSignal(false);
  const answer = asked.data.value;
  const refused = unread ? null : refusal(asked.error.value);
  const wrong = unread ?? refused;
  const failed = !unread && !refused && asked.error.value;
  return (
    <div class="in planner">
      <Heading title="Planner" first>
        <span>Before launch it says what an experiment needs; after launch, what it can still find. Never “observed power”.</span>
      </Heading>
      <div class="plan">
        <Form wrong={wrong} answer={answer} use={() => (using.value = true)}>
          {it.stage === "running" && <FromExperiment />}
        </Form>
        <div aria-busy={answer === null && !wrong && !failed}>
          {failed && <Failure title="The plan could not be computed." of={asked} />}
          {wrong && answer && (
            <div class="notice plan-notice" role="status">
              These numbers are for the last plan that could be read: {wrong.detail}
            </div>
          )}
          {answer ? <Answers answer={answer} noun={it.noun} looks={answer.boundaries.length} running={it.stage === "running"} /> : !wrong && !failed && <Skeleton />}
        </div>
      </div>
      <div class="foot" />
      {using.value && answer && <Use answer={answer} close={() => (using.value = false)} />}
    </div>
  );
}

/** A refusal that names a field belongs beside that field. */
function refusal(error: { field: string | null; detail: string } | null): Wrong | null {
  const field = error?.field ? fieldOf(error.field) : null;
  return error && field ? { field, detail: sentence(error.detail) } : null;
}

const sentence = (text: string) => `${capital(text)}${/[.!?]$/.test(text) ? "" : "."}`;

function Answers({ answer, noun, looks, running }: { answer: PlanAnswer; noun: string; looks: number; running: boolean }) {
  return (
    <>
      {running && answer.still && <StillFinds answer={answer} still={answer.still} noun={noun} />}
      <Headline answer={answer} noun={noun} />
      <Chance answer={answer} noun={noun} />
      <Ways answer={answer} noun={noun} looks={looks} />
      {answer.method === "group_sequential" && <Boundaries answer={answer} noun={noun} />}
      <Demonstrator rate={answer.kind === "conversion" ? answer.base : USUAL_RATE} alpha={answer.alpha} units={answer.headline.at_most} noun={noun} />
    </>
  );
}

function Use({ answer, close }: { answer: PlanAnswer; close: () => void }) {
  const copied = useSignal(false);
  const text = definitionOf(answer);
  return (
    <Dialog
      title="Definition to start from"
      close={close}
      class="wide"
      acts={
        <button type="button" class="btn main" onClick={() => copy(text).then(() => (copied.value = true))}>
          {copied.value ? "Copied" : "Copy"}
        </button>
      }
    >
      <p class="dim">It fixes what the plan is about; names and events are yours. Put it into the directory of definitions and check it with “assay check”.</p>
      <pre class="definition" tabIndex={0}>
        {text}
      </pre>
    </Dialog>
  );
}
