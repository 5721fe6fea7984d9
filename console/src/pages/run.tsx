// One run: what it was given, what it measured, what it left behind.
import { useState } from "preact/hooks";
import { api } from "../api";
import { between, bytes, num } from "../format";
import { useLoad } from "../hooks";
import { link } from "../route";
import { type Col, Table } from "../table";
import type { Artifact, KeyValue, Metric, Run } from "../types";
import { Card, Copy, Empty, Facts, Page, Show, State, Tabs, Time } from "../ui";
import { MetricCharts } from "./metric_charts";
import { LineageLink, RunLink, tag } from "./shared";

function Pairs({ of, caption, none }: { of: KeyValue[]; caption: string; none: string }) {
  const cols: Col<KeyValue>[] = [
    { head: "Name", cell: (p) => p.key, sort: (p) => p.key },
    { head: "Value", cell: (p) => <code class="break">{p.value}</code>, sort: (p) => p.value },
  ];
  return of.length ? <Table rows={of} cols={cols} keyOf={(p) => p.key} order={{ col: 0, down: false }} caption={caption} /> : <Empty what={none} />;
}

const metricCols: Col<Metric>[] = [
  { head: "Metric", cell: (m) => m.key, sort: (m) => m.key },
  { head: "Last", right: true, cell: (m) => num(m.value, 6), sort: (m) => Number(m.value) },
  { head: "Step", right: true, cell: (m) => m.step, sort: (m) => m.step },
];

function Folder({ run, path, depth }: { run: string; path: string; depth: number }) {
  const files = useLoad(`artifacts ${run} ${path}`, () => api.artifacts(run, path));
  return (
    <Show of={files} empty={depth === 0 ? <Empty what="No artifacts." /> : <p class="dim">Empty</p>}>
      {(list) => <ul class="files">{list.map((f) => <File key={f.path} run={run} of={f} depth={depth} />)}</ul>}
    </Show>
  );
}

function File({ run, of, depth }: { run: string; of: Artifact; depth: number }) {
  const [open, set] = useState(depth === 0);
  const name = of.path.split("/").pop();
  if (!of.is_dir) return <li><span class="mono">{name}</span><span class="dim">{bytes(of.file_size)}</span></li>;
  return (
    <li class="folder">
      <button class="quiet small" aria-expanded={open} onClick={() => set(!open)}>{open ? "▾" : "▸"} <span class="mono">{name}/</span></button>
      {open && <Folder run={run} path={of.path} depth={depth + 1} />}
    </li>
  );
}

function Children({ of }: { of: Run }) {
  const id = of.info.run_id;
  const runs = useLoad(`children ${id}`, () => api.runs([of.info.experiment_id], `tags.mlflow.parentRunId = '${id}'`), of.info.status === "RUNNING" ? 3000 : 0);
  if (!runs.data?.length) return null;
  const all = runs.data.slice(0, 24).map((r) => r.info.run_id).join(",");
  return (
    <Card title="Trials" aside={<a href={link(["compare"], { runs: all })}>Compare them</a>}>
      <div class="chips">{runs.data.map((r) => <RunLink key={r.info.run_id} id={r.info.run_id} name={r.info.run_name} />)}</div>
    </Card>
  );
}

export function RunPage({ id, query }: { id: string; query: Record<string, string> }) {
  const run = useLoad(`run ${id}`, () => api.run(id), 5000);
  const at = query.tab ?? "metrics";
  const r = run.data;
  const parent = tag(r?.data.tags, "mlflow.parentRunId");
  return (
    <Page
      title={r?.info.run_name || id}
      crumbs={[["Experiments", "#/experiments"], ...(r ? [["Runs", link(["experiments"], { experiment: r.info.experiment_id })] as [string, string]] : [])]}
      actions={<LineageLink kind="run" id={id} />}
    >
      <Show of={run}>
        {({ info, data }) => {
          const tags = data.tags ?? [];
          return (
            <>
              <Card>
                <Facts of={[
                  ["State", <State of={info.status} />],
                  ["Started", <Time at={info.start_time} />],
                  ["Took", between(info.start_time, info.end_time)],
                  ["By", info.user_id],
                  ["Run id", <><code>{id}</code> <Copy text={id} /></>],
                  ...(parent ? [["Parent", <RunLink id={parent} />] as [string, preact.ComponentChildren]] : []),
                ]} />
              </Card>
              <Children of={{ info, data }} />
              <Tabs at={at} to={(tab) => link(["runs", id], { tab })} of={[
                ["metrics", "Metrics", data.metrics?.length ?? 0], ["params", "Params", data.params?.length ?? 0], ["artifacts", "Artifacts"], ["tags", "Tags", tags.length],
              ]} />
              {at === "metrics" && <MetricCharts runs={[{ info, data }]} live={info.status === "RUNNING"} />}
              {at === "metrics" && (data.metrics?.length ?? 0) > 0 && (
                <Card title="Last values" flush><Table rows={data.metrics ?? []} cols={metricCols} keyOf={(m) => m.key} order={{ col: 0, down: false }} caption="Metrics" /></Card>
              )}
              {at === "params" && <Card flush><Pairs of={data.params ?? []} caption="Params" none="No params were logged." /></Card>}
              {at === "tags" && <Card flush><Pairs of={tags} caption="Tags" none="No tags." /></Card>}
              {at === "artifacts" && <Card aside={<code>{info.artifact_uri}</code>}><Folder run={id} path="" depth={0} /></Card>}
            </>
          );
        }}
      </Show>
    </Page>
  );
}
