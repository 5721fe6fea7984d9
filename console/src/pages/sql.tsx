// A question to the datasets, asked in a sandbox. The last one stays for this tab.
import { useEffect, useRef, useState } from "preact/hooks";
import { api } from "../api";
import { duration, plural } from "../format";
import { useAction, useLoad } from "../hooks";
import { setQuery, usePlace } from "../route";
import { Rows } from "../table";
import { Card, Empty, Failed, Loading, Page } from "../ui";

async function timed(sql: string) {
  const start = performance.now();
  const table = await api.query(sql, 1000);
  return { table, ms: performance.now() - start };
}

function Known({ put }: { put: (name: string) => void }) {
  const datasets = useLoad("datasets", api.datasets);
  if (!datasets.data?.length) return null;
  return (
    <div class="chips known">
      {datasets.data.map((d) => <button type="button" class="small" key={d.name} title={`${d.n_rows} rows`} onClick={() => put(d.name)}>{d.name}</button>)}
    </div>
  );
}

export function Sql() {
  const { query } = usePlace();
  const [sql, type] = useState(query.q ?? "");
  const ask = useAction(timed);
  const asked = useRef("");
  const run = (text: string) => {
    asked.current = text;
    void ask.run(text);
  };
  const go = () => {
    if (!sql.trim()) return;
    run(sql);
    setQuery({ q: sql });
  };
  useEffect(() => {
    if (!query.q || query.q === asked.current) return;
    type(query.q);
    run(query.q);
  }, [query.q]);
  const key = (e: KeyboardEvent) => {
    if (e.key === "Enter" && (e.ctrlKey || e.metaKey)) {
      e.preventDefault();
      go();
    }
  };
  return (
    <Page title="SQL" lead={<>One SELECT. A dataset is a table by its name, a version of it <code>"trips@1"</code>.</>}>
      <Card>
        <form onSubmit={(e) => { e.preventDefault(); go(); }}>
          <textarea rows={Math.min(14, Math.max(4, sql.split("\n").length + 1))} value={sql} spellcheck={false} aria-label="SQL" data-focus="/" placeholder="SELECT pickup_borough, count(*) AS trips, avg(fare) AS fare FROM trips GROUP BY 1 ORDER BY 2 DESC"
            onInput={(e) => type(e.currentTarget.value)} onKeyDown={key} />
          <div class="tools under">
            <button class="primary" disabled={ask.busy || !sql.trim()}>Run</button>
            <kbd>Ctrl Enter</kbd>
            <Known put={(name) => type(sql.trim() ? `${sql}${/\s$/.test(sql) ? "" : " "}${name}` : `SELECT * FROM ${name} LIMIT 100`)} />
          </div>
        </form>
        {ask.error && <Failed error={ask.error} />}
      </Card>
      {ask.busy && !ask.data && <Loading />}
      {ask.data && (
        <Card flush title={`${plural(ask.data.table.rows.length, "row")}${ask.data.table.more ? ", and there are more" : ""}`} aside={duration(ask.data.ms)}>
          {ask.data.table.rows.length ? <Rows of={ask.data.table} caption="Answer" /> : <Empty what="No rows." />}
        </Card>
      )}
    </Page>
  );
}
