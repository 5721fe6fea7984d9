// Kept samples of cairn's own metrics, as lines of a chart. Times are in seconds, as charts want them.
import { api } from "../api";
import type { Line } from "../chart";
import type { Series } from "../types";

type Points = Line["points"];

async function samples(metric: string, endpoint: string, sinceMs: number): Promise<Points> {
  const all = await api.series(metric, sinceMs);
  const s = all.find((x: Series) => x.labels.split(",").includes(`endpoint=${endpoint}`));
  return s ? s.at.map((t, i) => [t / 1000, s.value[i] ?? null]) : [];
}

/** Growth a second between samples of a counter; a restart of cairn (a fall) leaves a gap. */
export function rate(of: Points): Points {
  return of.slice(1).map(([t, v], i) => {
    const [before, last] = of[i]!;
    return [t, v == null || last == null || v < last || t <= before ? null : (v - last) / (t - before)];
  });
}

/** The mean in each interval from a sum and a count that grow; none where nothing came. */
export function meanOf(sum: Points, n: Points): Points {
  const counts = new Map(n);
  const known = sum.filter(([t]) => counts.get(t) != null);
  return known.slice(1).map(([t, v], i) => {
    const [before, last] = known[i]!;
    const dn = counts.get(t)! - counts.get(before)!;
    return [t, dn > 0 && v != null && last != null ? (v - last) / dn : null];
  });
}

const inMs = (of: Points): Points => of.map(([t, v]) => [t, v == null ? null : v * 1000]);

export async function latencyLines(endpoint: string, sinceMs: number): Promise<Line[]> {
  const get = (part: string) => samples(`cairn_predict_seconds_${part}`, endpoint, sinceMs);
  const [p50, p99, sum, n] = await Promise.all([get("p50"), get("p99"), get("sum"), get("count")]);
  return [
    { label: "mean in the interval", points: inMs(meanOf(sum, n)) },
    { label: "p50 since start", points: inMs(p50) },
    { label: "p99 since start", points: inMs(p99) },
  ];
}

export async function requestLines(endpoint: string, sinceMs: number): Promise<Line[]> {
  const get = async (metric: string) => rate(await samples(metric, endpoint, sinceMs));
  const [answered, failed] = await Promise.all([get("cairn_predict_requests_total"), get("cairn_predict_failures_total")]);
  return [{ label: "answered", points: answered }, { label: "failed", points: failed }];
}
