// One feature view: its features, what is online of it, and a read of a key as an endpoint would do it.
import { useState } from "preact/hooks";
import { api } from "../api";
import { count, num } from "../format";
import { useAction, useLoad } from "../hooks";
import { link } from "../route";
import { TaskButton } from "../task";
import { type Col, Table } from "../table";
import type { FeatureView, OnlineAnswer } from "../types";
import { Card, Chip, Empty, Facts, Failed, Page, Show, State, Time } from "../ui";
import { LineageLink } from "./shared";

const featureCols: Col<FeatureView["features"][number]>[] = [
  { head: "Feature", cell: (f) => <span class="strong">{f.name}</span>, sort: (f) => f.name },
  { head: "Type", cell: (f) => <code>{f.type}</code> },
  { head: "What it is", cell: (f) => <span class="dim">{f.doc}</span>, wide: true },
];

function shown(v: unknown) {
  return v == null ? <span class="null">null</span> : typeof v === "number" ? num(v, 6) : String(v);
}

function Found({ of }: { of: OnlineAnswer }) {
  const row = of.rows[0];
  if (!row) return <Empty what="Nothing was found." />;
  const list = of.features.map((name, i) => ({ name, value: row.values[i], status: row.statuses[i] ?? "" }));
  const cols: Col<(typeof list)[number]>[] = [
    { head: "Feature", cell: (x) => x.name },
    { head: "Value", right: true, cell: (x) => <span class="strong">{shown(x.value)}</span> },
    { head: "", cell: (x) => <State of={x.status} /> },
  ];
  return (
    <>
      <Table rows={list} cols={cols} keyOf={(x) => x.name} caption="Features of the key" />
      {row.event_times[0] && <p class="dim pad">Known since <Time at={row.event_times[0]} />.</p>}
    </>
  );
}

function Lookup({ of }: { of: FeatureView }) {
  const [key, set] = useState<Record<string, string>>({});
  const read = useAction(() => api.online(of.features.map((f) => `${of.name}:${f.name}`), [key]));
  return (
    <Card title="Read online">
      <form class="form" onSubmit={(e) => { e.preventDefault(); void read.run(); }}>
        {of.keys.map((k) => (
          <label key={k}>{k}<input required value={key[k] ?? ""} onInput={(e) => set({ ...key, [k]: e.currentTarget.value })} /></label>
        ))}
        <label><span>&nbsp;</span><button class="primary" disabled={read.busy}>Read</button></label>
      </form>
      {read.error && <Failed error={read.error} />}
      {read.data && <Found of={read.data} />}
    </Card>
  );
}

export function View({ name }: { name: string }) {
  const views = useLoad("views", api.views, 10_000);
  const v = views.data?.find((x) => x.name === name);
  return (
    <Page title={name} crumbs={[["Features", "#/features"]]}
      actions={
        <>
          <TaskButton text="Materialise" primary start={() => api.materialise(name)} onEnd={views.reload} />
          <LineageLink kind="feature_view" id={v?.materialised_id ? `${name}@${v.materialised_id}` : name} />
        </>
      }>
      <Show of={views}>
        {() => (!v ? <Card><Empty what={`There is no feature view “${name}”.`} command="cairn features list" /></Card> : (
          <>
            <Card>
              <Facts of={[
                ["Entity", <>{v.entity} {v.keys.map((k) => <Chip key={k}>{k}</Chip>)}</>],
                ["Dataset", <a href={link(["data", v.dataset])}>{v.dataset}</a>],
                ["Event time", <code>{v.time_column}</code>],
                ["Lives for", v.ttl && v.ttl !== "0ms" && v.ttl !== "0s" ? v.ttl : "ever"],
                ["Keys online", count(v.n_keys)],
                ["As of", <Time at={v.materialised_as_of} none="never" />],
                ["Materialised", <Time at={v.materialised_at} none="never" />],
              ]} />
            </Card>
            <div class="grid">
              <Card title="Features" flush><Table rows={v.features} cols={featureCols} keyOf={(f) => f.name} caption="Features" /></Card>
              <Lookup of={v} />
            </div>
          </>
        ))}
      </Show>
    </Page>
  );
}
