// What cairn answers, as its record tables describe it (/api/cairn/v1/openapi.json). Times are RFC 3339 text.
export * from "./types_mlflow";

export interface Status {
  version: string;
  instance: string;
  data_dir: string;
  database: string;
  started_at: string;
  uptime: string;
  pid: number;
  rss_bytes: number;
  cpu: string;
  threads: number;
  tasks_running: number;
  modules: { name: string; doc: string; routes: number; checks: number }[];
}

export type TaskState = "queued" | "running" | "succeeded" | "failed" | "cancelled" | "interrupted";
export interface Task {
  id: string;
  kind: string;
  title: string;
  state: TaskState;
  who: string;
  created_at: string;
  started_at: string | null;
  ended_at: string | null;
  progress: number;
  message: string;
  request?: unknown;
  result?: unknown;
  error_code?: string;
}

export interface AuditEntry {
  id: string;
  at_ms: string;
  who: string;
  action: string;
  object: string;
  detail: unknown;
}

export interface LineageNode {
  kind: string;
  id: string;
  label: string;
  at_ms: string | null;
  detail?: Record<string, unknown>;
}
export interface LineageEdge {
  from_kind: string;
  from_id: string;
  to_kind: string;
  to_id: string;
  how: string;
}
export interface LineageGraph {
  nodes: LineageNode[];
  edges: LineageEdge[];
}

export type ItemState = "proven" | "failing" | "attested" | "skipped" | "not_built";
export interface RoadmapItem {
  id: string;
  title: string;
  phase: string;
  group: string;
  capability: string;
  check: string;
  state: ItemState;
  checked_at: string | null;
  checks: string[];
  evidence: string[];
  /** What no check shows of it yet. */
  open_parts?: string;
}

export interface Check {
  id: string;
  title: string;
  items: string;
  outcome: "passed" | "failed" | "skipped";
  evidence: string[];
  checked_at: string;
  took: string;
}

export interface Whoami {
  id: string;
  name: string;
  role: string;
  scope?: string;
  via: string;
}

// --- lake -------------------------------------------------------------------------------------------------

export interface Dataset {
  name: string;
  newest: number;
  n_rows: number;
  n_quarantined: number;
  n_columns: number;
  size: number;
  origin: string;
  created_at: string;
  updated_at: string;
}
export interface VersionBrief {
  id: string;
  dataset: string;
  number: number;
  n_rows: number;
  n_quarantined: number;
  n_source_rows: number;
  size: number;
  origin: string;
  origin_kind: string;
  origin_id: string;
  created_at: string;
}
export interface ProfileColumn {
  name: string;
  type: string;
  n: number;
  nulls: number;
  distinct: number;
  non_finite?: number;
  min?: string;
  max?: string;
  mean?: number;
  stddev?: number;
  quantiles?: { q: number; value: number }[];
  histogram?: { from: number; to: number; n: number }[];
  top?: { value: string; n: number }[];
}
export interface Version extends VersionBrief {
  columns: Column[];
  profile: { columns: ProfileColumn[] };
}
export interface Column {
  name: string;
  type: string;
}
export interface TableData {
  columns: Column[];
  rows: unknown[][];
  n_rows: number;
  more: boolean;
}
export interface GateRule {
  kind: string;
  min?: number;
  max?: number;
  column?: string;
  columns?: string[];
  values?: string[];
  max_age?: string;
  relative_to?: string;
  mostly?: number;
}
export interface PipelineDefinition {
  name: string;
  description?: string;
  inputs: string[];
  steps: { name: string; doc?: string; sql: string; gates?: GateRule[] }[];
  outputs: { step: string; dataset?: string; doc?: string; gates?: GateRule[] }[];
}
export interface Pipeline {
  name: string;
  description: string;
  revision: number;
  updated_at: string;
  last_run_state: string;
  last_run_id: string;
  last_run_at: string | null;
}
export interface Gate {
  step: string;
  on: string;
  gate: string;
  column: string;
  passed: boolean;
  value: number;
  bound: string;
  n_checked: number;
  n_failing: number;
  examples?: string[];
}
export interface PipelineRun {
  id: string;
  pipeline: string;
  revision: number;
  state: string;
  started_at: string;
  ended_at: string | null;
  who: string;
  task: string;
  message: string;
  inputs?: { dataset: string; id: string }[];
  outputs?: { step: string; dataset: string; id: string; n_rows: number }[];
  steps?: { name: string; n_rows: number; took: string }[];
  gates?: Gate[];
}

// --- features ---------------------------------------------------------------------------------------------

export interface FeatureView {
  name: string;
  doc?: string;
  entity: string;
  keys: string[];
  dataset: string;
  time_column: string;
  created_column?: string;
  ttl: string;
  features: { name: string; type: string; doc?: string }[];
  revision: number;
  created_at: string;
  updated_at: string;
  materialised_id?: string;
  materialised_as_of: string | null;
  materialised_at: string | null;
  n_keys: number;
}
export interface OnlineAnswer {
  features: string[];
  rows: { values: unknown[]; statuses: string[]; event_times: string[] }[];
  views: Record<string, string>;
}
export interface TrainingSet {
  id: string;
  name: string;
  n_rows: number;
  n_train: number;
  n_valid: number;
  n_left_out: number;
  label: string;
  time_column: string;
  split: string | null;
  digest: string;
  views: string[];
  sources: string[];
  created_at: string;
}
export interface TrainingSetFull extends TrainingSet {
  inputs: { name: string; type: string; view?: string }[];
}

// --- serving ------------------------------------------------------------------------------------------------

export interface Endpoint {
  name: string;
  model: string;
  description: string;
  model_name: string;
  version: number;
  runtime: string;
  revision: number;
  state: string;
  error?: string;
  inputs: { name: string; datatype: string; source: string }[];
  live: { n: number; p50_ms: number; p95_ms: number; p99_ms: number; per_second: number; answered: number; failed: number };
  created_at: string;
  updated_at: string;
}
export interface Tensor {
  name: string;
  datatype: string;
  shape: number[];
  data?: unknown[];
}
export interface ModelMeta {
  name: string;
  platform?: string;
  versions?: string[];
  inputs: Tensor[];
  outputs: Tensor[];
}
export interface InferAnswer {
  model_name: string;
  model_version?: string;
  outputs: Tensor[];
  parameters?: Record<string, unknown>;
}
export interface Prediction {
  id: string;
  endpoint: string;
  revision: number;
  model: string;
  version: number;
  at: string;
  inputs: Record<string, number | null>;
  output_name: string;
  output: number;
  label: number | null;
  latency_ms: number;
}
export interface DriftColumn {
  endpoint: string;
  column: string;
  role: "input" | "prediction";
  psi: number;
  verdict: "stable" | "moderate" | "drifted" | "too_few" | "no_reference";
  n: number;
  n_missing: number;
  n_reference: number;
}
export interface Quality {
  endpoint: string;
  n_predictions: number;
  n_labels: number;
  mae: number;
  rmse: number;
  bias: number;
  label_mean: number;
  parts: { at: string; n: number; mae: number; rmse: number; bias: number }[];
}
export interface Alert {
  rule: string;
  state: "ok" | "pending" | "firing" | "resolved";
  severity: "info" | "warning" | "critical";
  metric: string;
  endpoint: string;
  column: string;
  value: number;
  op: string;
  bound: number;
  for: string;
  n: number;
  since: string | null;
  evaluated_at: string | null;
  message: string;
  doc: string;
}
export interface AlertEvent {
  id: string;
  rule: string;
  at: string;
  from_state: string;
  to_state: string;
  value: number;
  bound: number;
  message: string;
}
export interface Series {
  name: string;
  labels: string;
  at: number[];
  value: number[];
}
