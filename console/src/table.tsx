// Tables: of objects, sortable by their heads, and of rows as the lake answers them.
import type { ComponentChildren } from "preact";
import { useMemo, useState } from "preact/hooks";
import { num } from "./format";
import type { TableData } from "./types";

export interface Col<R> {
  head: ComponentChildren;
  cell: (row: R) => ComponentChildren;
  sort?: (row: R) => string | number | null | undefined;
  right?: boolean;
  title?: string;
  wide?: boolean;
}

type Order = { col: number; down: boolean };

function compare(a: string | number | null | undefined, b: string | number | null | undefined): number {
  if (a == null || b == null) return a == null ? (b == null ? 0 : 1) : -1;
  if (typeof a === "number" && typeof b === "number") return a - b;
  return String(a).localeCompare(String(b), "en", { numeric: true });
}

export function Table<R>({ rows, cols, keyOf, order: first, marked, caption }: {
  rows: R[];
  cols: Col<R>[];
  keyOf: (row: R) => string;
  order?: Order;
  marked?: (row: R) => boolean | "bad";
  caption: string;
}) {
  const [order, set] = useState<Order | undefined>(first);
  const sorted = useMemo(() => {
    const sort = order && cols[order.col]?.sort;
    if (!sort) return rows;
    const list = [...rows].sort((a, b) => {
      const [x, y] = [sort(a), sort(b)];
      return x == null || y == null ? compare(x, y) : order.down ? compare(y, x) : compare(x, y);
    });
    return list;
  }, [rows, order, cols]);

  return (
    <div class="table-wrap" tabIndex={-1}>
      <table>
        <caption class="unseen">{caption}</caption>
        <thead>
          <tr>
            {cols.map((c, i) => (
              <th
                key={i}
                scope="col"
                class={c.right ? "right" : undefined}
                title={c.title}
                aria-sort={order?.col === i ? (order.down ? "descending" : "ascending") : undefined}
              >
                {c.sort ? (
                  <button class="sort" onClick={() => set(order?.col === i ? { col: i, down: !order.down } : { col: i, down: c.right ?? false })}>
                    {c.head}
                    <span class="sort-mark" aria-hidden="true">{order?.col === i ? (order.down ? "↓" : "↑") : ""}</span>
                  </button>
                ) : c.head}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {sorted.map((r) => (
            <tr key={keyOf(r)} class={marked?.(r) ? `marked ${marked(r)}` : undefined}>
              {cols.map((c, i) => <td key={i} class={c.right ? "right" : c.wide ? "wide" : undefined}>{c.cell(r)}</td>)}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

const isTime = /TIMESTAMP|DATE/;
const numeric = /INT|DOUBLE|FLOAT|REAL|DECIMAL|NUMERIC/i;

export function cellText(v: unknown, type: string): string {
  if (v == null) return "";
  if (typeof v === "number") return numeric.test(type) && Number.isInteger(v) ? String(v) : num(v, 6);
  if (typeof v === "object") return JSON.stringify(v);
  return isTime.test(type) ? String(v).replace("T", " ").replace(/(\.\d+)?Z$/, "") : String(v);
}

export function Rows({ of, caption }: { of: TableData; caption: string }) {
  return (
    <div class="table-wrap rows" tabIndex={0} role="region" aria-label={caption}>
      <table>
        <caption class="unseen">{caption}</caption>
        <thead>
          <tr>
            {of.columns.map((c) => (
              <th key={c.name} scope="col" class={numeric.test(c.type) ? "right" : undefined}>
                {c.name}
                <span class="type">{c.type.toLowerCase()}</span>
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {of.rows.map((row, i) => (
            <tr key={i}>
              {row.map((v, j) => {
                const type = of.columns[j]?.type ?? "";
                return <td key={j} class={numeric.test(type) ? "right" : undefined}>{v == null ? <span class="null">null</span> : cellText(v, type)}</td>;
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
