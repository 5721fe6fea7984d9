// Rules, what each measures now, and which fire.
import { api } from "../api";
import { num } from "../format";
import { useLoad } from "../hooks";
import { type Col, Table } from "../table";
import type { Alert } from "../types";
import { Card, Empty, Page, Show, State, Time } from "../ui";
import { firing } from "./shared";

const cols: Col<Alert>[] = [
  { head: "", cell: (a) => <State of={a.state} />, sort: (a) => a.state },
  { head: "Rule", cell: (a) => <span class="strong">{a.rule}</span>, sort: (a) => a.rule },
  { head: "Measured", right: true, cell: (a) => <span class={firing(a) ? "bad-text strong" : ""}>{num(a.value)}</span>, sort: (a) => a.value },
  { head: "Bound", right: true, cell: (a) => num(a.bound) },
  { head: "Since", cell: (a) => <Time at={a.since} none="–" />, sort: (a) => a.since },
];

export function Alerts() {
  const alerts = useLoad("alerts", api.alerts, 5000);
  const n = alerts.data?.filter(firing).length;
  return (
    <Page title="Alerts" lead={n == null ? undefined : n ? `${n} firing.` : "All rules hold."}>
      <Card flush>
        <Show of={alerts} empty={<Empty what="There are no alert rules." command="cairn alerts apply examples/taxi/alerts.yaml" />}>
          {(list) => <Table rows={list} cols={cols} keyOf={(a) => a.rule} order={{ col: 0, down: false }} marked={firing} caption="Alert rules" />}
        </Show>
      </Card>
    </Page>
  );
}
