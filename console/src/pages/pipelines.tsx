// Pipelines: their definitions and the history of their runs.
import { api } from "../api";
import { between, count, plural } from "../format";
import { useLoad } from "../hooks";
import { link } from "../route";
import { TaskButton } from "../task";
import { type Col, Table } from "../table";
import type { GateRule, Pipeline as PipelineRow, PipelineDefinition, PipelineRun } from "../types";
import { Card, Chip, Empty, Facts, Page, Show, State, Time } from "../ui";

interface Listed {
  row: PipelineRow;
  last?: PipelineRun;
}

async function listed(): Promise<Listed[]> {
  const rows = await api.pipelines();
  return Promise.all(rows.map(async (row) => ({ row, last: (await api.pipelineRuns(row.name))[0] })));
}

const cols: Col<Listed>[] = [
  { head: "Pipeline", cell: ({ row }) => <a class="strong" href={link(["pipelines", row.name])}>{row.name}</a>, sort: ({ row }) => row.name },
  { head: "What it is for", cell: ({ row }) => <span class="dim">{row.description}</span>, wide: true },
  { head: "Revision", right: true, cell: ({ row }) => row.revision, sort: ({ row }) => row.revision },
  { head: "Last run", cell: ({ last }) => (last ? <a href={link(["pipelines", last.pipeline, last.id])}><State of={last.state} /></a> : <span class="dim">never</span>), sort: ({ last }) => last?.state },
  { head: "When", cell: ({ last }) => <Time at={last?.started_at} />, sort: ({ last }) => last?.started_at },
  { head: "Took", right: true, cell: ({ last }) => (last ? between(last.started_at, last.ended_at) : "–") },
];

export function Pipelines() {
  const list = useLoad("pipelines+runs", listed, 5000);
  return (
    <Page title="Pipelines" lead="SQL steps from datasets to datasets. Nothing is published unless every gate holds.">
      <Card flush>
        <Show of={list} empty={<Empty what="There are no pipelines." command="cairn pipeline apply examples/taxi/pipeline.yaml" />}>
          {(all) => <Table rows={all} cols={cols} keyOf={({ row }) => row.name} order={{ col: 0, down: false }} caption="Pipelines" />}
        </Show>
      </Card>
    </Page>
  );
}

const runCols: Col<PipelineRun>[] = [
  { head: "Run", cell: (r) => <a class="mono" href={link(["pipelines", r.pipeline, r.id])}>{r.id}</a>, sort: (r) => r.id },
  { head: "State", cell: (r) => <State of={r.state} />, sort: (r) => r.state },
  { head: "Published", cell: (r) => <div class="chips">{r.outputs?.map((o) => <a key={o.id} href={link(["data", o.dataset], { version: o.id.split("@")[1] })}>{o.id}</a>)}</div> },
  { head: "How it ended", cell: (r) => <span class={r.state === "succeeded" || r.state === "running" ? "dim" : "bad-text"}>{r.message}</span>, wide: true },
  { head: "Started", cell: (r) => <span class="nowrap"><Time at={r.started_at} /></span>, sort: (r) => r.started_at },
  { head: "Took", right: true, cell: (r) => <span class="nowrap">{between(r.started_at, r.ended_at)}</span> },
];

export function gateText(g: GateRule): string {
  const at = [g.column, ...(g.columns ?? [])].filter(Boolean).join(", ");
  const bounds = [
    g.min != null && `≥ ${count(g.min)}`,
    g.max != null && `≤ ${count(g.max)}`,
    g.values?.length && `one of ${g.values.join(", ")}`,
    g.max_age && `at most ${g.max_age} old`,
    g.mostly != null && g.mostly < 1 && `for ${g.mostly * 100} %`,
  ].filter(Boolean);
  return [g.kind.replace("_", " "), at, bounds.join(", ")].filter(Boolean).join(" · ");
}

function Gates({ of }: { of?: GateRule[] }) {
  return of?.length ? <div class="chips gates">{of.map((g, i) => <Chip key={i}>{gateText(g)}</Chip>)}</div> : null;
}

function Definition({ of }: { of: PipelineDefinition }) {
  return (
    <Card title="Definition" aside={`${plural(of.steps.length, "step")}, ${plural([...of.steps, ...of.outputs].flatMap((s) => s.gates ?? []).length, "gate")}`}>
      <Facts of={[
        ["Reads", <div class="chips">{of.inputs.map((d) => <a key={d} href={link(["data", d])}>{d}</a>)}</div>],
        ["Publishes", <div class="chips">{of.outputs.map((o) => <a key={o.step} href={link(["data", o.dataset || o.step])}>{o.dataset || o.step}</a>)}</div>],
      ]} />
      {of.steps.map((s) => (
        <details class="step" key={s.name}>
          <summary><span class="strong">{s.name}</span> <span class="dim">{s.doc}</span></summary>
          <pre class="code">{s.sql.trim()}</pre>
          <Gates of={s.gates} />
        </details>
      ))}
      {of.outputs.filter((o) => o.gates?.length).map((o) => (
        <div key={o.step}>
          <h3>Before {o.dataset || o.step} is published</h3>
          <Gates of={o.gates} />
        </div>
      ))}
    </Card>
  );
}

export function Pipeline({ name }: { name: string }) {
  const pipeline = useLoad(`pipeline ${name}`, () => api.pipeline(name));
  const runs = useLoad(`runs of ${name}`, () => api.pipelineRuns(name), 3000);
  return (
    <Page title={name} crumbs={[["Pipelines", "#/pipelines"]]} lead={pipeline.data?.description}
      actions={<TaskButton text="Run now" primary start={() => api.runPipeline(name)} onEnd={runs.reload} />}>
      <Show of={pipeline}>
        {(p) => (
          <>
            <Card title="Runs" flush>
              <Show of={runs} empty={<Empty what="It has never run." command={`cairn pipeline run ${name}`} />}>
                {(list) => <Table rows={list} cols={runCols} keyOf={(r) => r.id} order={{ col: 4, down: true }} caption="Runs" />}
              </Show>
            </Card>
            {p.definition && <Definition of={p.definition} />}
          </>
        )}
      </Show>
    </Page>
  );
}
