// One chart per metric, all chosen runs in each.
import { useMemo } from "preact/hooks";
import { api } from "../api";
import { Chart, type Line, lineColour } from "../chart";
import { num } from "../format";
import { useLoad } from "../hooks";
import type { Metric, Run } from "../types";
import { Card, Empty, Show } from "../ui";

export const CHARTED_MAX = 24;

function lineOf(label: string, history: Metric[]): Line {
  const steps = new Set(history.map((m) => m.step));
  const byTime = steps.size < history.length && steps.size === 1;
  return { label, points: history.map((m, i) => [byTime ? i : m.step, Number.isFinite(Number(m.value)) ? Number(m.value) : null]) };
}

export function MetricChart({ runs, metric, every }: { runs: Run[]; metric: string; every: number }) {
  const with_ = runs.filter((r) => r.data.metrics?.some((m) => m.key === metric));
  const key = `history ${metric} ${with_.map((r) => r.info.run_id).join()}`;
  const history = useLoad(key, () => Promise.all(with_.map((r) => api.history(r.info.run_id, metric))), every);
  const lines = useMemo(() => (history.data ?? []).map((h, i) => lineOf(with_[i]?.info.run_name ?? "", h)), [history.data]);
  const single = lines.every((l) => l.points.length <= 1);
  // One value of one run is said below, among the last values.
  if (single && runs.length === 1 && !history.error) return null;
  return (
    <Card title={metric} aside={runs.length === 1 ? num(runs[0]!.data.metrics?.find((m) => m.key === metric)?.value) : `${with_.length} runs`}>
      <Show of={history}>
        {() => (single ? <Values lines={lines} /> : <Chart lines={lines} label={`${metric} by step`} />)}
      </Show>
    </Card>
  );
}

/** A metric that was logged once is a bar per run. */
function Values({ lines }: { lines: Line[] }) {
  const values = lines.map((l) => l.points[0]?.[1] ?? 0);
  const most = Math.max(...values.map(Math.abs), 1e-12);
  return (
    <div class="values">
      {lines.map((l, i) => (
        <div key={i}>
          <span class="clip" title={l.label}>{l.label}</span>
          <svg viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true"><rect width={(Math.abs(values[i]!) / most) * 100} height="10" style={{ fill: lineColour(i) }} /></svg>
          <span class="right">{num(values[i])}</span>
        </div>
      ))}
    </div>
  );
}

export function MetricCharts({ runs, live }: { runs: Run[]; live: boolean }) {
  const keys = useMemo(() => [...new Set(runs.flatMap((r) => r.data.metrics?.map((m) => m.key) ?? []))].sort(), [runs]);
  if (keys.length === 0) return <Card><Empty what="No metrics were logged." /></Card>;
  return (
    <div class="masonry">
      {keys.slice(0, CHARTED_MAX).map((k) => <MetricChart key={k} runs={runs} metric={k} every={live ? 3000 : 0} />)}
      {keys.length > CHARTED_MAX && <Card><p class="dim">{keys.length - CHARTED_MAX} more metrics are in the table of the run.</p></Card>}
    </div>
  );
}
