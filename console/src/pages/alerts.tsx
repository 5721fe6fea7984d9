// Rules, what each measures now, which fire, and how they came and went.
import { api } from "../api";
import { num } from "../format";
import { useLoad } from "../hooks";
import { link } from "../route";
import { type Col, Table } from "../table";
import type { Alert, AlertEvent } from "../types";
import { Card, Chip, Empty, none, Page, Show, State, Time } from "../ui";
import { firing, opText } from "./shared";

const cols: Col<Alert>[] = [
  { head: "State", cell: (a) => <State of={a.state} />, sort: (a) => (firing(a) ? 0 : 1) },
  { head: "Rule", cell: (a) => <><span class="strong">{a.rule}</span>{a.doc && <div class="dim small-text">{a.doc}</div>}</>, sort: (a) => a.rule, wide: true },
  { head: "Severity", cell: (a) => <Chip tone={a.severity === "critical" ? "bad" : a.severity === "warning" ? "warn" : "dim"}>{a.severity}</Chip>, sort: (a) => a.severity },
  { head: "Watches", cell: (a) => <>{a.endpoint && <a href={link(["endpoints", a.endpoint])}>{a.endpoint}</a>} <span class="dim">{a.metric.replaceAll("_", " ")} {a.column}</span></> },
  { head: "Measured", right: true, cell: (a) => (a.evaluated_at ? <span class={firing(a) ? "bad-text strong" : ""} title={a.message}>{num(a.value)}</span> : none), sort: (a) => a.value },
  { head: "Fires at", right: true, cell: (a) => <span class="nowrap">{opText(a.op)} {num(a.bound)}</span> },
  { head: "Since", cell: (a) => <Time at={a.since} />, sort: (a) => a.since },
];

const historyCols: Col<AlertEvent>[] = [
  { head: "When", cell: (h) => <Time at={h.at} />, sort: (h) => h.at },
  { head: "Rule", cell: (h) => <span class="strong">{h.rule}</span>, sort: (h) => h.rule },
  { head: "Change", cell: (h) => <span class="nowrap"><State of={h.from_state} /> → <State of={h.to_state} /></span> },
  { head: "Value", right: true, cell: (h) => num(h.value) },
  { head: "Bound", right: true, cell: (h) => num(h.bound) },
  { head: "What was seen", cell: (h) => <span class="dim">{h.message}</span>, wide: true },
];

export function Alerts() {
  const alerts = useLoad("alerts", api.alerts, 5000);
  const rules = alerts.data?.map((a) => a.rule) ?? [];
  const history = useLoad(rules.length ? `history of ${rules.join()}` : null, async () => (await Promise.all(rules.map((r) => api.alertHistory(r)))).flat(), 10_000);
  const n = alerts.data?.filter(firing).length;
  return (
    <Page title="Alerts" lead={!alerts.data?.length ? undefined : n ? `${n} of ${alerts.data.length} rules firing.` : "All rules hold."}>
      <Card title="Rules" flush>
        <Show of={alerts} empty={<Empty what="There are no alert rules." command="cairn alerts apply examples/taxi/alerts.yaml" />}>
          {(list) => <Table rows={list} cols={cols} keyOf={(a) => a.rule} order={{ col: 0, down: false }} marked={(a) => firing(a) && "bad"} caption="Alert rules" />}
        </Show>
      </Card>
      {alerts.data && alerts.data.length > 0 && (
        <Card title="History" flush>
          <Show of={history} empty={<Empty what="No rule has changed its state yet." />}>
            {(list) => <Table rows={list} cols={historyCols} keyOf={(h) => h.id} order={{ col: 0, down: true }} caption="Changes of alerts" />}
          </Show>
        </Card>
      )}
    </Page>
  );
}
