// The system: one sentence, then events, partitions, sinks, edges, definitions, disk and build. Asked anew every two seconds while somebody looks.

import { useEffect } from "preact/hooks";
import type { Status as Report } from "../../api/schema";
import { useResource } from "../../api/resource";
import { announce } from "../../announce";
import { shown } from "../../freshness";
import { Failure } from "../../parts/Failure";
import { Heading } from "../../parts/Heading";
import { Kpis } from "../../parts/Kpis";
import { Pill } from "../../parts/Pill";
import { Skeleton } from "../../parts/Skeleton";
import { count } from "../../numbers";
import { age, clock, full, local } from "../../times";
import { DeadLetters } from "./DeadLetters";
import { Events } from "./Events";
import { Partition } from "./Partition";
import { Partitions } from "./Partitions";
import { Rest } from "./Rest";
import { LEVELS, lookWords, milliseconds, perSecond } from "./words";

const EVERY_MS = 2_000;

export function Status({ rest }: { rest: string[] }) {
  const report = useResource<Report>("/v1/status");
  const known = report?.data.value ?? null;
  const error = report?.error.value ?? null;
  useEffect(() => {
    const timer = setInterval(() => {
      // A failure counts down to its own next try.
      if (!document.hidden && report?.retryIn.peek() == null) report?.reload();
    }, EVERY_MS);
    return () => clearInterval(timer);
  }, [report]);
  useEffect(() => {
    if (!known?.look) return;
    // Who holds it back is said on the page itself; the top bar offers provisional numbers for it, and here are none.
    const ageMs = Math.max(0, Date.parse(known.server_time) - Date.parse(known.look.at));
    shown.value = { logTime: known.look.at, ageMs, saidAt: performance.now(), heldBy: null, frozen: null };
  }, [known]);
  useEffect(() => {
    if (known && known.level !== "fine") announce(known.sentence);
  }, [known?.level]);
  if (report && error && !known) {
    return (
      <>
        <h1 class="vh">Status</h1>
        <Failure title="The status cannot be read." of={report} />
      </>
    );
  }
  if (!known) return <Skeleton />;
  const [part, which] = rest;
  return (
    <div class="in status">
      {rest.length > 0 && (
        <p class="crumb">
          <a href="/status">Status</a> / {part === "partitions" ? `partition ${which}` : "dead letters"}
        </p>
      )}
      <Heading title={part === "partitions" ? `Partition ${which}` : part === "dead-letters" ? "Dead letters" : "Status"} first={rest.length === 0}>
        <span>
          As of{" "}
          <time dateTime={known.server_time} title={local(known.server_time)}>
            {clock(known.server_time)} UTC
          </time>
        </span>
        {known.dashboards && (
          <span>
            <a href={known.dashboards} target="_blank" rel="noreferrer">
              Dashboards
            </a>
          </span>
        )}
        {error && <Pill tone="warn" icon="clock" text={`Not connected${report?.retryIn.value != null ? ` · trying again in ${report.retryIn.value} s` : ""}`} />}
      </Heading>
      <Body report={known} part={part} which={which} />
      <div class="foot">
        <span>
          {known.build.version}, semantics {known.build.semantics}, log <span class="mono">{known.build.log}</span>
        </span>
        <span title={local(known.build.started)}>started {full(known.build.started)}</span>
      </div>
    </div>
  );
}

function Body({ report, part, which }: { report: Report; part: string | undefined; which: string | undefined }) {
  if (part === "partitions") return <Partition report={report} number={Number(which)} />;
  if (part === "dead-letters") return <DeadLetters report={report} />;
  return (
    <>
      <First report={report} />
      <Partitions report={report} />
      <div class="two block">
        <Events report={report} />
        <Rest report={report} />
      </div>
    </>
  );
}

function First({ report }: { report: Report }) {
  const { tone, icon, word } = LEVELS[report.level];
  const { latency, analysis, events, look } = report;
  const accepted = events.outcomes.find((it) => it.name === "accepted");
  return (
    <section class={report.level === "fine" ? "card" : `card state-card ${report.level === "alarm" ? "alarm" : "warn"}`} aria-label="Summary">
      <p class="sentence">
        <Pill tone={tone} icon={icon} text={word} /> {report.sentence}
      </p>
      <Kpis
        of={[
          ["Event to result, half of them", latency ? milliseconds(latency.median_ms) : "–", latency ? `or less, over the last ${count(latency.looks)} looks.` : "After ten looks."],
          ["99 in 100", latency ? milliseconds(latency.p99_ms) : "–", analysis.fine ? "The wait for the end of the look is in it." : analysis.says],
          ["Events accepted", perSecond(accepted?.per_second ?? 0), events.seconds > 0 ? `over the last ${age(events.seconds * 1000)}.` : "After the second reading."],
          ["Aligned look", look ? clock(look.at) : "–", lookWords(look)],
        ]}
      />
    </section>
  );
}
