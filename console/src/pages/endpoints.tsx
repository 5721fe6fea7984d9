// What is served, and how it does right now.
import { api } from "../api";
import { count, duration, num } from "../format";
import { useLoad } from "../hooks";
import { link } from "../route";
import { type Col, Table } from "../table";
import type { Endpoint } from "../types";
import { Card, Empty, Page, Show, State, Time } from "../ui";
import { liveOf } from "./shared";

const cols: Col<Endpoint>[] = [
  { head: "Endpoint", cell: (e) => <a class="strong" href={link(["endpoints", e.name])}>{e.name}</a>, sort: (e) => e.name },
  { head: "State", cell: (e) => <State of={e.state ?? "ready"} /> },
  { head: "Model", cell: (e) => <a href={link(["models", e.model.split(/[@/]/)[0] ?? e.model])}>{e.model}</a>, sort: (e) => e.model },
  { head: "Version", right: true, cell: (e) => e.version },
  { head: "Runtime", cell: (e) => e.runtime ?? "–", sort: (e) => e.runtime },
  { head: "req/s", right: true, cell: (e) => num(liveOf(e).rps, 3), sort: (e) => liveOf(e).rps },
  { head: "p50", right: true, cell: (e) => duration(liveOf(e).p50), sort: (e) => liveOf(e).p50 },
  { head: "p99", right: true, cell: (e) => duration(liveOf(e).p99), sort: (e) => liveOf(e).p99 },
  { head: "Requests", right: true, cell: (e) => count(liveOf(e).requests), sort: (e) => liveOf(e).requests },
  { head: "Errors", right: true, cell: (e) => <span class={liveOf(e).errors ? "bad-text strong" : "dim"}>{count(liveOf(e).errors)}</span>, sort: (e) => liveOf(e).errors },
  { head: "Changed", cell: (e) => <span class="nowrap"><Time at={e.updated_at ?? e.created_at} /></span> },
];

export function Endpoints() {
  const endpoints = useLoad("endpoints", api.endpoints, 3000);
  return (
    <Page title="Endpoints" lead="Names that clients call, and the model version behind each.">
      <Card flush>
        <Show of={endpoints} empty={<Empty what="Nothing is served yet." command="cairn endpoint apply examples/taxi/endpoint.yaml" />}>
          {(list) => <Table rows={list} cols={cols} keyOf={(e) => e.name} order={{ col: 0, down: false }} caption="Endpoints" />}
        </Show>
      </Card>
    </Page>
  );
}
