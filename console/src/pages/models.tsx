// Registered models, their versions and the names that point at them.
import { api } from "../api";
import { link } from "../route";
import { useLoad } from "../hooks";
import { type Col, Table } from "../table";
import type { ModelVersion, RegisteredModel } from "../types";
import { Card, Chip, Empty, Facts, none, Page, Show, State, Time } from "../ui";
import { LineageLink, RunLink, tag } from "./shared";

function latest(m: RegisteredModel): number | undefined {
  const all = m.latest_versions?.map((v) => Number(v.version)) ?? [];
  return all.length ? Math.max(...all) : undefined;
}

const modelCols: Col<RegisteredModel>[] = [
  { head: "Model", cell: (m) => <a class="strong" href={link(["models", m.name])}>{m.name}</a>, sort: (m) => m.name },
  { head: "Newest", right: true, cell: (m) => latest(m) ?? "–", sort: latest },
  {
    head: "Aliases",
    cell: (m) => <div class="chips">{m.aliases?.map((a) => <Chip key={a.alias} tone="ok">{a.alias} → {a.version}</Chip>)}</div>,
  },
  { head: "Description", cell: (m) => <span class="dim">{m.description}</span>, wide: true },
  { head: "Changed", cell: (m) => <Time at={m.last_updated_timestamp} />, sort: (m) => m.last_updated_timestamp },
];

export function Models() {
  const models = useLoad("models", api.models, 10_000);
  return (
    <Page title="Models" lead="What was registered, and what each alias stands for.">
      <Card flush>
        <Show of={models} empty={<Empty what="No model is registered." command="cairn models register NAME --run RUN_ID --alias champion" />}>
          {(list) => <Table rows={list} cols={modelCols} keyOf={(m) => m.name} order={{ col: 0, down: false }} caption="Registered models" />}
        </Show>
      </Card>
    </Page>
  );
}

function versionCols(model: RegisteredModel | undefined): Col<ModelVersion>[] {
  const aliases = (v: ModelVersion) => v.aliases ?? model?.aliases?.filter((a) => a.version === v.version).map((a) => a.alias) ?? [];
  return [
    { head: "Version", cell: (v) => <span class="strong">{v.version}</span>, sort: (v) => Number(v.version) },
    { head: "Aliases", cell: (v) => <div class="chips">{aliases(v).map((a) => <Chip key={a} tone="ok">{a}</Chip>)}</div> },
    { head: "State", cell: (v) => <State of={v.status} /> },
    { head: "Run", cell: (v) => (v.run_id ? <RunLink id={v.run_id} /> : none) },
    { head: "Converted from", cell: (v) => { const from = tag(v.tags, "cairn.converted_from"); return from ? <a href={link(["models", from.split("@")[0]!])}>{from}</a> : none; } },
    { head: "Description", cell: (v) => <span class="dim">{v.description}</span>, wide: true },
    { head: "Made", cell: (v) => <Time at={v.creation_timestamp} />, sort: (v) => v.creation_timestamp },
    { head: "", cell: (v) => <LineageLink kind="model_version" id={`${v.name}@${v.version}`} /> },
  ];
}

export function Model({ name }: { name: string }) {
  const model = useLoad(`model ${name}`, () => api.model(name), 10_000);
  const versions = useLoad(`versions of ${name}`, () => api.modelVersions(name), 10_000);
  return (
    <Page title={name} crumbs={[["Models", "#/models"]]} lead={model.data?.description}>
      <Show of={model}>
        {(m) => (
          <>
            <Card>
              <Facts of={[
                ["Newest version", latest(m)],
                ["Aliases", m.aliases?.length ? <div class="chips">{m.aliases.map((a) => <Chip key={a.alias} tone="ok">{a.alias} → {a.version}</Chip>)}</div> : null],
                ["Registered", <Time at={m.creation_timestamp} />],
                ["Changed", <Time at={m.last_updated_timestamp} />],
              ]} />
            </Card>
            <Card title="Versions" flush>
              <Show of={versions} empty={<Empty what="It has no versions." command={`cairn models register ${name} --run RUN_ID`} />}>
                {(list) => <Table rows={list} cols={versionCols(m)} keyOf={(v) => v.version} order={{ col: 0, down: true }} caption="Versions" />}
              </Show>
            </Card>
          </>
        )}
      </Show>
    </Page>
  );
}
