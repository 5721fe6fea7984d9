// All datasets in their newest version.
import { api } from "../api";
import { bytes, count } from "../format";
import { useLoad } from "../hooks";
import { link } from "../route";
import { type Col, Table } from "../table";
import type { Dataset } from "../types";
import { Card, Empty, Page, Show, Time } from "../ui";

const cols: Col<Dataset>[] = [
  { head: "Dataset", cell: (d) => <a class="strong" href={link(["data", d.name])}>{d.name}</a>, sort: (d) => d.name },
  { head: "Version", right: true, cell: (d) => d.newest, sort: (d) => d.newest },
  { head: "Rows", right: true, cell: (d) => count(d.n_rows), sort: (d) => d.n_rows },
  { head: "Columns", right: true, cell: (d) => d.n_columns, sort: (d) => d.n_columns },
  { head: "Quarantined", right: true, cell: (d) => (d.n_quarantined ? <a class="warn-text" href={link(["data", d.name], { tab: "quarantine" })}>{count(d.n_quarantined)}</a> : <span class="dim">0</span>), sort: (d) => d.n_quarantined },
  { head: "Size", right: true, cell: (d) => bytes(d.size), sort: (d) => d.size },
  { head: "Where from", cell: (d) => <span class="dim">{d.origin}</span>, sort: (d) => d.origin, wide: true },
  { head: "Changed", cell: (d) => <Time at={d.updated_at} />, sort: (d) => d.updated_at },
];

export function Data() {
  const datasets = useLoad("datasets", api.datasets, 10_000);
  return (
    <Page title="Data" lead="Named tables; each version of one is immutable." actions={<a class="button" href="#/sql">Ask in SQL</a>}>
      <Card flush>
        <Show of={datasets} empty={<Empty what="There are no datasets yet." command="cairn dataset ingest examples/taxi/data/taxis.csv --name trips" />}>
          {(list) => <Table rows={list} cols={cols} keyOf={(d) => d.name} order={{ col: 0, down: false }} caption="Datasets" />}
        </Show>
      </Card>
    </Page>
  );
}
