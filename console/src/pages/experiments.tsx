// Runs of all experiments or of one: filter as MLflow does, sort, pick some to compare.
import { useMemo, useState } from "preact/hooks";
import { api } from "../api";
import { between, num, plural } from "../format";
import { useLoad } from "../hooks";
import { link, setQuery } from "../route";
import { type Col, Table } from "../table";
import type { Experiment, Run } from "../types";
import { Card, Empty, Page, Show, State, Time } from "../ui";
import { metric, RunLink, tag } from "./shared";

/** Keys that most runs have come first; at most so many, or the table is no longer one. */
export function commonKeys(runs: Run[], of: (r: Run) => { key: string }[] | undefined, most: number): string[] {
  const n = new Map<string, number>();
  for (const r of runs) for (const { key } of of(r) ?? []) n.set(key, (n.get(key) ?? 0) + 1);
  return [...n].sort((a, b) => b[1] - a[1] || a[0].localeCompare(b[0])).slice(0, most).map(([k]) => k);
}

/** Only what differs between runs tells them apart. */
function varies(runs: Run[], key: string): boolean {
  const seen = new Set(runs.map((r) => tag(r.data.params, key)).filter((v) => v != null));
  return seen.size > 1 || runs.length === 1;
}

function RunTable({ runs, picked, pick }: { runs: Run[]; picked: Set<string>; pick: (id: string) => void }) {
  const cols = useMemo<Col<Run>[]>(() => {
    const metrics = commonKeys(runs, (r) => r.data.metrics, 5);
    const params = commonKeys(runs, (r) => r.data.params, 40).filter((k) => varies(runs, k)).slice(0, 7);
    return [
      {
        head: <span class="unseen">Compare</span>,
        cell: (r) => <input type="checkbox" checked={picked.has(r.info.run_id)} onChange={() => pick(r.info.run_id)} aria-label={`Compare ${r.info.run_name}`} />,
      },
      {
        head: "Run",
        cell: (r) => (
          <span class={`nowrap ${tag(r.data.tags, "mlflow.parentRunId") ? "child" : "strong"}`}><RunLink id={r.info.run_id} name={r.info.run_name} /></span>
        ),
        sort: (r) => r.info.run_name,
      },
      { head: "State", cell: (r) => <State of={r.info.status} />, sort: (r) => r.info.status },
      { head: "Started", cell: (r) => <Time at={r.info.start_time} />, sort: (r) => r.info.start_time },
      { head: "Took", right: true, cell: (r) => <span class="nowrap">{between(r.info.start_time, r.info.end_time)}</span>, sort: (r) => (r.info.end_time ?? Date.now()) - r.info.start_time },
      ...metrics.map((k): Col<Run> => ({ head: k, right: true, cell: (r) => num(metric(r, k)), sort: (r) => metric(r, k) })),
      ...params.map((k): Col<Run> => ({
        head: <span class="param">{k}</span>,
        right: true,
        cell: (r) => <span class="dim">{short(tag(r.data.params, k))}</span>,
        sort: (r) => numberOr(tag(r.data.params, k)),
      })),
    ];
  }, [runs, picked]);
  return <Table rows={runs} cols={cols} keyOf={(r) => r.info.run_id} order={{ col: 3, down: true }} marked={(r) => picked.has(r.info.run_id)} caption="Runs" />;
}

function short(v: string | undefined): string {
  if (v == null) return "–";
  return v !== "" && !Number.isNaN(Number(v)) ? num(v) : v;
}

function numberOr(v: string | undefined): number | string | undefined {
  return v == null || v === "" ? undefined : Number.isNaN(Number(v)) ? v : Number(v);
}

function Picker({ all, at }: { all: Experiment[]; at?: string }) {
  return (
    <select value={at ?? ""} aria-label="Experiment" onChange={(e) => setQuery({ experiment: e.currentTarget.value })}>
      <option value="">All experiments</option>
      {all.map((e) => <option key={e.experiment_id} value={e.experiment_id}>{e.name}</option>)}
    </select>
  );
}

export function Experiments({ query }: { query: Record<string, string> }) {
  const experiments = useLoad("experiments", api.experiments, 10_000);
  const ids = query.experiment ? [query.experiment] : experiments.data?.map((e) => e.experiment_id);
  const filter = query.filter ?? "";
  const [draft, type] = useState(filter);
  const runs = useLoad(ids?.length ? `runs ${ids.join()} ${filter}` : null, () => api.runs(ids!, filter), 5000);
  const [picked, set] = useState<Set<string>>(new Set());
  const pick = (id: string) => {
    const next = new Set(picked);
    if (!next.delete(id)) next.add(id);
    set(next);
  };
  const none = <Empty what={filter ? "No run matches the filter." : "No runs yet."} command={filter ? undefined : "cairn train examples/taxi/train.yaml"} />;
  return (
    <Page title="Experiments" lead={runs.data && `${plural(runs.data.length, "run")} in ${query.experiment ? "one experiment" : plural(experiments.data?.length ?? 0, "experiment")}`}>
      <div class="tools">
        <Picker all={experiments.data ?? []} at={query.experiment} />
        <form class="row grow" onSubmit={(e) => { e.preventDefault(); setQuery({ filter: draft }); }}>
          <input type="search" class="mono" data-focus="/" value={draft} aria-label="Filter, as MLflow's search takes it" placeholder="metrics.rmse < 4 and params.max_depth = '6'"
            onInput={(e) => type(e.currentTarget.value)} />
          <button>Filter</button>
        </form>
        <a class={`button ${picked.size < 1 ? "off" : "primary"}`} aria-disabled={picked.size < 1} href={picked.size ? link(["compare"], { runs: [...picked].join(",") }) : undefined}>
          Compare {picked.size || ""}
        </a>
      </div>
      <Card flush>
        <Show of={experiments} empty={none}>
          {() => <Show of={runs} empty={none}>{(list) => <RunTable runs={list} picked={picked} pick={pick} />}</Show>}
        </Show>
      </Card>
    </Page>
  );
}
