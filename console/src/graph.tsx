// The lineage graph, drawn: one box a thing, one curve a step; a box can be picked by mouse or keyboard.
import { useEffect, useMemo, useRef } from "preact/hooks";
import { relative } from "./format";
import { alike, layout } from "./layout";
import type { LineageGraph, LineageNode } from "./types";

const size = { boxW: 124, boxH: 62, gapX: 21, gapY: 16 };
const LINE_CHARS = 15;
/** Below this part of its size the graph is not shrunk but scrolled. */
const SCALE_MIN = 0.66;
const PAD = 6;

export function nodeKey(n: { kind: string; id: string }): string {
  return `${n.kind}:${n.id}`;
}

function ends(g: LineageGraph): [string, string][] {
  return g.edges.map((e) => [nodeKey({ kind: e.from_kind, id: e.from_id }), nodeKey({ kind: e.to_kind, id: e.to_id })]);
}

export function kindText(kind: string): string {
  return kind.replaceAll("_", " ");
}

/** A name in one line or two, broken where words end. */
export function lines(name: string): string[] {
  if (name.length <= LINE_CHARS) return [name];
  const head = name.slice(0, LINE_CHARS + 1);
  const at = Math.max(head.lastIndexOf(" "), head.lastIndexOf("_"), head.lastIndexOf("-"), head.lastIndexOf("@"));
  const end = at > 5 ? (head[at] === " " || head[at] === "@" ? at : at + 1) : LINE_CHARS;
  const rest = name.slice(end).trim();
  return [name.slice(0, end), rest.length > LINE_CHARS ? `${rest.slice(0, LINE_CHARS - 1)}…` : rest];
}

function Node({ of, x, y, state, pick }: { of: LineageNode; x: number; y: number; state: string; pick: () => void }) {
  const name = (of.label || of.id).replace(`${kindText(of.kind)} `, "");
  const shown = lines(name);
  const key = (e: KeyboardEvent) => {
    if (e.key !== "Enter" && e.key !== " ") return;
    e.preventDefault();
    pick();
  };
  return (
    <g class={`node kind-${of.kind} ${state}`} transform={`translate(${x},${y})`} role="button" tabindex={0} aria-pressed={state.includes("picked")}
      aria-label={`${kindText(of.kind)} ${name}`} onClick={pick} onKeyDown={key}>
      <title>{`${kindText(of.kind)} ${of.id}`}</title>
      <rect class="node-box" width={size.boxW} height={size.boxH} rx="7" />
      <rect class="node-side" width="4" height={size.boxH - 14} x="6" y="7" rx="2" />
      <text class="node-kind" x="17" y="18">{kindText(of.kind)}</text>
      {shown.map((text, i) => <text class="node-name" x="17" y={35 + i * 15} key={i}>{text}</text>)}
      {shown.length === 1 && of.at_ms && <text class="node-time" x="17" y="52">{relative(of.at_ms)}</text>}
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
    for (const [a, b] of ends(graph)) {
      if (up ? b === from : a === from) walk(up ? a : b, up, marks);
    }
  };
  walk(key, true, new Set());
  walk(key, false, new Set());
  return seen;
}

const ALIKE_MAX = 4;

/** The graph with each crowd of like things as one node that lists them. */
export function folded(g: LineageGraph, keep: string | undefined): LineageGraph {
  const nodes = new Map(g.nodes.map((n) => [nodeKey(n), n]));
  const crowd = new Map<string, LineageNode>();
  for (const group of alike([...nodes.keys()].filter((k) => k !== keep), (k) => nodes.get(k)!.kind, ends(g), ALIKE_MAX)) {
    const all = group.map((k) => nodes.get(k)!);
    const { kind, id } = all[0]!;
    const one = { kind, id: `${id} …`, label: `${all.length} ${kindText(kind)}s`, at_ms: null, detail: { names: all.map((n) => n.label || n.id) } };
    group.forEach((k) => crowd.set(k, one));
  }
  const at = (kind: string, id: string) => crowd.get(nodeKey({ kind, id }))?.id ?? id;
  const edges = g.edges.map((e) => ({ ...e, from_id: at(e.from_kind, e.from_id), to_id: at(e.to_kind, e.to_id) }));
  return {
    nodes: [...new Set(g.nodes.map((n) => crowd.get(nodeKey(n)) ?? n))],
    edges: [...new Map(edges.map((e) => [JSON.stringify(e), e])).values()],
  };
}

export function Graph({ of, picked, root, onPick }: { of: LineageGraph; picked?: string; root?: string; onPick: (n: LineageNode) => void }) {
  const drawing = useMemo(() => {
    return layout(of.nodes.map(nodeKey), ends(of), size);
  }, [of]);
  const near = useMemo(() => (picked && picked !== root ? related(of, picked) : undefined), [of, picked, root]);
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    // What was asked for stands at one end: begin there when not all fits.
    const at = drawing.boxes.find((b) => b.id === root)?.x ?? 0;
    if (box.current && at > drawing.width / 2) box.current.scrollLeft = box.current.scrollWidth;
  }, [drawing, root]);
  const nodes = new Map(of.nodes.map((n) => [nodeKey(n), n]));
  const w = drawing.width + 2 * PAD;
  const h = drawing.height + 2 * PAD;
  return (
    <div class="graph" ref={box}>
      <svg viewBox={`${-PAD} ${-PAD} ${w} ${h}`} style={{ maxWidth: `${w}px`, minWidth: `${w * SCALE_MIN}px` }} role="group" aria-label="Lineage graph">
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
