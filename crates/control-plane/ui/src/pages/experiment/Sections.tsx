// The bar that stays: sections, lift or difference, and which look is shown.

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { Experiment } from "../../api/types";
import { primaryOf } from "../../model";
import { Menu } from "../../parts/Menu";
import { Switch } from "../../parts/Switch";
import { go, withQuery } from "../../router";
import { moment } from "../../times";
import type { Scale } from "../../columns";

const SECTIONS = [
  ["metrics", "Metrics"],
  ["time", "Over time"],
  ["segments", "Segments"],
  ["health", "Health"],
  ["setup", "Setup and history"],
  ["sql", "SQL and export"],
] as const;

/** Below the two bars that stay. */
const BARS_PX = 140;
const WEEK_MS = 7 * 86_400_000;

export function Sections({ scale, look, frozen, experiment }: { scale: Scale; look: string; frozen: boolean; experiment: Experiment }) {
  const current = useSignal<string>("metrics");
  useEffect(() => {
    const mark = () => {
      const passed = SECTIONS.filter(([id]) => (document.getElementById(id)?.getBoundingClientRect().top ?? Number.POSITIVE_INFINITY) < BARS_PX);
      current.value = passed[passed.length - 1]?.[0] ?? "metrics";
    };
    addEventListener("scroll", mark, { passive: true });
    mark();
    return () => removeEventListener("scroll", mark);
  }, []);
  return (
    <div class="sub">
      <div class="in">
        <nav aria-label="Sections" tabIndex={-1}>
          {SECTIONS.map(([id, name]) => (
            <a href={`#${id}`} aria-current={current.value === id ? "true" : undefined}>
              {name}
            </a>
          ))}
        </nav>
        <span class="grow" />
        <span class="ctl">
          <ScaleSwitch scale={scale} />
        </span>
        <span class="ctl">
          <LookMenu look={look} frozen={frozen} experiment={experiment} />
        </span>
      </div>
    </div>
  );
}

function ScaleSwitch({ scale }: { scale: Scale }) {
  return (
    <Switch
      label="Scale"
      now={scale}
      options={[
        ["lift", "Lift"],
        ["difference", "Difference"],
      ]}
      choose={(to) => go(withQuery({ scale: to === "lift" ? null : to }), true)}
    />
  );
}

function LookMenu({ look, frozen, experiment }: { look: string; frozen: boolean; experiment: Experiment }) {
  const to = (at: string | null) => go(withQuery({ look: at }));
  const decided = primaryOf(experiment)?.variants.flatMap((it) => it.always_valid?.crossed?.look ?? []).sort()[0];
  const week = new Date(Date.parse(look) - WEEK_MS).toISOString().replace(".000Z", "Z");
  const choices = [
    { text: "Newest", chosen: !frozen, choose: () => to(null) },
    ...(decided ? [{ text: `When decided, ${moment(decided)}`, chosen: frozen && look === decided, choose: () => to(decided) }] : []),
    ...(experiment.started && week > experiment.started ? [{ text: `A week ago, ${moment(week)}`, choose: () => to(week) }] : []),
  ];
  const pick = (close: () => void) => (
    <label>
      Another time, UTC
      <input
        type="datetime-local"
        step="1"
        max={look.slice(0, 19)}
        onChange={(event) => {
          if (!event.currentTarget.value) return;
          close();
          to(`${event.currentTarget.value.padEnd(19, ":00")}Z`);
        }}
      />
    </label>
  );
  return <Menu label={frozen ? `Look: ${moment(look)}` : "Look: newest"} icon="clock" choices={choices} extra={pick} />;
}
