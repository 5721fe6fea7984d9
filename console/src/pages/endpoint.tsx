// One endpoint: how fast, how often, how well, and on what data compared with its training.
import { useMemo } from "preact/hooks";
import { api } from "../api";
import { Chart, type Line, Meter } from "../chart";
import { count, duration, num, plural } from "../format";
import { useAction, useLoad } from "../hooks";
import { link } from "../route";
import { type Col, Table } from "../table";
import type { DriftColumn, Endpoint, Prediction } from "../types";
import { Card, Chip, Empty, Facts, Failed, none, Page, Show, Stat, State, Time } from "../ui";
import { latencyLines, requestLines } from "./series";
import { LineageLink } from "./shared";
import { exampleOf, TryIt } from "./try_it";

const WINDOW_MS = 30 * 60_000;

const tones: Record<string, string> = { stable: "ok", moderate: "warn", drifted: "bad" };

const driftCols: Col<DriftColumn>[] = [
  { head: "Column", cell: (d) => <><span class="strong">{d.column}</span> {d.role === "prediction" && <Chip>prediction</Chip>}</>, sort: (d) => d.column },
  { head: "", cell: (d) => <Meter value={d.psi} max={0.5} tone={tones[d.verdict] ?? "dim"} marks={[0.1, 0.25]} label={`PSI of ${d.column}: ${num(d.psi)}`} />, wide: true },
  { head: "PSI", right: true, cell: (d) => num(d.psi, 3), sort: (d) => d.psi },
  { head: "", cell: (d) => <State of={d.verdict} />, sort: (d) => d.verdict },
];

function Drift({ endpoint }: { endpoint: string }) {
  const drift = useLoad(`drift ${endpoint}`, () => api.drift(endpoint), 10_000);
  const n = drift.data?.[0]?.n;
  return (
    <Card title="Drift against training" flush aside={n == null ? undefined : `${plural(n, "prediction")} in the window; marks at 0.1 and 0.25`}>
      <Show of={drift} empty={<Empty what="Nothing to compare yet." command={`cairn replay ${endpoint} --dataset trips_clean --from 2019-03-25`} />}>
        {(list) => <Table rows={list} cols={driftCols} keyOf={(c) => c.column} order={{ col: 2, down: true }} caption="Drift per column" />}
      </Show>
    </Card>
  );
}

const predictionCols: Col<Prediction>[] = [
  { head: "Prediction", cell: (p) => <a class="mono" href={link(["lineage"], { kind: "prediction", id: p.id })}>{p.id}</a> },
  { head: "When", cell: (p) => <Time at={p.at} />, sort: (p) => p.at },
  { head: "Version", right: true, cell: (p) => p.version },
  { head: "Predicted", right: true, cell: (p) => <span class="strong">{num(p.output)}</span>, sort: (p) => p.output },
  { head: "Came true", right: true, cell: (p) => (p.label == null ? none : num(p.label)), sort: (p) => p.label },
  { head: "Took", right: true, cell: (p) => <span class="nowrap">{duration(p.latency_ms)}</span>, sort: (p) => p.latency_ms },
  { head: "Inputs", cell: (p) => <code class="dim inputs" title={JSON.stringify(p.inputs, null, 1)}>{Object.entries(p.inputs).map(([k, v]) => `${k} ${num(v)}`).join(" · ")}</code>, wide: true },
];

function Lines({ title, id, load, unit }: { title: string; id: string; load: () => Promise<Line[]>; unit: string }) {
  const lines = useLoad(id, load, 5000);
  return (
    <Card title={title} aside="Last 30 minutes">
      <Show of={lines}>
        {(l) => (l.some((x) => x.points.length > 1) ? <Chart lines={l} time unit={unit} fromZero height={170} label={title} /> : <Empty what="No samples yet; they are kept every few seconds." />)}
      </Show>
    </Card>
  );
}

function Quality({ endpoint }: { endpoint: string }) {
  const quality = useLoad(`quality ${endpoint}`, () => api.quality(endpoint), 10_000);
  const lines = useMemo(() => {
    const parts = quality.data?.[0]?.parts ?? [];
    return [{ label: "MAE", points: parts.map((p): [number, number] => [Date.parse(p.at) / 1000, p.mae]) }, { label: "RMSE", points: parts.map((p): [number, number] => [Date.parse(p.at) / 1000, p.rmse]) }];
  }, [quality.data]);
  return (
    <Card title="Quality against labels">
      <Show of={quality}>
        {([q]) => (!q?.n_labels ? <Empty what="No labels have come in for its predictions." command={`cairn replay ${endpoint} --dataset trips_clean --from 2019-03-25 --label fare`} /> : (
          <>
            <Facts of={[
              ["MAE", <b>{num(q.mae)}</b>], ["RMSE", <b>{num(q.rmse)}</b>], ["Bias", num(q.bias)], ["Mean of labels", num(q.label_mean)],
              ["Labelled", `${count(q.n_labels)} of ${count(q.n_predictions)}`],
            ]} />
            {(q.parts?.length ?? 0) > 1 && <Chart lines={lines} time fromZero height={150} label="Errors over time" />}
          </>
        ))}
      </Show>
    </Card>
  );
}

function Head({ of: { live } }: { of: Endpoint }) {
  return (
    <div class="stats">
      <Stat name="Predictions a second" value={num(live.per_second, 3)} note="over the last ten seconds" />
      <Stat name="p50" value={duration(live.p50_ms)} note={`of the newest ${count(live.n)}`} />
      <Stat name="p95" value={duration(live.p95_ms)} />
      <Stat name="p99" value={duration(live.p99_ms)} />
      <Stat name="Answered" value={count(live.answered)} note="since the start" />
      <Stat name="Failed" value={count(live.failed)} tone={live.failed ? "bad" : undefined} />
    </div>
  );
}

export function EndpointPage({ name }: { name: string }) {
  const endpoint = useLoad(`endpoint ${name}`, () => api.endpoint(name), 3000);
  const meta = useLoad(`meta ${name}`, () => api.modelMeta(name));
  const predictions = useLoad(`predictions ${name}`, () => api.predictions(name, 25), 5000);
  const refresh = useAction(() => api.refreshEndpoint(name));
  const example = useLoad(`example ${name}`, async () => exampleOf(await api.endpoint(name)));
  return (
    <Page title={name} crumbs={[["Endpoints", "#/endpoints"]]} lead={endpoint.data?.description}
      actions={
        <>
          <button disabled={refresh.busy} title="Looks up the alias again and swaps the model without a failed request"
            onClick={() => void refresh.run().then(endpoint.reload)}>Refresh model</button>
          {endpoint.data && <LineageLink kind="endpoint" id={`${name}@${endpoint.data.revision}`} />}
        </>
      }>
      {refresh.error && <Failed error={refresh.error} />}
      <Show of={endpoint}>
        {(e) => (
          <>
            {e.error && <Failed error={new Error(e.error)} />}
            <Head of={e} />
            <Card>
              <Facts of={[
                ["Model", <a href={link(["models", e.model_name])}>{e.model}</a>],
                ["Version", e.version], ["Runtime", e.runtime], ["State", <State of={e.state} />], ["Revision", e.revision], ["Changed", <Time at={e.updated_at} />],
              ]} />
            </Card>
            <div class="grid">
              <Lines title="Latency" id={`latency ${name}`} load={() => latencyLines(name, Date.now() - WINDOW_MS)} unit="ms" />
              <Lines title="Requests" id={`requests ${name}`} load={() => requestLines(name, Date.now() - WINDOW_MS)} unit="/s" />
            </div>
            <div class="grid">
              <Drift endpoint={name} />
              <div>
                <Quality endpoint={name} />
                <Show of={meta}>{(m) => <TryIt endpoint={name} meta={m} example={example.data ?? {}} onDone={predictions.reload} />}</Show>
              </div>
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
