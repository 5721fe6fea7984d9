// The lineage graph, drawn: one box a thing, one curve a step; a box can be picked by mouse or keyboard.
import { useMemo } from "preact/hooks";
import { relative } from "./format";
import { layout } from "./layout";
import type { LineageGraph, LineageNode } from "./types";

const size = { boxW: 186, boxH: 52, gapX: 64, gapY: 18 };
const PAD = 6;

export function nodeKey(n: { kind: string; id: string }): string {
  return `${n.kind}:${n.id}`;
}

export function kindText(kind: string): string {
  return kind.replaceAll("_", " ");
}

function cut(text: string, most: number): string {
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}

function Node({ of, x, y, state, pick }: { of: LineageNode; x: number; y: number; state: string; pick: () => void }) {
  const name = of.label || of.id;
  const key = (e: KeyboardEvent) => {
    if (e.key !== "Enter" && e.key !== " ") return;
    e.preventDefault();
    pick();
  };
  return (
    <g class={`node kind-${of.kind} ${state}`} transform={`translate(${x},${y})`} role="button" tabIndex={0} aria-pressed={state.includes("picked")}
      aria-label={`${kindText(of.kind)} ${name}`} onClick={pick} onKeyDown={key}>
      <title>{`${kindText(of.kind)} ${of.id}`}</title>
      <rect class="node-box" width={size.boxW} height={size.boxH} rx="7" />
      <rect class="node-side" width="4" height={size.boxH - 14} x="6" y="7" rx="2" />
      <text class="node-kind" x="18" y="18">{kindText(of.kind)}</text>
      {of.at_ms && <text class="node-time" x={size.boxW - 9} y="18">{relative(of.at_ms)}</text>}
      <text class="node-name" x="18" y="38">{cut(name, 24)}</text>
    </g>
  );
}

/** The nodes on any way through `key`, and the edges between them. */
function related(graph: LineageGraph, key: string): Set<string> {
  const seen = new Set<string>();
  const walk = (from: string, up: boolean, marks: Set<string>) => {
    if (marks.has(from)) return;
    marks.add(from);
    seen.add(from);
    for (const e of graph.edges) {
      const [a, b] = [nodeKey({ kind: e.from_kind, id: e.from_id }), nodeKey({ kind: e.to_kind, id: e.to_id })];
      if (up ? b === from : a === from) walk(up ? a : b, up, marks);
    }
  };
  walk(key, true, new Set());
  walk(key, false, new Set());
  return seen;
}

export function Graph({ of, picked, root, onPick }: { of: LineageGraph; picked?: string; root?: string; onPick: (n: LineageNode) => void }) {
  const drawing = useMemo(() => {
    const edges = of.edges.map((e): [string, string] => [nodeKey({ kind: e.from_kind, id: e.from_id }), nodeKey({ kind: e.to_kind, id: e.to_id })]);
    return layout(of.nodes.map(nodeKey), edges, size);
  }, [of]);
  const near = useMemo(() => (picked && picked !== root ? related(of, picked) : undefined), [of, picked, root]);
  const nodes = new Map(of.nodes.map((n) => [nodeKey(n), n]));
  const w = drawing.width + 2 * PAD;
  const h = drawing.height + 2 * PAD;
  return (
    <div class="graph">
      <svg viewBox={`${-PAD} ${-PAD} ${w} ${h}`} style={{ maxWidth: `${w}px`, minWidth: `${w * 0.55}px` }} role="group" aria-label="Lineage graph">
        <defs>
          <marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0,1 L7,4 L0,7 z" /></marker>
        </defs>
        {drawing.curves.map((c) => (
          <path key={`${c.from} ${c.to}`} class={`edge ${near && !(near.has(c.from) && near.has(c.to)) ? "faint" : ""}`} d={c.path} marker-end="url(#tip)" />
        ))}
        {drawing.boxes.map((b) => {
          const node = nodes.get(b.id)!;
          const state = `${b.id === picked ? "picked" : ""} ${b.id === root ? "root" : ""} ${near && !near.has(b.id) ? "faint" : ""}`;
          return <Node key={b.id} of={node} x={b.x} y={b.y} state={state} pick={() => onPick(node)} />;
        })}
      </svg>
    </div>
  );
}
