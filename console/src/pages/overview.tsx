// What there is, what runs, what is wrong; and the main road as a line of stages.
import { api } from "../api";
import { bytes, count, duration, num, parseDuration, plural } from "../format";
import { useLoad } from "../hooks";
import { link } from "../route";
import { ended, TaskLine } from "../task";
import { type Col, Table } from "../table";
import type { Alert, Endpoint, Task } from "../types";
import { Card, Chip, Command, Empty, Page, Show, Stat, State, Time } from "../ui";
import { firing, opText } from "./shared";
import { roadOf, type Stage } from "./road";

function StageStop({ at }: { at: Stage }) {
  const { name, href, n, newest, when, command, error } = at;
  return (
    <li class={error ? "broken" : n ? "there" : "open"}>
      <a href={href}>
        <i aria-hidden="true" />
        <span class="stop-n">{error ? "!" : n == null ? "…" : count(n)}</span>
        <span class="stop-name">{name}</span>
      </a>
      <span class="stop-note" title={error ?? newest ?? command}>
        {error ? <span class="bad-text">{error}</span> : newest ? <><div class="clip">{newest}</div><Time at={when} none="" /></> : n === 0 ? <code>{command}</code> : null}
      </span>
    </li>
  );
}

const endpointCols: Col<Endpoint>[] = [
  { head: "Endpoint", cell: (e) => <a class="strong" href={link(["endpoints", e.name])}>{e.name}</a>, sort: (e) => e.name },
  { head: "Model", cell: (e) => <span class="dim">{e.model}</span> },
  { head: "req/s", right: true, cell: (e) => num(e.live.per_second, 3), sort: (e) => e.live.per_second },
  { head: "p50", right: true, cell: (e) => duration(e.live.p50_ms), sort: (e) => e.live.p50_ms },
  { head: "p99", right: true, cell: (e) => duration(e.live.p99_ms), sort: (e) => e.live.p99_ms },
  { head: "Answered", right: true, cell: (e) => count(e.live.answered), sort: (e) => e.live.answered },
  { head: "Failed", right: true, cell: (e) => <span class={e.live.failed ? "bad-text strong" : ""}>{count(e.live.failed)}</span>, sort: (e) => e.live.failed },
];

function AlertLine({ of }: { of: Alert }) {
  return (
    <div class="task-line">
      <State of={of.state} />
      <span class="strong nowrap">{of.rule}</span>
      <span class="dim clip" title={of.message}>{of.metric.replaceAll("_", " ")} {num(of.value)} {opText(of.op)} {num(of.bound)}</span>
      <span class="dim nowrap push"><Time at={of.since} none="" /></span>
    </div>
  );
}

function Work({ tasks }: { tasks: Task[] }) {
  const now = tasks.filter((t) => !ended(t));
  const last = tasks.filter(ended).slice(0, now.length ? 4 : 7);
  return (
    <>
      {now.map((t) => <TaskLine key={t.id} task={t} />)}
      {last.map((t) => (
        <div class="task-line" key={t.id}>
          <State of={t.state} />
          <a href={link(["tasks", t.id])}>{t.title || t.kind}</a>
          <span class="dim clip" title={t.message}>{t.message}</span>
          <span class="dim nowrap push"><Time at={t.ended_at} /></span>
        </div>
      ))}
    </>
  );
}

export function Overview() {
  const status = useLoad("status", api.status, 5000);
  const road = useLoad("road", roadOf, 10_000);
  const tasks = useLoad("tasks", () => api.tasks(20), 2000);
  const endpoints = useLoad("endpoints", api.endpoints, 3000);
  const alerts = useLoad("alerts", api.alerts, 10_000);
  const items = useLoad("roadmap", api.roadmap, 30_000);
  const checks = useLoad("checks", api.checks, 30_000);

  const bad = alerts.data?.filter(firing) ?? [];
  const proven = items.data?.filter((i) => i.state === "proven").length;
  const failing = checks.data?.filter((c) => c.outcome === "failed").length;
  const s = status.data;
  return (
    <Page title="Overview">
      <Card title="The road from source to prediction" className="road-card">
        <Show of={road}>{(stages) => <ol class="road">{stages.map((x) => <StageStop key={x.name} at={x} />)}</ol>}</Show>
      </Card>
      <div class="stats">
        <Stat name="Roadmap proven" value={proven == null ? "–" : `${proven} / ${items.data!.length}`} tone={failing ? "bad" : undefined}
          note={!checks.data ? undefined : failing ? plural(failing, "check fails", "checks fail") : checks.data.length ? `${checks.data.filter((c) => c.outcome === "passed").length} live checks pass` : "nothing verified yet"} />
        <Stat name="Alerts firing" value={alerts.data ? bad.length : "–"} tone={bad.length ? "bad" : undefined} note={alerts.data ? `of ${plural(alerts.data.length, "rule")}` : undefined} />
        <Stat name="Tasks running" value={s?.tasks_running ?? "–"} />
        <Stat name="Memory" value={bytes(s?.rss_bytes)} note={s && `${s.threads} threads`} />
        <Stat name="Processor" value={s ? duration(parseDuration(s.cpu)) : "–"} note={s && `in ${duration(parseDuration(s.uptime))}`} />
      </div>
      <Card title="Endpoints" flush aside={<a href="#/endpoints">All endpoints</a>}>
        <Show of={endpoints} empty={<Empty what="Nothing is served yet." command="cairn endpoint apply examples/taxi/endpoint.yaml" />}>
          {(list) => <Table rows={list} cols={endpointCols} keyOf={(e) => e.name} caption="Endpoints with their live figures" />}
        </Show>
      </Card>
      <div class="grid">
        <Card title="Work" aside={<a href="#/tasks">All tasks</a>}>
          <Show of={tasks} empty={<Empty what="No task has run yet." command="cairn dataset ingest FILE --name NAME" />}>{(list) => <Work tasks={list} />}</Show>
        </Card>
        <Card title={<>Firing alerts {bad.length > 0 && <Chip tone="bad">{bad.length}</Chip>}</>} aside={<a href="#/alerts">All rules</a>}>
          <Show of={alerts} empty={<Empty what="There are no alert rules." command="cairn alerts apply examples/taxi/alerts.yaml" />}>
            {() => (bad.length ? bad.map((a) => <AlertLine key={a.rule} of={a} />) : <p class="dim">All rules hold.</p>)}
          </Show>
        </Card>
      </div>
      {s && (
        <Card title="This cairn">
          <p class="dim">Version {s.version}, process {s.pid}, {s.database} metadata, data in <code>{s.data_dir}</code>. Point clients at it:</p>
          <Command text={`export MLFLOW_TRACKING_URI=${location.origin} MLFLOW_TRACKING_TOKEN=$(cat ${s.data_dir}/admin.token)`} />
        </Card>
      )}
    </Page>
  );
}
