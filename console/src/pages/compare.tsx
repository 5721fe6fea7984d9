// Chosen runs side by side: what differs, and their curves over one another.
import { api } from "../api";
import { lineColour } from "../chart";
import { num } from "../format";
import { useLoad } from "../hooks";
import type { Run } from "../types";
import { Card, Empty, none, Page, Show, State } from "../ui";
import { MetricCharts } from "./metric_charts";
import { RunLink, tag } from "./shared";

const RUNS_MAX = 24;

function Row({ name, values }: { name: string; values: (string | undefined)[] }) {
  const differ = new Set(values).size > 1;
  return (
    <tr class={differ ? "" : "same"}>
      <th scope="row">{name}</th>
      {values.map((v, i) => <td key={i} class="right">{v ?? none}</td>)}
    </tr>
  );
}

function Side({ runs }: { runs: Run[] }) {
  const params = [...new Set(runs.flatMap((r) => r.data.params?.map((p) => p.key) ?? []))].sort();
  const metrics = [...new Set(runs.flatMap((r) => r.data.metrics?.map((m) => m.key) ?? []))].sort();
  const value = (r: Run, k: string) => r.data.metrics?.find((m) => m.key === k)?.value;
  return (
    <div class="table-wrap">
      <table class="side-by-side">
        <caption class="unseen">Params and metrics of the runs</caption>
        <thead>
          <tr>
            <th scope="col" />
            {runs.map((r, i) => (
              <th key={r.info.run_id} scope="col" class="right">
                <i class="swatch" style={{ background: lineColour(i) }} aria-hidden="true" /> <RunLink id={r.info.run_id} name={r.info.run_name} />
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          <tr><th scope="row">State</th>{runs.map((r) => <td key={r.info.run_id} class="right"><State of={r.info.status} /></td>)}</tr>
          {metrics.length > 0 && <tr class="part"><th colSpan={runs.length + 1}>Metrics, last value</th></tr>}
          {metrics.map((k) => <Row key={k} name={k} values={runs.map((r) => (value(r, k) == null ? undefined : num(value(r, k), 6)))} />)}
          {params.length > 0 && <tr class="part"><th colSpan={runs.length + 1}>Params</th></tr>}
          {params.map((k) => <Row key={k} name={k} values={runs.map((r) => tag(r.data.params, k))} />)}
        </tbody>
      </table>
    </div>
  );
}

export function Compare({ query }: { query: Record<string, string> }) {
  const ids = (query.runs ?? "").split(",").filter(Boolean).slice(0, RUNS_MAX);
  const runs = useLoad(ids.length ? `compare ${ids.join()}` : null, () => Promise.all(ids.map(api.run)));
  return (
    <Page title={`Compare ${ids.length} runs`} crumbs={[["Experiments", "#/experiments"]]} lead="Rows in grey are the same in all runs.">
      {ids.length === 0 ? <Card><Empty what="No runs were picked."><a href="#/experiments">Pick some</a></Empty></Card> : (
        <Show of={runs}>
          {(list) => (
            <>
              <MetricCharts runs={list} live={list.some((r) => r.info.status === "RUNNING")} />
              <Card title="Side by side" flush><Side runs={list} /></Card>
            </>
          )}
        </Show>
      )}
    </Page>
  );
}
