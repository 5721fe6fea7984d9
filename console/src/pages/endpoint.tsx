// One endpoint: how fast, how often, how well, and on what data compared with its training.
import { useMemo } from "preact/hooks";
import { api } from "../api";
import { Chart, Meter } from "../chart";
import { count, duration, num } from "../format";
import { useAction, useLoad } from "../hooks";
import { link } from "../route";
import { type Col, Table } from "../table";
import type { DriftColumn, Endpoint, Prediction } from "../types";
import { Card, Empty, Facts, Failed, Page, Show, Stat, State, Time } from "../ui";
import { latencyLines } from "./series";
import { LineageLink, liveOf } from "./shared";
import { TryIt } from "./try_it";

const WINDOW_MS = 30 * 60_000;

function toneOf(psi: number): string {
  return psi >= 0.25 ? "bad" : psi >= 0.1 ? "warn" : "ok";
}

const driftCols: Col<DriftColumn>[] = [
  { head: "Column", cell: (d) => <span class="strong">{d.column}</span>, sort: (d) => d.column },
  { head: "", cell: (d) => <Meter value={d.psi} max={0.5} tone={toneOf(d.psi)} marks={[0.1, 0.25]} label={`PSI of ${d.column}`} />, wide: true },
  { head: "PSI", right: true, cell: (d) => num(d.psi, 3), sort: (d) => d.psi },
  { head: "", cell: (d) => <State of={d.verdict} />, sort: (d) => d.verdict },
];

function Drift({ endpoint }: { endpoint: string }) {
  const drift = useLoad(`drift ${endpoint}`, () => api.drift(endpoint), 10_000);
  return (
    <Card title="Drift against training" flush aside="Marks at 0.1 and 0.25">
      <Show of={drift}>
        {(d) => (d.columns?.length ? <Table rows={d.columns} cols={driftCols} keyOf={(c) => c.column} order={{ col: 2, down: true }} caption="Drift per column" />
          : <Empty what="Too few predictions to judge." command={`cairn replay ${endpoint}`} />)}
      </Show>
    </Card>
  );
}

const predictionCols: Col<Prediction>[] = [
  { head: "Prediction", cell: (p) => <a class="mono" href={link(["lineage"], { kind: "prediction", id: p.id })}>{p.id}</a> },
  { head: "When", cell: (p) => <span class="nowrap"><Time at={p.at} /></span>, sort: (p) => p.at },
  { head: "Output", right: true, cell: (p) => <span class="strong">{num(p.output)}</span>, sort: (p) => p.output },
];

function Latency({ endpoint }: { endpoint: string }) {
  const lines = useLoad(`latency ${endpoint}`, () => latencyLines(endpoint, Date.now() - WINDOW_MS), 5000);
  return (
    <Card title="Latency" aside="Last 30 minutes">
      <Show of={lines}>
        {(l) => (l.some((x) => x.points.length) ? <Chart lines={l} time unit="ms" fromZero height={210} label="Latency over time" /> : <Empty what="No samples yet; they are kept every few seconds." />)}
      </Show>
    </Card>
  );
}

function Quality({ endpoint }: { endpoint: string }) {
  const quality = useLoad(`quality ${endpoint}`, () => api.quality(endpoint), 10_000);
  return (
    <Card title="Quality against labels">
      <Show of={quality}>
        {(q) => (q.n ? <Facts of={Object.entries(q).filter(([, v]) => typeof v === "number").map(([k, v]) => [k.toUpperCase(), num(v as number)])} />
          : <Empty what="No labels have come in for its predictions." />)}
      </Show>
    </Card>
  );
}

function Head({ of }: { of: Endpoint }) {
  const l = liveOf(of);
  return (
    <div class="stats">
      <Stat name="Requests a second" value={num(l.rps, 3)} />
      <Stat name="p50" value={duration(l.p50)} />
      <Stat name="p95" value={duration(l.p95)} />
      <Stat name="p99" value={duration(l.p99)} />
      <Stat name="Requests" value={count(l.requests)} />
      <Stat name="Errors" value={count(l.errors)} tone={l.errors ? "bad" : undefined} />
    </div>
  );
}

export function EndpointPage({ name }: { name: string }) {
  const endpoint = useLoad(`endpoint ${name}`, () => api.endpoint(name), 3000);
  const meta = useLoad(`meta ${name}`, () => api.modelMeta(name));
  const predictions = useLoad(`predictions ${name}`, () => api.predictions(name, 25), 5000);
  const refresh = useAction(() => api.refreshEndpoint(name));
  const example = useMemo(() => ({}), []);
  return (
    <Page title={name} crumbs={[["Endpoints", "#/endpoints"]]}
      actions={
        <>
          <button type="button" disabled={refresh.busy} title="Looks up the alias again and swaps the model without a failed request"
            onClick={() => void refresh.run().then(endpoint.reload)}>Refresh model</button>
          {endpoint.data && <LineageLink kind="endpoint" id={`${name}@${endpoint.data.revision}`} />}
        </>
      }>
      {refresh.error && <Failed error={refresh.error} />}
      <Show of={endpoint}>
        {(e) => (
          <>
            <Head of={e} />
            <Card>
              <Facts of={[
                ["Model", <a href={link(["models", e.model.split(/[@/]/)[0] ?? e.model])}>{e.model}</a>],
                ["Version", e.version], ["Revision", e.revision], ["Runtime", e.runtime], ["Changed", <Time at={e.updated_at ?? e.created_at} />],
              ]} />
            </Card>
            <div class="grid">
              <Latency endpoint={name} />
              <Show of={meta}>{(m) => <TryIt endpoint={name} meta={m} example={example} onDone={predictions.reload} />}</Show>
            </div>
            <div class="grid">
              <Drift endpoint={name} />
              <Quality endpoint={name} />
            </div>
            <Card title="Newest predictions" flush>
              <Show of={predictions} empty={<Empty what="It has made no prediction yet." command={`cairn predict ${name} NAME=VALUE …`} />}>
                {(list) => <Table rows={list} cols={predictionCols} keyOf={(p) => p.id} caption="Predictions" />}
              </Show>
            </Card>
          </>
        )}
      </Show>
    </Page>
  );
}
