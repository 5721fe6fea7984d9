// Where anything came from, back to the source file, or what came of it.
import { useEffect, useState } from "preact/hooks";
import { api } from "../api";
import { num, plural, shortId } from "../format";
import { folded, Graph, kindText, nodeKey } from "../graph";
import { useLoad } from "../hooks";
import { link, setQuery } from "../route";
import type { LineageGraph, LineageNode } from "../types";
import { Card, Copy, Empty, Facts, Page, Show, Time } from "../ui";
import { pageOf } from "./shared";

/** "run:abc" names its kind; an id alone is a prediction's, or a version's by its "@". */
export function parseThing(text: string): { kind: string; id: string } | undefined {
  const t = text.trim();
  const m = /^([a-z_]+):(.+)$/.exec(t);
  if (m) return { kind: m[1]!, id: m[2]! };
  if (!t) return undefined;
  if (/^[0-9a-f]{32}$/.test(t)) return { kind: "run", id: t };
  if (t.startsWith("ts_")) return { kind: "training_set", id: t };
  if (/^[^@]+@\d+$/.test(t)) return { kind: "dataset_version", id: t };
  return { kind: "prediction", id: t };
}

function value(v: unknown) {
  if (typeof v === "number") return num(v, 6);
  if (v == null) return null;
  if (Array.isArray(v)) return v.map((x: unknown) => (typeof x === "object" ? (x as { name?: string })?.name ?? JSON.stringify(x) : String(x))).join(", ");
  const text = typeof v === "string" ? v : JSON.stringify(v);
  if (/^\d{4}-\d\d-\d\dT/.test(text)) return <Time at={text} />;
  return /^[0-9a-f]{40,}$/.test(text) ? <code title={text}>{shortId(text)}</code> : <span class="break">{text}</span>;
}

function Detail({ of, root, graph }: { of: LineageNode; root: boolean; graph: LineageGraph }) {
  const many = of.id.endsWith(" …");
  const page = many ? undefined : pageOf(of.kind, of.id);
  const detail = Object.entries(of.detail ?? {}).filter(([k, v]) => !/^(id|log|seq)$/.test(k) && v !== "" && v != null);
  const isPairs = ([, v]: [string, unknown]) => typeof v === "object" && !Array.isArray(v);
  const how = graph.edges.filter((e) => e.to_kind === of.kind && e.to_id === of.id);
  return (
    <Card
      title={<>{kindText(of.kind)} <span class="strong">{of.label || of.id}</span></>}
      aside={
        <>
          {page && <a class="button" href={page}>Its page</a>}
          {!root && !many && <a class="button" href={link(["lineage"], { kind: of.kind, id: of.id })}>Trace from here</a>}
          {of.kind !== "prediction" && !many && <a class="button" href={link(["lineage"], { kind: of.kind, id: of.id, direction: "down" })}>What came of it</a>}
        </>
      }
    >
      <Facts of={[
        ["Id", <><code class="break">{of.id}</code> <Copy text={of.id} /></>],
        ["Made", <Time at={of.at_ms} />],
        ...(how.length ? [["Came from", how.map((e) => <div key={e.from_id} title={e.how}>{kindText(e.from_kind)} <code>{shortId(e.from_id, 24)}</code></div>)] as [string, preact.ComponentChildren]] : []),
        ...detail.filter((d) => !isPairs(d)).map(([k, v]): [string, preact.ComponentChildren] => [k.replaceAll("_", " "), value(v)]),
      ]} />
      {detail.filter(isPairs).map(([k, v]) => Object.keys(v as object).length > 0 && (
        <div key={k}>
          <h3>{k.replaceAll("_", " ")}</h3>
          <Facts of={Object.entries(v as object).map(([name, x]) => [name, value(x)])} />
        </div>
      ))}
    </Card>
  );
}

function Recent() {
  const list = useLoad("predictions", () => api.predictions("", 12));
  return (
    <Card title="Recent predictions" flush>
      <Show of={list} empty={<Empty what="No prediction has been made yet." command={'cairn predict taxi-fare distance=2.5 passengers=1 pickup_zone="Midtown Center"'} />}>
        {(found) => (
          <ul class="lines">
            {found.map((p) => (
              <li key={p.id}>
                <a class="mono" href={link(["lineage"], { kind: "prediction", id: p.id })}>{p.id}</a>
                <span>{p.endpoint}</span><span class="strong">{num(p.output)}</span><span class="dim"><Time at={p.at} /></span>
              </li>
            ))}
          </ul>
        )}
      </Show>
    </Card>
  );
}

export function Lineage({ query: { kind, id, direction } }: { query: Record<string, string> }) {
  const down = direction === "down";
  const [text, type] = useState("");
  const [picked, pick] = useState<LineageNode>();
  const graph = useLoad(kind && id ? `lineage ${kind} ${id} ${direction}` : null, async () =>
    folded(await (kind === "prediction" && !down ? api.predictionLineage(id!) : api.lineage(kind!, id!, down ? "down" : "up")), `${kind}:${id}`));
  useEffect(() => {
    type(kind && id ? `${kind}:${id}` : "");
    pick(undefined);
  }, [kind, id, direction]);

  const root = kind && id ? nodeKey({ kind, id }) : undefined;
  const go = (e: Event) => {
    e.preventDefault();
    const thing = parseThing(text);
    if (thing) location.hash = link(["lineage"], { ...thing, direction });
  };
  return (
    <Page title="Lineage" lead={down ? "What came of a thing, downstream." : "What a thing came from, back to the source."}>
      <form class="tools" onSubmit={go}>
        <input class="grow mono" type="search" data-focus="/" value={text} aria-label="Prediction id or kind:id" placeholder="pr_01… or model_version:taxi-fare@2"
          onInput={(e) => type(e.currentTarget.value)} />
        <div class="segment" role="group" aria-label="Direction">
          <button type="button" aria-pressed={!down} onClick={() => setQuery({ direction: null })}>Came from</button>
          <button type="button" aria-pressed={down} onClick={() => setQuery({ direction: "down" })}>Came of it</button>
        </div>
        <button class="primary">Trace</button>
      </form>
      {!root ? <Recent /> : (
        <Show of={graph}>
          {(g) => {
            const node = picked ?? g.nodes.find((n) => nodeKey(n) === root) ?? g.nodes[0];
            return (
              <>
                <Card flush aside={`${plural(g.nodes.length, "thing")}, ${plural(g.edges.length, "step")}`} title={root}>
                  <Graph of={g} root={root} picked={node && nodeKey(node)} onPick={pick} />
                </Card>
                {node && <Detail of={node} root={nodeKey(node) === root} graph={g} />}
              </>
            );
          }}
        </Show>
      )}
    </Page>
  );
}
