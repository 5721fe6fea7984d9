// One training set: labels joined with features as they were at each label's time.
import { api } from "../api";
import { absolute, count, shortId } from "../format";
import { useLoad } from "../hooks";
import { link } from "../route";
import { type Col, Rows, Table } from "../table";
import type { TrainingSetFull } from "../types";
import { Card, Copy, Facts, Page, Show, Time } from "../ui";
import { LineageLink } from "./shared";

const inputCols: Col<TrainingSetFull["inputs"][number]>[] = [
  { head: "Input", cell: (i) => <span class="strong">{i.name}</span>, sort: (i) => i.name },
  { head: "Type", cell: (i) => <code>{i.type}</code>, sort: (i) => i.type },
  { head: "Comes from", cell: (i) => (i.view ? <a href={link(["features", i.view])}>{i.view}</a> : <span class="dim">the request</span>), sort: (i) => i.view },
];

export function TrainingSet({ id }: { id: string }) {
  const set = useLoad(`training set ${id}`, () => api.trainingSet(id));
  const rows = useLoad(`training rows ${id}`, () => api.trainingRows(id));
  return (
    <Page title={set.data?.name ?? id} crumbs={[["Features", "#/features"]]} actions={<LineageLink kind="training_set" id={set.data?.id ?? id} />}>
      <Show of={set}>
        {(t) => (
          <>
            <Card>
              <Facts of={[
                ["Rows", count(t.n_rows)], ["Train", count(t.n_train)], ["Validate", count(t.n_valid)], ["Left out", count(t.n_left_out)],
                ["Label", <code>{t.label}</code>], ["Time", <code>{t.time_column}</code>], ["Split at", t.split ? absolute(t.split) : "no split"],
                ["Made of", <div class="chips">{t.sources.map((s) => { const [name = s, n] = s.split("@"); return <a key={s} href={link(["data", name], { version: n })}>{s}</a>; })}</div>],
                ["Made", <Time at={t.created_at} />], ["Id", <><code title={t.id}>{shortId(t.id)}</code> <Copy text={t.id} /></>],
              ]} />
            </Card>
            <div class="grid two">
              <Card title="What a model sees" flush><Table rows={t.inputs} cols={inputCols} keyOf={(i) => i.name} caption="Inputs" /></Card>
              <Card title="Rows" flush aside="The first hundred">
                <Show of={rows}>{(r) => <Rows of={{ ...r, columns: r.columns.map((name) => ({ name, type: t.inputs.find((i) => i.name === name)?.type.replace("float", "double") ?? "" })), more: false }} caption="Rows of the training set" />}</Show>
              </Card>
            </div>
          </>
        )}
      </Show>
    </Page>
  );
}
