// How far the main road has been walked: one look at each stage, none of which may keep the others from showing.
import { api } from "../api";
import { link } from "../route";
import type { When } from "../format";

export interface Stage {
  name: string;
  href: string;
  command: string;
  n?: number;
  newest?: string;
  when?: When;
  error?: string;
}
type Found = { n: number; newest?: string; when?: When };

/** The newest of a list by its time. */
function newest<R>(list: R[], name: (r: R) => string, when: (r: R) => When): Found {
  const at = (r: R) => {
    const t = when(r);
    return typeof t === "number" ? t : t ? Date.parse(t) : 0;
  };
  const top = list.reduce<R | undefined>((best, r) => (best === undefined || at(r) > at(best) ? r : best), undefined);
  return { n: list.length, newest: top && name(top), when: top && when(top) };
}

async function runs(): Promise<Found> {
  const experiments = await api.experiments();
  if (experiments.length === 0) return { n: 0 };
  const list = await api.runs(experiments.map((e) => e.experiment_id), "", 5000);
  return newest(list, (r) => r.info.run_name, (r) => r.info.start_time);
}

async function predictions(): Promise<Found> {
  const [latest, endpoints] = await Promise.all([api.predictions("", 1), api.endpoints()]);
  const known = (await Promise.all(endpoints.map((e) => api.quality(e.name)))).flat();
  const n = known.reduce((sum, q) => sum + q.n_predictions, 0);
  return { n: Math.max(n, latest.length), newest: latest[0]?.id, when: latest[0]?.at };
}

const stages: { name: string; href: string; command: string; look: () => Promise<Found> }[] = [
  { name: "Datasets", href: link(["data"]), command: "cairn dataset ingest", look: async () => newest(await api.datasets(), (d) => `${d.name}@${d.newest}`, (d) => d.updated_at) },
  { name: "Pipelines", href: link(["pipelines"]), command: "cairn pipeline apply", look: async () => newest(await api.pipelines(), (p) => p.name, (p) => p.last_run_at ?? p.updated_at) },
  { name: "Features", href: link(["features"]), command: "cairn features apply", look: async () => newest(await api.views(), (v) => v.name, (v) => v.materialised_at ?? v.updated_at) },
  { name: "Training sets", href: link(["features"]), command: "cairn training-set create", look: async () => newest(await api.trainingSets(), (t) => t.name, (t) => t.created_at) },
  { name: "Runs", href: link(["experiments"]), command: "cairn train", look: runs },
  { name: "Models", href: link(["models"]), command: "cairn train", look: async () => newest(await api.models(), (m) => m.name, (m) => m.last_updated_timestamp) },
  { name: "Endpoints", href: link(["endpoints"]), command: "cairn endpoint apply", look: async () => newest(await api.endpoints(), (e) => e.name, (e) => e.updated_at) },
  { name: "Predictions", href: link(["lineage"]), command: "cairn predict", look: predictions },
];

export async function roadOf(): Promise<Stage[]> {
  const found = await Promise.allSettled(stages.map((s) => s.look()));
  return stages.map(({ look: _, ...s }, i) => {
    const f = found[i]!;
    return f.status === "fulfilled" ? { ...s, ...f.value } : { ...s, error: (f.reason as Error).message };
  });
}
