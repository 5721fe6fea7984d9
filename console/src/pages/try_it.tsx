// A real prediction from the page, and the same request for a terminal.
import { useMemo, useState } from "preact/hooks";
import { api } from "../api";
import { duration, num } from "../format";
import { useAction } from "../hooks";
import { link } from "../route";
import type { Endpoint, InferAnswer, ModelMeta, Tensor } from "../types";
import { Card, Copy, Failed } from "../ui";

/** Text of a field as the tensor's type wants it; throws what a person can act on. */
export function typed(name: string, text: string, datatype: string): unknown {
  if (datatype === "BYTES") return text;
  if (datatype === "BOOL") return text === "true" || text === "1";
  const v = Number(text);
  if (text.trim() === "" || !Number.isFinite(v)) throw new Error(`${name}: a number, please`);
  return v;
}

export function tensors(meta: ModelMeta, values: Record<string, string>): Tensor[] {
  return meta.inputs.map((t) => ({
    name: t.name, datatype: t.datatype, shape: t.shape.length > 1 ? [1, 1] : [1], data: [typed(t.name, values[t.name] ?? "", t.datatype)],
  }));
}

/** A row of a training set that has all the inputs: something real to begin with. */
export async function exampleOf(e: Endpoint): Promise<Record<string, string>> {
  for (const set of (await api.trainingSets()).slice(0, 5)) {
    const { columns, rows } = await api.trainingRows(set.id, 1);
    const at = (name: string) => rows[0]?.[columns.indexOf(name)];
    if (e.inputs.every((i) => at(i.name) != null)) return Object.fromEntries(e.inputs.map((i) => [i.name, String(at(i.name))]));
  }
  return {};
}

function curlOf(endpoint: string, body: unknown): string {
  return `curl -s ${location.origin}/v2/models/${endpoint}/infer -H "Authorization: Bearer $CAIRN_TOKEN" -H 'Content-Type: application/json' \\\n  -d '${JSON.stringify(body).replaceAll("'", "'\\''")}'`;
}

function Answer({ of, ms }: { of: InferAnswer; ms: number }) {
  const id = of.parameters?.prediction_id;
  return (
    <div class="answer" role="status">
      {of.outputs.map((o) => <div key={o.name}><span class="dim">{o.name}</span><b>{num(o.data?.[0] as number, 6)}</b></div>)}
      <p class="dim">
        Version {of.model_version}, {duration(ms)} from here and back.{" "}
        {typeof id === "string" && <>Prediction <a class="mono" href={link(["lineage"], { kind: "prediction", id })}>{id}</a></>}
      </p>
    </div>
  );
}

async function ask(endpoint: string, meta: ModelMeta, values: Record<string, string>) {
  const start = performance.now();
  const answer = await api.infer(endpoint, tensors(meta, values));
  return { answer, ms: performance.now() - start };
}

export function TryIt({ endpoint, meta, example, onDone }: { endpoint: string; meta: ModelMeta; example: Record<string, string>; onDone: () => void }) {
  const [values, set] = useState<Record<string, string>>({});
  const all = { ...example, ...values };
  const infer = useAction(() => ask(endpoint, meta, all));
  const curl = useMemo(() => {
    try {
      return curlOf(endpoint, { inputs: tensors(meta, all) });
    } catch {
      return "";
    }
  }, [endpoint, meta, values, example]);
  const go = async (e: Event) => {
    e.preventDefault();
    await infer.run();
    onDone();
  };
  return (
    <Card title="Try it">
      <form onSubmit={go}>
        <div class="form">
          {meta.inputs.map((t) => (
            <label key={t.name}>
              <span>{t.name} <span class="type inline">{t.datatype.toLowerCase()}</span></span>
              <input value={all[t.name] ?? ""} inputMode={t.datatype === "BYTES" ? "text" : "decimal"} required onInput={(e) => set({ ...values, [t.name]: e.currentTarget.value })} />
            </label>
          ))}
        </div>
        <button class="primary" disabled={infer.busy}>Predict</button>
      </form>
      {infer.error && <Failed error={infer.error} />}
      {infer.data && <Answer of={infer.data.answer} ms={infer.data.ms} />}
      {curl && <div class="curl"><pre class="code wrap">{curl}</pre><Copy text={curl} /></div>}
    </Card>
  );
}
