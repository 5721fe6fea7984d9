// Who changed what. Entries cannot be changed here or anywhere.
import { api } from "../api";
import { shortId } from "../format";
import { useLoad } from "../hooks";
import { setQuery } from "../route";
import { type Col, Table } from "../table";
import type { AuditEntry } from "../types";
import { Card, Empty, Json, none, Page, Search, Show, Time } from "../ui";

/** The scalars of a detail in a line, long digests shortened. */
function brief(of: object): string {
  return Object.entries(of).filter(([, v]) => v !== "" && v !== null && typeof v !== "object").map(([k, v]) => `${k.replaceAll("_", " ")} ${shortId(String(v), 32)}`).join(" · ");
}

function Detail({ of }: { of: unknown }) {
  if (of == null || typeof of !== "object" || Object.keys(of).length === 0) return none;
  return <details><summary class="dim clip brief">{brief(of) || "…"}</summary><Json of={of} /></details>;
}

const cols: Col<AuditEntry>[] = [
  { head: "When", cell: (a) => <Time at={a.at_ms} />, sort: (a) => a.id },
  { head: "Who", cell: (a) => a.who, sort: (a) => a.who },
  { head: "What", cell: (a) => <span class="strong nowrap">{a.action}</span>, sort: (a) => a.action },
  { head: "To", cell: (a) => <button class="quiet small mono" title={`Only ${a.object}`} onClick={() => setQuery({ object: a.object })}>{shortId(a.object, 40)}</button>, sort: (a) => a.object },
  { head: "Detail", cell: (a) => <Detail of={a.detail} />, wide: true },
];

export function Audit({ query: { object = "", q = "" } }: { query: Record<string, string> }) {
  const entries = useLoad(`audit ${object}`, () => api.audit(object, 500), 10_000);
  const s = q.toLowerCase();
  const shown = (list: AuditEntry[]) => list.filter((a) => !s || `${a.who} ${a.action} ${a.object}`.toLowerCase().includes(s));
  return (
    <Page title="Audit" lead="Every change, who made it, and when.">
      <div class="tools">
        <Search value={q} placeholder="Filter by who, what or object" onInput={(text) => setQuery({ q: text })} />
        {object && <button onClick={() => setQuery({ object: null })}>Only {object} ✕</button>}
      </div>
      <Card flush>
        <Show of={entries} empty={<Empty what="Nothing has been changed yet." />}>
          {(list) => <Table rows={shown(list)} cols={cols} keyOf={(a) => a.id} caption="Audit log" />}
        </Show>
      </Card>
    </Page>
  );
}
