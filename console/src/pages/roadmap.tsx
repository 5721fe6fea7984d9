// The 175 items by phase and group, and what has been proven of each.
import { useMemo } from "preact/hooks";
import { api } from "../api";
import { useLoad } from "../hooks";
import { setQuery } from "../route";
import { TaskButton } from "../task";
import type { Check, ItemState, RoadmapItem } from "../types";
import { Card, Empty, Page, Search, Show, State, Time } from "../ui";

type Shown = ItemState | "begun";
const states: Shown[] = ["proven", "failing", "attested", "skipped", "begun", "not_built"];

/** An item is not built until checks show all of it; one of which they show a part is begun. */
function shownState(i: RoadmapItem): Shown {
  return i.state === "not_built" && i.checks.length > 0 ? "begun" : i.state;
}

function matches(i: RoadmapItem, search: string, state: string): boolean {
  if (state && shownState(i) !== state) return false;
  const s = search.trim().toLowerCase();
  return !s || [i.id, i.title, i.group, i.capability, ...i.checks].some((t) => t.toLowerCase().includes(s));
}

function groupBy<R>(list: R[], key: (r: R) => string): [string, R[]][] {
  const map = new Map<string, R[]>();
  for (const r of list) {
    const at = map.get(key(r));
    if (at) at.push(r);
    else map.set(key(r), [r]);
  }
  return [...map];
}

function Item({ of, checks }: { of: RoadmapItem; checks: Map<string, Check> }) {
  return (
    <details class="item">
      <summary>
        <code>{of.id}</code>
        <span class="item-title">{of.title}</span>
        {of.checked_at && <span class="dim"><Time at={of.checked_at} /></span>}
        <State of={shownState(of)} />
      </summary>
      <div class="item-body">
        <p>{of.capability}</p>
        <h3>What shall prove it</h3>
        <p class="dim">{of.check}</p>
        {of.open_parts && <><h3>What no check shows yet</h3><p>{of.open_parts}</p></>}
        {of.checks.map((id) => {
          const c = checks.get(id);
          return (
            <div class="evidence" key={id}>
              <div><State of={c?.outcome ?? "skipped"} /> <code>{id}</code> <span class="dim">{c?.title}</span></div>
              {c && <ul>{c.evidence.map((line, i) => <li key={i} class={line.startsWith("ok") ? "" : c.outcome === "failed" ? "bad-text" : "dim"}>{line}</li>)}</ul>}
              {!c && <p class="dim">Has not run yet.</p>}
            </div>
          );
        })}
        {of.checks.length === 0 && <p class="dim">No check names this item yet, so nothing can prove it.</p>}
      </div>
    </details>
  );
}

function Whole({ items, at }: { items: RoadmapItem[]; at: string }) {
  return (
    <>
      <div class="stack" role="img" aria-label="Share of items by state">
        {states.map((s) => <i key={s} class={s} style={{ flexGrow: items.filter((i) => shownState(i) === s).length }} />)}
      </div>
      <div class="segment" role="group" aria-label="State">
        <button aria-pressed={!at} onClick={() => setQuery({ state: null })}>All {items.length}</button>
        {states.map((s) => (
          <button key={s} aria-pressed={at === s} onClick={() => setQuery({ state: at === s ? null : s })}>
            <i class={`dot ${s}`} aria-hidden="true" /> {s.replace("_", " ")} {items.filter((i) => shownState(i) === s).length}
          </button>
        ))}
      </div>
    </>
  );
}

export function Roadmap({ query: { q = "", state = "" } }: { query: Record<string, string> }) {
  const items = useLoad("roadmap", api.roadmap);
  const checks = useLoad("checks", api.checks);
  const byId = useMemo(() => new Map(checks.data?.map((c) => [c.id, c])), [checks.data]);
  const again = () => {
    items.reload();
    checks.reload();
  };
  return (
    <Page title="Roadmap" lead="An item is proven when checks that ran against this system say so."
      actions={<TaskButton text="Verify now" primary start={() => api.verify()} onEnd={again} />}>
      <Show of={items}>
        {(all) => {
          const shown = all.filter((i) => matches(i, q, state));
          return (
            <>
              <div class="tools">
                <Whole items={all} at={state} />
                <Search value={q} placeholder="Filter items" onInput={(text) => setQuery({ q: text })} />
              </div>
              {shown.length === 0 && <Card><Empty what="No item matches." /></Card>}
              {groupBy(shown, (i) => i.phase).map(([phase, inPhase]) => (
                <section key={phase} class="phase">
                  <h2 class="phase-title">{phase}<span class="badge">{inPhase.filter((i) => i.state === "proven").length} of {inPhase.length} proven</span></h2>
                  {groupBy(inPhase, (i) => i.group).map(([group, list]) => (
                    <Card key={group} flush title={group} aside={<span class="pips" aria-hidden="true">{list.map((i) => <i key={i.id} class={`dot ${shownState(i)}`} title={i.title} />)}</span>}>
                      {list.map((i) => <Item key={i.id} of={i} checks={byId} />)}
                    </Card>
                  ))}
                </section>
              ))}
            </>
          );
        }}
      </Show>
    </Page>
  );
}
