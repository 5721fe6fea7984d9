// Ctrl-K: to any dataset, pipeline, view, model, endpoint or page by a few letters of its name.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { api } from "./api";
import { link } from "./route";

interface Goal {
  kind: string;
  name: string;
  href: string;
}

const pages = ["Overview", "Data", "SQL", "Pipelines", "Features", "Experiments", "Models", "Endpoints", "Alerts", "Tasks", "Lineage", "Roadmap", "Audit"];

async function goals(): Promise<Goal[]> {
  const list: Goal[] = pages.map((name) => ({ kind: "page", name, href: link([name.toLowerCase()]) }));
  const sources: [string, string, () => Promise<{ name: string }[]>][] = [
    ["dataset", "data", api.datasets], ["pipeline", "pipelines", api.pipelines], ["feature view", "features", api.views],
    ["model", "models", api.models], ["endpoint", "endpoints", api.endpoints],
  ];
  const found = await Promise.allSettled(sources.map(([, , load]) => load()));
  found.forEach((r, i) => {
    const [kind, area] = sources[i]!;
    if (r.status === "fulfilled") for (const { name } of r.value) list.push({ kind, name, href: link([area, name]) });
  });
  return list;
}

/** The letters of the search in order, near its start first; -1 when they are not there. */
export function score(name: string, search: string): number {
  const n = name.toLowerCase();
  const whole = n.indexOf(search);
  if (whole >= 0) return whole;
  let at = 0;
  for (const c of search) {
    at = n.indexOf(c, at) + 1;
    if (at === 0) return -1;
  }
  return 100 + at;
}

export function Jump() {
  const box = useRef<HTMLDialogElement>(null);
  const [all, fill] = useState<Goal[]>([]);
  const [search, type] = useState("");
  const [at, move] = useState(0);

  const open = () => {
    type("");
    move(0);
    box.current?.showModal();
    void goals().then(fill);
  };
  useEffect(() => {
    const key = (e: KeyboardEvent) => {
      if (e.key.toLowerCase() !== "k" || !(e.ctrlKey || e.metaKey)) return;
      e.preventDefault();
      open();
    };
    addEventListener("keydown", key);
    return () => removeEventListener("keydown", key);
  }, []);

  const hits = useMemo(() => {
    const s = search.trim().toLowerCase();
    return all.map((g) => ({ g, s: score(g.name, s) })).filter((x) => x.s >= 0).sort((a, b) => a.s - b.s).slice(0, 12).map((x) => x.g);
  }, [all, search]);

  const go = (g: Goal | undefined) => {
    if (!g) return;
    location.hash = g.href;
    box.current?.close();
  };
  const key = (e: KeyboardEvent) => {
    if (e.key === "ArrowDown") move(Math.min(at + 1, hits.length - 1));
    else if (e.key === "ArrowUp") move(Math.max(at - 1, 0));
    else if (e.key === "Enter") go(hits[at]);
    else return;
    e.preventDefault();
  };
  return (
    <>
      <button class="jump-open" onClick={open}>Jump to… <kbd>Ctrl K</kbd></button>
      <dialog class="jump" ref={box} onClick={(e) => e.target === box.current && box.current?.close()} aria-label="Jump to">
        <div class="jump-box">
          <input value={search} placeholder="Dataset, model, endpoint, page…" aria-label="Jump to" onKeyDown={key} autofocus
            onInput={(e) => { type(e.currentTarget.value); move(0); }} />
          <ul>
            {hits.map((g, i) => (
              <li key={g.href}>
                <a href={g.href} class={i === at ? "at" : ""} onClick={() => box.current?.close()} tabIndex={-1}>{g.name}<span>{g.kind}</span></a>
              </li>
            ))}
            {hits.length === 0 && <li class="dim">Nothing by that name</li>}
          </ul>
        </div>
      </dialog>
    </>
  );
}
