// One dataset: what is in each column, some rows, what was quarantined and why, its versions.
import type { ComponentChildren } from "preact";
import { api } from "../api";
import { Bars } from "../chart";
import { bytes, count, num, percent } from "../format";
import { useLoad } from "../hooks";
import { link, setQuery } from "../route";
import { type Col, Rows, Table } from "../table";
import type { ProfileColumn, Version, VersionBrief } from "../types";
import { Card, Empty, Facts, none, Page, Show, Tabs, Time } from "../ui";
import { LineageLink } from "./shared";

const isTime = /TIMESTAMP|DATE/;

/** Times are profiled as seconds since 1970, but their extremes are text. */
function edge(c: ProfileColumn, v: number): string {
  return isTime.test(c.type) ? new Date(v * 1000).toISOString().slice(0, 16).replace("T", " ") : num(v);
}

function Shape({ of }: { of: ProfileColumn }) {
  if (of.histogram?.length) {
    return <Bars values={of.histogram.map((b) => b.n)} titles={of.histogram.map((b) => `${edge(of, b.from)} to ${edge(of, b.to)}: ${count(b.n)}`)} />;
  }
  if (!of.top?.length) return none;
  return (
    <div class="tops">
      {of.top.slice(0, 3).map((t) => (
        <span key={t.value} title={`${t.value}: ${count(t.n)}`}>
          <i style={{ width: `${Math.max(3, (t.n / of.n) * 100)}%` }} />
          <b class="clip">{t.value === "" ? "(empty)" : t.value}</b>
          <em>{percent(t.n / of.n, 0)}</em>
        </span>
      ))}
    </div>
  );
}

function numberIn(c: ProfileColumn, text: string | undefined): ComponentChildren {
  if (text == null) return none;
  return c.mean != null && !isTime.test(c.type) ? num(text) : <span class="clip edge" title={text}>{text}</span>;
}

const profileCols: Col<ProfileColumn>[] = [
  { head: "Column", cell: (c) => <><span class="strong">{c.name}</span><span class="type">{c.type.toLowerCase()}</span></> },
  { head: "Distribution", cell: (c) => <Shape of={c} /> },
  {
    head: "Nulls", right: true, sort: (c) => c.nulls,
    cell: (c) => (c.nulls ? <span title={`${count(c.nulls)} of ${count(c.n)}`}>{percent(c.nulls / c.n)}</span> : <span class="dim">0</span>),
  },
  { head: "Distinct", right: true, cell: (c) => count(c.distinct), sort: (c) => c.distinct },
  { head: "Min", right: true, cell: (c) => numberIn(c, c.min) },
  { head: "Mean", right: true, cell: (c) => (c.mean == null ? none : <span class="nowrap">{edge(c, c.mean)}</span>) },
  { head: "Median", right: true, cell: (c) => { const m = c.quantiles?.find((q) => q.q === 0.5); return m ? <span class="nowrap">{edge(c, m.value)}</span> : none; } },
  { head: "Max", right: true, cell: (c) => numberIn(c, c.max) },
];

const versionCols = (name: string): Col<VersionBrief>[] => [
  { head: "Version", cell: (v) => <a class="strong" href={link(["data", name], { version: v.number })}>{v.number}</a>, sort: (v) => v.number },
  { head: "Rows", right: true, cell: (v) => count(v.n_rows), sort: (v) => v.n_rows },
  { head: "Quarantined", right: true, cell: (v) => count(v.n_quarantined), sort: (v) => v.n_quarantined },
  { head: "Size", right: true, cell: (v) => bytes(v.size), sort: (v) => v.size },
  { head: "Where from", cell: (v) => <span class="dim">{v.origin}</span>, wide: true },
  { head: "Published", cell: (v) => <Time at={v.created_at} />, sort: (v) => v.created_at },
  { head: "", cell: (v) => <LineageLink kind="dataset_version" id={v.id} /> },
];

function Sample({ name, version }: { name: string; version: number }) {
  const rows = useLoad(`rows ${name}@${version}`, () => api.rows(name, version, 100));
  return <Card flush><Show of={rows}>{(t) => (t.rows.length ? <Rows of={t} caption={`First rows of ${name}`} /> : <Empty what="It has no rows." />)}</Show></Card>;
}

function Quarantine({ name, version }: { name: string; version: number }) {
  const rows = useLoad(`quarantine ${name}@${version}`, () => api.quarantine(name, version, 500));
  return (
    <Card flush title="Rows that did not fit" aside="Kept with their line in the source and the reason">
      <Show of={rows}>
        {(t) => (t.rows.length ? <Rows of={t} caption="Quarantined rows" /> : <Empty what="Every row of the source fits. Nothing was quarantined." />)}
      </Show>
    </Card>
  );
}

function Profile({ of }: { of: Version }) {
  return <Card flush><Table rows={of.profile?.columns ?? []} cols={profileCols} keyOf={(c) => c.name} caption="Columns of the version" /></Card>;
}

export function Dataset({ name, query }: { name: string; query: Record<string, string> }) {
  const versions = useLoad(`versions ${name}`, () => api.versions(name), 15_000);
  const number = Number(query.version) || versions.data?.[0]?.number;
  const version = useLoad(number ? `version ${name}@${number}` : null, () => api.version(name, number!));
  const tab = query.tab ?? "columns";
  const to = (t: string) => link(["data", name], { tab: t, version: query.version });
  return (
    <Page
      title={name}
      crumbs={[["Data", "#/data"]]}
      actions={number && (
        <>
          <select aria-label="Version" value={number} onChange={(e) => setQuery({ version: e.currentTarget.value })}>
            {(versions.data ?? [{ number }]).map((v) => <option key={v.number} value={v.number}>Version {v.number}</option>)}
          </select>
          <a class="button" href={link(["sql"], { q: `SELECT * FROM "${name}@${number}" LIMIT 100` })}>Ask in SQL</a>
          <LineageLink kind="dataset_version" id={`${name}@${number}`} />
        </>
      )}
    >
      <Show of={versions}>
        {(all) => (
          <Show of={version}>
            {(v) => (
              <>
                <Card>
                  <Facts of={[
                    ["Rows", count(v.n_rows)], ["Columns", v.columns.length], ["Size", bytes(v.size)],
                    ["Quarantined", v.n_quarantined ? <span class="warn-text">{count(v.n_quarantined)} of {count(v.n_source_rows)}</span> : "0"],
                    ["Where from", v.origin], ["Published", <Time at={v.created_at} />],
                  ]} />
                </Card>
                <Tabs at={tab} to={to} of={[["columns", "Columns", v.columns.length], ["rows", "Rows"], ["quarantine", "Quarantine", v.n_quarantined], ["versions", "Versions", all.length]]} />
                {tab === "columns" && <Profile of={v} />}
                {tab === "rows" && <Sample name={name} version={v.number} />}
                {tab === "quarantine" && <Quarantine name={name} version={v.number} />}
                {tab === "versions" && <Card flush><Table rows={all} cols={versionCols(name)} keyOf={(x) => x.id} order={{ col: 0, down: true }} marked={(x) => x.number === v.number} caption="Versions" /></Card>}
              </>
            )}
          </Show>
        )}
      </Show>
    </Page>
  );
}
