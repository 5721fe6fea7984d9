// Feature views and the training sets made from them.
import { api } from "../api";
import { absolute, count, shortId } from "../format";
import { useLoad } from "../hooks";
import { link } from "../route";
import { type Col, Table } from "../table";
import type { FeatureView, TrainingSet } from "../types";
import { Card, Copy, Empty, Page, Show, Time } from "../ui";
import { LineageLink } from "./shared";

const viewCols: Col<FeatureView>[] = [
  { head: "View", cell: (v) => <a class="strong" href={link(["features", v.name])}>{v.name}</a>, sort: (v) => v.name },
  { head: "Entity", cell: (v) => <>{v.entity} <span class="dim">by {v.keys.join(", ")}</span></>, sort: (v) => v.entity },
  { head: "Dataset", cell: (v) => <a href={link(["data", v.dataset])}>{v.dataset}</a>, sort: (v) => v.dataset },
  { head: "Features", right: true, cell: (v) => v.features.length, sort: (v) => v.features.length },
  { head: "Keys online", right: true, cell: (v) => count(v.n_keys), sort: (v) => v.n_keys },
  { head: "As of", cell: (v) => <Time at={v.materialised_as_of} none="never" /> },
  { head: "Materialised", cell: (v) => <Time at={v.materialised_at} none="never" />, sort: (v) => v.materialised_at },
];

const setCols: Col<TrainingSet>[] = [
  { head: "Training set", cell: (t) => <a class="strong" href={link(["training-sets", t.id])}>{t.name}</a>, sort: (t) => t.name },
  { head: "Id", cell: (t) => <><code title={t.id}>{shortId(t.id, 18)}</code> <Copy text={t.id} /></> },
  { head: "Rows", right: true, cell: (t) => count(t.n_rows), sort: (t) => t.n_rows },
  { head: "Label", cell: (t) => <code>{t.label}</code> },
  { head: "Train / validate", right: true, cell: (t) => <span class="nowrap" title={t.split ? `split at ${absolute(t.split)}` : "no split"}>{count(t.n_train)} / {count(t.n_valid)}</span> },
  { head: "Views", cell: (t) => <div class="chips">{t.views.map((v) => <a key={v} href={link(["features", v])}>{v}</a>)}</div> },
  { head: "Made", cell: (t) => <Time at={t.created_at} />, sort: (t) => t.created_at },
  { head: "", cell: (t) => <LineageLink kind="training_set" id={t.id} /> },
];

export function Features() {
  const views = useLoad("views", api.views, 10_000);
  const sets = useLoad("training sets", api.trainingSets, 10_000);
  return (
    <Page title="Features" lead="One definition, read as of any time for training and at once for serving.">
      <Card title="Feature views" flush>
        <Show of={views} empty={<Empty what="There are no feature views." command="cairn features apply examples/taxi/features.yaml" />}>
          {(list) => <Table rows={list} cols={viewCols} keyOf={(v) => v.name} order={{ col: 0, down: false }} caption="Feature views" />}
        </Show>
      </Card>
      <Card title="Training sets" flush>
        <Show of={sets} empty={<Empty what="There are no training sets." command="cairn training-set create examples/taxi/training_set.yaml" />}>
          {(list) => <Table rows={list} cols={setCols} keyOf={(t) => t.id} order={{ col: 6, down: true }} caption="Training sets" />}
        </Show>
      </Card>
    </Page>
  );
}
