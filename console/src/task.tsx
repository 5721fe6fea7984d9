// Work that a button started, followed until it ends.
import { useEffect, useState } from "preact/hooks";
import { api } from "./api";
import { link } from "./route";
import type { Task } from "./types";
import { Failed, Progress, State } from "./ui";

export function ended(t: Task): boolean {
  return t.state !== "queued" && t.state !== "running";
}

export function TaskLine({ task }: { task: Task }) {
  return (
    <div class="task-line">
      <State of={task.state} />
      <a href={link(["tasks", task.id])}>{task.title || task.kind}</a>
      {!ended(task) && <Progress at={task.progress} label={`Progress of ${task.title}`} />}
      <span class="dim clip" title={task.message}>{task.message}</span>
    </div>
  );
}

/** Follows a task by long polls; tells `onEnd` once. */
export function TaskWatch({ start, onEnd }: { start: Task; onEnd?: (t: Task) => void }) {
  const [task, set] = useState(start);
  const [error, fail] = useState<Error>();

  useEffect(() => {
    const stop = new AbortController();
    void (async () => {
      let now = start;
      set(now);
      try {
        while (!ended(now) && !stop.signal.aborted) {
          now = await api.task(start.id, 10_000, stop.signal);
          set(now);
        }
        if (!stop.signal.aborted) onEnd?.(now);
      } catch (e) {
        if (!stop.signal.aborted) fail(e as Error);
      }
    })();
    return () => stop.abort();
  }, [start.id]);

  return error ? <Failed error={error} /> : <div class="task-watch" role="status"><TaskLine task={task} /></div>;
}

/** A button that starts a task and shows what becomes of it. */
export function TaskButton({ text, start, onEnd, primary }: { text: string; start: () => Promise<Task>; onEnd?: (t: Task) => void; primary?: boolean }) {
  const [task, set] = useState<Task>();
  const [error, fail] = useState<Error>();
  const [busy, work] = useState(false);

  const go = async () => {
    work(true);
    fail(undefined);
    try {
      set(await start());
    } catch (e) {
      fail(e as Error);
      work(false);
    }
  };
  return (
    <div class="task-button">
      <button class={primary ? "primary" : ""} disabled={busy} onClick={go}>{text}</button>
      {error && <Failed error={error} />}
      {task && <TaskWatch key={task.id} start={task} onEnd={(t) => { work(false); onEnd?.(t); }} />}
    </div>
  );
}
