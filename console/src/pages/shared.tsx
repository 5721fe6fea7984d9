// What more than one page says about the same thing.
import { link } from "../route";
import type { Alert, KeyValue, Run } from "../types";
import { shortId } from "../format";

export function firing(a: Alert): boolean {
  return a.state === "firing";
}

const ops: Record<string, string> = { ">=": "≥", "<=": "≤" };
export function opText(op: string): string {
  return ops[op] ?? op;
}

export function RunLink({ id, name }: { id: string; name?: string }) {
  return <a href={link(["runs", id])} title={id}>{name || shortId(id)}</a>;
}

export function LineageLink({ kind, id, text = "Lineage" }: { kind: string; id: string; text?: string }) {
  return <a class="button" href={link(["lineage"], { kind, id })}>{text}</a>;
}

export function tag(of: KeyValue[] | undefined, key: string): string | undefined {
  return of?.find((t) => t.key === key)?.value;
}

export function metric(r: Run, key: string): number | undefined {
  const v = r.data.metrics?.find((m) => m.key === key)?.value;
  return v == null ? undefined : Number(v);
}

/** The page about a lineage node, if it has one. */
export function pageOf(kind: string, id: string): string | undefined {
  const [name = id, n] = id.split("@");
  switch (kind) {
    case "dataset_version": return link(["data", name], { version: n });
    case "pipeline_run": return link(["pipeline-runs", id]);
    case "feature_view": return link(["features", name]);
    case "training_set": return link(["training-sets", id]);
    case "run": return link(["runs", id]);
    case "model_version": return link(["models", name]);
    case "endpoint": return link(["endpoints", name]);
    default: return undefined;
  }
}
