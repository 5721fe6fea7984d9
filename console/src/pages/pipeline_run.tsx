// One run: steps with their durations, gates with what was measured against what was asked.
import { api } from "../api";
import { between, count, duration, num, parseDuration, percent, plural } from "../format";
import { useLoad } from "../hooks";
import { link } from "../route";
import { type Col, Table } from "../table";
import type { Gate, PipelineRun } from "../types";
import { Card, Empty, Facts, Page, Show, State, Time } from "../ui";
import { LineageLink } from "./shared";

/** A gate measures rows, a share of rows that pass, or an age in seconds. */
export function measured(g: Gate): string {
  if (g.gate === "row_count") return `${count(g.value)} rows`;
  if (g.gate === "freshness") return duration(g.value * 1000);
  return percent(g.value, 3);
}

const gateCols: Col<Gate>[] = [
  { head: "", cell: (g) => <State of={g.passed ? "passed" : "failed"} />, sort: (g) => Number(g.passed) },
  { head: "Of", cell: (g) => <>{g.step} <span class="dim">{g.on}</span></>, sort: (g) => g.step },
  { head: "Gate", cell: (g) => g.gate.replace("_", " "), sort: (g) => g.gate },
  { head: "Column", cell: (g) => <code>{g.column}</code>, sort: (g) => g.column },
  { head: "Measured", right: true, cell: (g) => <span class={`nowrap ${g.passed ? "" : "bad-text strong"}`}>{measured(g)}</span> },
  { head: "Has to be", cell: (g) => <span class="dim">{g.bound}</span> },
  { head: "Rows that fail", right: true, cell: (g) => (g.n_failing ? <span class="bad-text">{count(g.n_failing)} of {count(g.n_checked)}</span> : <span class="dim">0</span>), sort: (g) => g.n_failing },
];

function Steps({ of }: { of: NonNullable<PipelineRun["steps"]> }) {
  const took = of.map((s) => parseDuration(s.took) ?? 0);
  const most = Math.max(...took, 1);
  return (
    <ol class="steps">
      {of.map((s, i) => (
        <li key={s.name}>
          <span class="strong clip" title={s.name}>{s.name}</span>
          <svg viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true"><rect width={Math.max(0.6, (took[i]! / most) * 100)} height="8" rx="1" /></svg>
          <span class="right">{duration(took[i])}</span>
          <span class="right dim">{plural(s.n_rows, "row")}</span>
        </li>
      ))}
    </ol>
  );
}

/** Why nothing was published, first and in full. */
function Refused({ gates }: { gates: Gate[] }) {
  return (
    <section class="refused" role="alert">
      {gates.map((g, i) => (
        <div key={i}>
          <h2>Gate failed: {g.gate.replace("_", " ")} {g.column && <>of <code>{g.column}</code></>} in {g.step}</h2>
          <p class="against"><b>{measured(g)}</b> measured, has to be <b>{g.bound}</b>{g.n_failing > 0 && <>; {plural(g.n_failing, "row does", "rows do")} not pass</>}. Nothing was published.</p>
          {g.examples && g.examples.length > 0 && <pre class="code">{g.examples.join("\n")}</pre>}
        </div>
      ))}
    </section>
  );
}

export function PipelineRunPage({ id }: { id: string }) {
  const run = useLoad(`pipeline run ${id}`, () => api.pipelineRun(id), 3000);
  const pipeline = run.data?.pipeline;
  return (
    <Page title={id} crumbs={[["Pipelines", "#/pipelines"], ...(pipeline ? [[pipeline, link(["pipelines", pipeline])] as [string, string]] : [])]} actions={<LineageLink kind="pipeline_run" id={id} />}>
      <Show of={run}>
        {(r) => {
          const gates = r.gates ?? [];
          const failed = gates.filter((g) => !g.passed);
          return (
            <>
              {failed.length > 0 && <Refused gates={failed} />}
              <Card>
                <Facts of={[
                  ["State", <State of={r.state} />],
                  ["Started", <Time at={r.started_at} />],
                  ["Took", between(r.started_at, r.ended_at)],
                  ["Revision", num(r.revision)],
                  ["By", r.who],
                  ["Read", <div class="chips">{r.inputs?.map((i) => <a key={i.id} href={link(["data", i.dataset], { version: i.id.split("@")[1] })}>{i.id}</a>)}</div>],
                  ["Published", r.outputs?.length ? <div class="chips">{r.outputs.map((o) => <a key={o.id} href={link(["data", o.dataset], { version: o.id.split("@")[1] })}>{o.id}</a>)}</div> : "nothing"],
                ]} />
                {failed.length === 0 && r.state !== "succeeded" && <p class={`task-message ${r.state === "failed" ? "bad-text" : ""}`}>{r.message}</p>}
              </Card>
              <Card title="Steps">{r.steps?.length ? <Steps of={r.steps} /> : <Empty what="No step has ended yet." />}</Card>
              <Card title="Gates" flush aside={`${gates.length - failed.length} of ${gates.length} hold`}>
                {gates.length ? <Table rows={gates} cols={gateCols} keyOf={(g) => `${g.step} ${g.on} ${g.gate} ${g.column}`} order={{ col: 0, down: false }} marked={(g) => !g.passed && "bad"} caption="Gates" /> : <Empty what="No gate was measured." />}
              </Card>
            </>
          );
        }}
      </Show>
    </Page>
  );
}
