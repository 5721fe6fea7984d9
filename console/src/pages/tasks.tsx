// Work that takes longer than a request: what runs, what ran, and how it ended.
import { api } from "../api";
import { between } from "../format";
import { useAction, useLoad } from "../hooks";
import { link } from "../route";
import { ended } from "../task";
import { type Col, Table } from "../table";
import type { Task } from "../types";
import { Card, Empty, Facts, Failed, Json, Page, Progress, Show, State, Time } from "../ui";

const cols: Col<Task>[] = [
  { head: "Task", cell: (t) => <a class="strong nowrap" href={link(["tasks", t.id])}>{t.title || t.kind}</a>, sort: (t) => t.title },
  { head: "Kind", cell: (t) => <code>{t.kind}</code>, sort: (t) => t.kind },
  { head: "State", cell: (t) => <State of={t.state} />, sort: (t) => t.state },
  { head: "", cell: (t) => (ended(t) ? <span class={t.state === "failed" ? "bad-text" : "dim"}>{t.message}</span> : <span class="row"><Progress at={t.progress} /><span class="dim">{t.message}</span></span>), wide: true },
  { head: "By", cell: (t) => <span class="dim">{t.who}</span>, sort: (t) => t.who },
  { head: "Asked", cell: (t) => <Time at={t.created_at} />, sort: (t) => t.created_at },
  { head: "Took", right: true, cell: (t) => <span class="nowrap">{t.started_at ? between(t.started_at, t.ended_at) : "–"}</span> },
];

function TaskDetail({ id }: { id: string }) {
  const task = useLoad(`task ${id}`, () => api.task(id), 2000);
  const cancel = useAction(() => api.cancelTask(id));
  const t = task.data;
  return (
    <Page title={t?.title || id} crumbs={[["Tasks", "#/tasks"]]}
      actions={t && !ended(t) && <button disabled={cancel.busy} onClick={() => void cancel.run().then(task.reload)}>Cancel</button>}>
      {cancel.error && <Failed error={cancel.error} />}
      <Show of={task}>
        {(x) => (
          <>
            <Card>
              <Facts of={[
                ["State", <State of={x.state} />],
                ...(ended(x) ? [] : [["Progress", <Progress at={x.progress} />] as [string, preact.ComponentChildren]]),
                ["Kind", <code>{x.kind}</code>],
                ["By", x.who],
                ["Asked", <Time at={x.created_at} />],
                ["Took", x.started_at ? between(x.started_at, x.ended_at) : null],
              ]} />
              {x.message && <p class={`task-message ${x.state === "failed" ? "bad-text" : ""}`}>{x.message}</p>}
            </Card>
            <div class="grid">
              <Card title="Asked for"><Json of={x.request ?? {}} /></Card>
              <Card title="Result">{x.result ? <Json of={x.result} /> : <Empty what={ended(x) ? "It left no result." : "Still at work."} />}</Card>
            </div>
          </>
        )}
      </Show>
    </Page>
  );
}

export function Tasks({ id }: { id?: string }) {
  const tasks = useLoad(id ? null : "all tasks", () => api.tasks(200), 2000);
  if (id) return <TaskDetail key={id} id={id} />;
  return (
    <Page title="Tasks" lead="Ingests, pipeline runs, materialisations, trainings and verifications.">
      <Card flush>
        <Show of={tasks} empty={<Empty what="No task has run yet." command="cairn dataset ingest FILE --name NAME" />}>
          {(list) => <Table rows={list} cols={cols} keyOf={(t) => t.id} caption="Tasks" />}
        </Show>
      </Card>
    </Page>
  );
}
