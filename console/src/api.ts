// The one client of the server's API. Every request the console makes is a line here.
import { type Ask, json } from "./http";
import type * as T from "./types";

const CAIRN = "/api/cairn/v1";
const MLFLOW = "/ajax-api/2.0/mlflow";
const part = encodeURIComponent;

const get = <R>(path: string, query?: Ask["query"], signal?: AbortSignal) => json<R>(CAIRN + path, { query, signal });
const post = <R>(path: string, body: unknown = {}) => json<R>(CAIRN + path, { method: "POST", body });
const mlGet = <R>(path: string, query?: Ask["query"]) => json<R>(MLFLOW + path, { query });
const mlPost = <R>(path: string, body: unknown) => json<R>(MLFLOW + path, { method: "POST", body });

export const api = {
  // system
  status: () => get<T.Status>("/status"),
  whoami: () => get<T.Whoami>("/whoami"),
  tasks: (limit = 50) => get<{ tasks: T.Task[] }>("/tasks", { limit }).then((r) => r.tasks),
  task: (id: string, waitMs = 0, signal?: AbortSignal) => get<T.Task>(`/tasks/${part(id)}`, { wait_ms: waitMs || null }, signal),
  cancelTask: (id: string) => post<T.Task>(`/tasks/${part(id)}/cancel`),
  audit: (object: string, limit = 200) => get<{ entries: T.AuditEntry[] }>("/audit", { object, limit }).then((r) => r.entries),
  lineage: (kind: string, id: string, direction: "up" | "down") => get<T.LineageGraph>("/lineage", { kind, id, direction }),
  predictionLineage: (id: string) => get<T.LineageGraph>(`/predictions/${part(id)}/lineage`),
  checks: () => get<{ checks: T.Check[] }>("/checks").then((r) => r.checks),
  verify: (only: string[] = []) => post<T.Task>("/verify", only.length ? { only } : {}),
  roadmap: () => get<{ items: T.RoadmapItem[] }>("/roadmap").then((r) => r.items),

  // lake
  datasets: () => get<{ datasets: T.Dataset[] }>("/datasets").then((r) => r.datasets),
  versions: (name: string) => get<{ versions: T.VersionBrief[] }>(`/datasets/${part(name)}/versions`).then((r) => r.versions),
  version: (name: string, n: number) => get<T.Version>(`/datasets/${part(name)}/versions/${n}`),
  rows: (name: string, version: number, limit = 50) => get<T.TableData>(`/datasets/${part(name)}/rows`, { version, limit }),
  quarantine: (name: string, version: number, limit = 100) => get<T.TableData>(`/datasets/${part(name)}/quarantine`, { version, limit }),
  query: (sql: string, limit = 1000) => post<T.TableData>("/query", { sql, limit }),
  pipelines: () => get<{ pipelines: T.Pipeline[] }>("/pipelines").then((r) => r.pipelines),
  pipeline: (name: string) => get<{ pipeline: T.Pipeline; definition: T.PipelineDefinition; gates: T.Gate[] }>(`/pipelines/${part(name)}`),
  pipelineRuns: (name: string) => get<{ runs: T.PipelineRun[] }>(`/pipelines/${part(name)}/runs`).then((r) => r.runs),
  pipelineRun: (id: string) => get<T.PipelineRun>(`/pipeline-runs/${part(id)}`),
  runPipeline: (name: string) => post<T.Task>(`/pipelines/${part(name)}/run`),

  // features
  views: () => get<{ feature_views: T.FeatureView[] }>("/feature-views").then((r) => r.feature_views),
  materialise: (name: string) => post<T.Task>(`/feature-views/${part(name)}/materialise`),
  online: (features: string[], keys: Record<string, string>[]) => post<T.OnlineAnswer>("/features/online", { features, keys }),
  trainingSet: (id: string) => get<T.TrainingSetFull>(`/training-sets/${part(id)}`),
  trainingRows: (id: string, limit = 100) => get<{ columns: string[]; rows: unknown[][]; n_rows: number }>(`/training-sets/${part(id)}/rows`, { limit }),
  trainingSets: () => get<{ training_sets: T.TrainingSet[] }>("/training-sets").then((r) => r.training_sets),

  // MLflow
  experiments: () => mlGet<{ experiments?: T.Experiment[] }>("/experiments/search", { max_results: 1000 }).then((r) => r.experiments ?? []),
  runs: (experiments: string[], filter = "", limit = 500) =>
    mlPost<{ runs?: T.Run[]; next_page_token?: string }>("/runs/search", { experiment_ids: experiments, filter, max_results: limit }).then((r) => r.runs ?? []),
  run: (id: string) => mlGet<{ run: T.Run }>("/runs/get", { run_id: id }).then((r) => r.run),
  history: (run: string, key: string) =>
    mlGet<{ metrics?: T.Metric[] }>("/metrics/get-history", { run_id: run, metric_key: key, max_results: 25000 }).then((r) => r.metrics ?? []),
  artifacts: (run: string, path = "") => mlGet<{ files?: T.Artifact[] }>("/artifacts/list", { run_id: run, path }).then((r) => r.files ?? []),
  models: () => mlGet<{ registered_models?: T.RegisteredModel[] }>("/registered-models/search", { max_results: 200 }).then((r) => r.registered_models ?? []),
  model: (name: string) => mlGet<{ registered_model: T.RegisteredModel }>("/registered-models/get", { name }).then((r) => r.registered_model),
  modelVersions: (name: string) =>
    mlGet<{ model_versions?: T.ModelVersion[] }>("/model-versions/search", { filter: `name='${name.replaceAll("'", "''")}'`, max_results: 500 }).then((r) => r.model_versions ?? []),

  // serving
  endpoints: () => get<{ endpoints: T.Endpoint[] }>("/endpoints").then((r) => r.endpoints),
  endpoint: (name: string) => get<T.Endpoint>(`/endpoints/${part(name)}`),
  refreshEndpoint: (name: string) => post<T.Endpoint>(`/endpoints/${part(name)}/refresh`),
  modelMeta: (name: string) => json<T.ModelMeta>(`/v2/models/${part(name)}`),
  infer: (name: string, inputs: T.Tensor[]) => json<T.InferAnswer>(`/v2/models/${part(name)}/infer`, { method: "POST", body: { inputs } }),
  predictions: (endpoint: string, limit = 25) => get<{ predictions: T.Prediction[] }>("/predictions", { endpoint, limit }).then((r) => r.predictions),
  drift: (endpoint: string) => get<{ drift: T.DriftColumn[] }>("/drift", { endpoint }).then((r) => r.drift),
  quality: (endpoint: string) => get<{ quality: T.Quality[] }>("/endpoints-quality", { endpoint }).then((r) => r.quality),
  alerts: () => get<{ alerts: T.Alert[] }>("/alerts").then((r) => r.alerts),
  alertHistory: (rule: string, limit = 20) => get<{ events: T.AlertEvent[] }>(`/alerts/${part(rule)}/history`, { limit }).then((r) => r.events),
  series: (name: string, sinceMs: number) => get<{ series: T.Series[] }>("/series", { name, since_ms: sinceMs }).then((r) => r.series),
};
