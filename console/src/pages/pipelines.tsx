// Pipelines: their definitions and the history of their runs.
import { api } from "../api";
import { between, count, plural } from "../format";
import { useLoad } from "../hooks";
import { link } from "../route";
import { TaskButton } from "../task";
import { type Col, Table } from "../table";
import type { GateRule, Pipeline as PipelineRow, PipelineDefinition, PipelineRun } from "../types";
import { Card, Chip, Empty, Facts, Page, Show, State, Time } from "../ui";

const cols: Col<PipelineRow>[] = [
  { head: "Pipeline", cell: (p) => <a class="strong" href={link(["pipelines", p.name])}>{p.name}</a>, sort: (p) => p.name },
  { head: "What it is for", cell: (p) => <span class="dim">{p.description}</span>, wide: true },
  { head: "Revision", right: true, cell: (p) => p.revision, sort: (p) => p.revision },
  { head: "Last run", cell: (p) => (p.last_run_id ? <a href={link(["pipelines", p.name, p.last_run_id])}><State of={p.last_run_state} /></a> : <span class="dim">never</span>), sort: (p) => p.last_run_state },
  { head: "When", cell: (p) => <Time at={p.last_run_at} />, sort: (p) => p.last_run_at },
];

export function Pipelines() {
  const list = useLoad("pipelines", api.pipelines, 5000);
  return (
    <Page title="Pipelines" lead="SQL steps from datasets to datasets. Nothing is published unless every gate holds.">
      <Card flush>
        <Show of={list} empty={<Empty what="There are no pipelines." command="cairn pipeline apply examples/taxi/pipeline.yaml" />}>
          {(all) => <Table rows={all} cols={cols} keyOf={(p) => p.name} order={{ col: 0, down: false }} caption="Pipelines" />}
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
  { head: "Started", cell: (r) => <Time at={r.started_at} />, sort: (r) => r.started_at },
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
    <Page title={name} crumbs={[["Pipelines", "#/pipelines"]]} lead={pipeline.data?.definition.description}
      actions={<TaskButton text="Run now" primary start={() => api.runPipeline(name)} onEnd={runs.reload} />}>
      <Show of={pipeline}>
        {({ definition }) => (
          <>
            <Card title="Runs" flush>
              <Show of={runs} empty={<Empty what="It has never run." command={`cairn pipeline run ${name}`} />}>
                {(list) => <Table rows={list} cols={runCols} keyOf={(r) => r.id} order={{ col: 4, down: true }} caption="Runs" />}
              </Show>
            </Card>
            <Definition of={definition} />
          </>
        )}
      </Show>
    </Page>
  );
}
