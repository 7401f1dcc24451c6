// The list: what needs attention first, each row with its state in words before its picture.

import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { List } from "../../api/types";
import { ageNow } from "../../freshness";
import { onKey } from "../../keys";
import { count, plural } from "../../numbers";
import { Failure } from "../../parts/Failure";
import { Axis } from "../../parts/Interval";
import { Heading } from "../../parts/Heading";
import { Menu } from "../../parts/Menu";
import { Skeleton } from "../../parts/Skeleton";
import { Switch } from "../../parts/Switch";
import { type Header, HeadRow } from "../../parts/Table";
import { go, query, withQuery } from "../../router";
import { moveRow } from "../../rows";
import { arranged, filterOf, type Filter, GROUPS, moved, type Order, orderOf, type Sort, SORTS } from "./order";
import { EFFECTS, ListRow } from "./ListRow";
import { useStore } from "../../store";

const HEADERS: Header[] = [
  ["Experiment", "c-title"],
  ["State"],
  ["Primary metric, in words", "c-say"],
  ["Lift, 95% any time", "num"],
  [
    <>
      <span class="sd" aria-hidden="true">
        in minimum effects
      </span>
      <span class="vh">Picture, in minimum effects</span>
      <Axis scale={EFFECTS} say={(tick) => `${tick > 0 ? "+" : "−"}${Math.abs(tick)}×`} />
    </>,
    "fx c-fx",
  ],
  ["Units, of plan"],
  ["Health, age of data", "c-health"],
];

export function Experiments() {
  const store = useStore<List>("/v1/experiments", "/v1/stream", (it) => "groups" in it && "experiments" in it);
  const list = store.data.value;
  useEffect(() => {
    document.title = "Experiments · Assay";
    const stops = [onKey("j", () => moveRow(1)), onKey("k", () => moveRow(-1))];
    return () => stops.forEach((stop) => stop());
  }, []);
  if (list) return <Loaded list={list} failed={store.error.value !== null} retry={store.reload} />;
  const error = store.error.value;
  if (!error) return <Skeleton />;
  return (
    <>
      <h1 class="vh">Experiments</h1>
      <Failure title="The experiments could not be loaded." of={store} detail={`${error.message} Flags keep working from the last good copy.`} />
    </>
  );
}

function Loaded({ list, failed, retry }: { list: List; failed: boolean; retry: () => void }) {
  const filter = filterOf(query.value);
  const now = arranged(list.experiments, filter);
  const { groups, waiting, sortAgain, guard } = useStillRows(now, filter);
  const running = list.experiments.filter((it) => it.status === "running").length;
  const all = list.experiments.length - (list.groups.stopped ?? 0);
  return (
    <div class="in">
      <Heading
        title="Experiments"
        first
        acts={
          <a class="btn" href="/plan">
            Plan one
          </a>
        }
      >
        <span>
          {plural(all, "experiment")}, {running} running
        </span>
        {failed && (
          <span class="t-warn">
            Newer rows could not be loaded.{" "}
            <button type="button" class="link" onClick={retry}>
              Try now
            </button>
          </span>
        )}
      </Heading>
      <Filters list={list} filter={filter} all={all} />
      {groups.length === 0 ? (
        <Nothing all={list.experiments.length} />
      ) : (
        // The offer to sort is inside what is guarded: on the way to it nothing moves.
        <div {...guard}>
          <section class="card" aria-label="List">
            <table class="list" role="table">
              <caption class="vh">Experiments with the state of their primary metric</caption>
              <HeadRow headers={HEADERS} />
              {groups.map(({ group, name, rows }) => (
                <tbody key={group} role="rowgroup">
                  <tr class="grp" role="row">
                    <th colSpan={HEADERS.length} scope="rowgroup" role="rowheader">
                      {name}
                      <span class="n">{rows.length}</span>
                    </th>
                  </tr>
                  {rows.map((row) => (
                    <ListRow key={row.experiment} row={row} list={list} ageMs={ageNow.value ?? 0} />
                  ))}
                </tbody>
              ))}
            </table>
          </section>
          <div class="changes" role="status">
            {waiting > 0 && (
              <button type="button" class="btn main" onClick={sortAgain}>
                {waiting} changed · Sort again
              </button>
            )}
          </div>
        </div>
      )}
      <div class="foot" />
    </div>
  );
}

/** Rows stay where they are while the pointer or the focus is among them; what would move is offered instead. */
function useStillRows(now: ReturnType<typeof arranged>, filter: Filter) {
  const busy = useSignal(false);
  const order = useRef<{ order: Order; filter: string }>({ order: orderOf(now), filter: JSON.stringify(filter) });
  const redraw = useSignal(0);
  const asked = JSON.stringify(filter);
  const wanted = orderOf(now);
  const changed = moved(order.current.order, wanted);
  if (!busy.value || order.current.filter !== asked) order.current = { order: wanted, filter: asked };
  void redraw.value;
  const rows = new Map(now.flatMap((it) => it.rows.map((row) => [row.experiment, row])));
  const groups = order.current.order
    .map(({ group, ids }) => ({ group, name: GROUPS.find((it) => it.group === group)?.name ?? group, rows: ids.flatMap((id) => rows.get(id) ?? []) }))
    .filter((it) => it.rows.length > 0);
  return {
    groups,
    waiting: busy.value && order.current.order !== wanted ? changed : 0,
    sortAgain: () => {
      order.current = { order: wanted, filter: asked };
      redraw.value += 1;
    },
    guard: {
      onPointerEnter: () => (busy.value = true),
      onPointerLeave: (event: PointerEvent & { currentTarget: HTMLElement }) => (busy.value = event.currentTarget.contains(document.activeElement)),
      onFocusIn: () => (busy.value = true),
      onFocusOut: (event: FocusEvent & { currentTarget: HTMLElement }) => {
        if (!event.currentTarget.contains(event.relatedTarget as Node | null)) busy.value = event.currentTarget.matches(":hover");
      },
    },
  };
}

function Filters({ list, filter, all }: { list: List; filter: Filter; all: number }) {
  const owners = [...new Set(list.experiments.map((it) => it.owner).filter(Boolean))].sort();
  const set = (changes: Record<string, string | null>) => go(withQuery(changes), true);
  return (
    <div class="filters">
      <Switch
        label="State"
        now={filter.state}
        options={[[null, `All ${count(all)}`], ...GROUPS.filter(({ group }) => (list.groups[group] ?? 0) > 0).map(({ group, name }) => [group, `${name.replace(", still running", "")} ${count(list.groups[group] ?? 0)}`] as const)]}
        choose={(state) => set({ state })}
      />
      {filter.text && (
        <button type="button" class="btn s" onClick={() => set({ q: null })}>
          “{filter.text}” ×
        </button>
      )}
      <span class="grow" />
      {owners.length > 1 && (
        <Menu
          label={`Owner: ${filter.owner ?? "anyone"}`}
          choices={[{ text: "Anyone", chosen: filter.owner === null, choose: () => set({ owner: null }) }, ...owners.map((owner) => ({ text: owner, chosen: filter.owner === owner, choose: () => set({ owner }) }))]}
        />
      )}
      <Menu
        label={`Sort: ${SORTS[filter.sort]}`}
        choices={(Object.keys(SORTS) as Sort[]).map((sort) => ({ text: SORTS[sort], chosen: filter.sort === sort, choose: () => set({ sort: sort === "attention" ? null : sort }) }))}
      />
    </div>
  );
}

function Nothing({ all }: { all: number }) {
  return (
    <section class="card state" aria-label="List">
      <p class="v">{all === 0 ? "No experiments yet." : "No experiment is like that."}</p>
      <p class="dim small">
        {all === 0 ? "Write one in YAML and publish it, or start with the planner. It shows here within seconds. " : "Other filters may show some. "}
        {all === 0 ? <a href="/plan">Plan one</a> : <a href="/experiments">Show all</a>}
      </p>
    </section>
  );
}
