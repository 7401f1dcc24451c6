// Health: whether units are divided as planned, whether arms are alike, and what became of every event.

import type { ComponentChildren } from "preact";
import type { Experiment } from "../../api/types";
import { count, pValue } from "../../numbers";
import { Card } from "../../parts/Card";
import { Icon } from "../../parts/Icon";
import { Pill } from "../../parts/Pill";
import { Table } from "../../parts/Table";
import { checksOf } from "../../words/checks";
import { units } from "../../words/part";
import type { Shown } from "./Experiment";
import { Split } from "./Split";

const BALANCE_ALARM = 0.1;
/** Where the axis of standardised differences ends. */
const BALANCE_END = 0.12;

export function Health({ experiment, results, frozen }: Shown & { frozen: boolean }) {
  const { srm } = experiment;
  const off = srm.alarm || srm.segments.some((it) => it.alarm);
  const sure = `${+((1 - srm.threshold) * 100).toFixed(2)}%`;
  return (
    <div class="two w block" id="health" tabIndex={-1}>
      <Card
        title="Health: the split"
        about={`Evidence that ${units(experiment.unit_name)} are not divided as planned. Under a correct split the running p stays above ${srm.threshold} for ever, with probability ${sure}.`}
        side={off ? <Pill tone="alarm" icon="warn" text="Off" /> : <Pill tone="better" icon="ok" text="As planned" />}
      >
        <Split experiment={experiment} until={frozen ? results.look : null} />
        <Balance experiment={experiment} />
      </Card>
      <Card title="Health: the events" about={`${count(results.events.exposures)} exposures and ${count(results.events.conversions)} conversions accepted over the whole log, each counted exactly once.`}>
        <Table caption="Checks" columns={["Check", "Result", "Detail"]} stack rows={checksOf(experiment, results).map(checkRow)} />
      </Card>
    </div>
  );
}

function checkRow(it: ReturnType<typeof checksOf>[number]): ComponentChildren[] {
  const icon = { good: "ok", off: "warn", bad: "warn", none: "flat" } as const;
  const tone = { good: "yes", off: "maybe", bad: "bad", none: "faint" } as const;
  return [
    <span class="nb">
      <span class={`check-icon ${tone[it.state]}`}>
        <Icon name={icon[it.state]} />
      </span>
      {it.name}
    </span>,
    <span class="badge">{it.result}</span>,
    <span class="dim">
      {it.detail}
      {it.link && (
        <>
          {" "}
          <a href={it.link.to}>{it.link.text}</a>
        </>
      )}
    </span>,
  ];
}

function Balance({ experiment }: { experiment: Experiment }) {
  if (experiment.balance.length === 0) return null;
  const rows = experiment.balance.map((it) => {
    const value = it.std_difference;
    const share = Math.min(1, (value ?? BALANCE_END) / BALANCE_END) * 100;
    return [
      it.attribute.replaceAll("_", " "),
      <div class="sds" role="img" aria-label={`largest standardised difference ${value === null ? "without limit" : value.toFixed(3)}`}>
        <i class="ax" />
        <i class="th" style={{ left: `${((BALANCE_ALARM / BALANCE_END) * 100).toFixed(1)}%` }} />
        <i class={(value ?? 1) > BALANCE_ALARM ? "p off" : "p"} style={{ left: `${share.toFixed(1)}%` }} />
      </div>,
      value === null ? "no limit" : value.toFixed(3),
      pValue(it.p_value_running),
    ];
  });
  return <Table caption="Attributes known before exposure" columns={["Attribute at exposure", `Standardised difference, line at ${BALANCE_ALARM}`, "#Largest", "#p, any time"]} rows={rows} />;
}

