// What is served, and how it does right now.
import { api } from "../api";
import { count, duration, num } from "../format";
import { useLoad } from "../hooks";
import { link } from "../route";
import { type Col, Table } from "../table";
import type { Endpoint } from "../types";
import { Card, Empty, Page, Show, State, Time } from "../ui";

const cols: Col<Endpoint>[] = [
  { head: "Endpoint", cell: (e) => <a class="strong" href={link(["endpoints", e.name])}>{e.name}</a>, sort: (e) => e.name },
  { head: "State", cell: (e) => <State of={e.state} /> },
  { head: "Model", cell: (e) => <a href={link(["models", e.model_name])}>{e.model}</a>, sort: (e) => e.model },
  { head: "Version", right: true, cell: (e) => e.version },
  { head: "Runtime", cell: (e) => e.runtime, sort: (e) => e.runtime },
  { head: "req/s", right: true, cell: (e) => num(e.live.per_second, 3), sort: (e) => e.live.per_second },
  { head: "p50", right: true, cell: (e) => duration(e.live.p50_ms), sort: (e) => e.live.p50_ms },
  { head: "p99", right: true, cell: (e) => duration(e.live.p99_ms), sort: (e) => e.live.p99_ms },
  { head: "Answered", right: true, cell: (e) => count(e.live.answered), sort: (e) => e.live.answered },
  { head: "Failed", right: true, cell: (e) => <span class={e.live.failed ? "bad-text strong" : "dim"}>{count(e.live.failed)}</span>, sort: (e) => e.live.failed },
  { head: "Changed", cell: (e) => <Time at={e.updated_at} /> },
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
