// A layered left-to-right drawing of a directed graph. Pure: names and edges in, places and curves out.
//
// Layers by the longest path from a source; edges over several layers get a bend in each; within layers the order
// that crosses least, by sweeping the mean place of neighbours; then every box is pulled towards its neighbours.

export interface Box {
  id: string;
  x: number;
  y: number;
}
export interface Curve {
  from: string;
  to: string;
  path: string;
  mid: [number, number];
}
/** Things that stand alike, between the same neighbours, are one box when there are more of them than `most`. */
export function alike(ids: string[], kindOf: (id: string) => string, edges: [string, string][], most: number): string[][] {
  const groups = new Map<string, string[]>();
  for (const id of ids) {
    const near = edges.filter(([a, b]) => a === id || b === id).map(([a, b]) => (a === id ? `>${b}` : `<${a}`)).sort();
    const key = `${kindOf(id)} ${near.join(" ")}`;
    groups.set(key, [...(groups.get(key) ?? []), id]);
  }
  return [...groups.values()].filter((g) => g.length > most);
}

export interface Drawing {
  boxes: Box[];
  curves: Curve[];
  width: number;
  height: number;
}
export interface Sizes {
  boxW: number;
  boxH: number;
  gapX: number;
  gapY: number;
}

interface Cell {
  id: string;
  layer: number;
  real: boolean;
  y: number;
  before: Cell[];
  after: Cell[];
}

/** Edges that would close a circle are left out of the ranking. */
function ranks(ids: string[], edges: [string, string][]): Map<string, number> {
  const out = new Map<string, string[]>(ids.map((id) => [id, []]));
  for (const [a, b] of edges) out.get(a)!.push(b);
  const rank = new Map<string, number>();
  const order: string[] = [];
  const mark = new Map<string, "open" | "done">();
  const forward = new Map<string, string[]>(ids.map((id) => [id, []]));
  const visit = (id: string) => {
    mark.set(id, "open");
    for (const to of out.get(id)!) {
      if (mark.get(to) === "open") continue;
      forward.get(id)!.push(to);
      if (!mark.has(to)) visit(to);
    }
    mark.set(id, "done");
    order.unshift(id);
  };
  ids.forEach((id) => mark.has(id) || visit(id));
  for (const id of order) {
    const r = rank.get(id) ?? 0;
    rank.set(id, r);
    for (const to of forward.get(id)!) rank.set(to, Math.max(rank.get(to) ?? 0, r + 1));
  }
  return rank;
}

/** Sources stand right before the first that needs them, not all at the far left. */
function pullRight(ids: string[], edges: [string, string][], rank: Map<string, number>): void {
  const into = new Set(edges.map(([, b]) => b));
  for (const id of ids) {
    if (into.has(id)) continue;
    const next = edges.filter(([a]) => a === id).map(([, b]) => rank.get(b)!);
    if (next.length) rank.set(id, Math.max(0, Math.min(...next) - 1));
  }
}

function mean(list: Cell[], at: (c: Cell) => number): number | undefined {
  return list.length ? list.reduce((s, c) => s + at(c), 0) / list.length : undefined;
}

function sweep(layers: Cell[][]): void {
  const place = new Map<Cell, number>();
  const number = (layer: Cell[]) => layer.forEach((c, i) => place.set(c, i));
  layers.forEach(number);
  for (let round = 0; round < 12; round++) {
    const down = round % 2 === 0;
    for (const layer of down ? layers : [...layers].reverse()) {
      const want = new Map(layer.map((c) => [c, mean(down ? c.before : c.after, (n) => place.get(n)!) ?? place.get(c)!]));
      layer.sort((a, b) => want.get(a)! - want.get(b)!);
      number(layer);
    }
  }
}

/** Each layer's order stays; each cell moves as near to its neighbours' middle as its own neighbours above and below let it. */
function settle(layers: Cell[][], size: Sizes): void {
  const room = (a: Cell, b: Cell) => (a.real && b.real ? size.boxH + size.gapY : (size.boxH + size.gapY) * 0.6);
  for (const layer of layers) layer.forEach((c, i) => { c.y = i === 0 ? 0 : layer[i - 1]!.y + room(layer[i - 1]!, c); });
  for (let round = 0; round < 60; round++) {
    for (const layer of round % 2 === 0 ? layers : [...layers].reverse()) {
      const want = layer.map((c) => mean([...c.before, ...c.after], (n) => n.y) ?? c.y);
      layer.forEach((c, i) => { c.y = i === 0 ? want[0]! : Math.max(want[i]!, layer[i - 1]!.y + room(layer[i - 1]!, c)); });
      const drift = layer.reduce((s, c, i) => s + c.y - want[i]!, 0) / (layer.length || 1);
      layer.forEach((c) => { c.y -= drift; });
    }
  }
}

function curve(points: [number, number][]): string {
  let path = `M${points[0]![0]},${points[0]![1]}`;
  for (let i = 1; i < points.length; i++) {
    const [ax, ay] = points[i - 1]!;
    const [bx, by] = points[i]!;
    const mx = (ax + bx) / 2;
    path += ` C${mx},${ay} ${mx},${by} ${bx},${by}`;
  }
  return path;
}

export function layout(ids: string[], edges: [string, string][], size: Sizes): Drawing {
  const known = new Set(ids);
  const used = edges.filter(([a, b]) => known.has(a) && known.has(b) && a !== b);
  const rank = ranks(ids, used);
  pullRight(ids, used, rank);
  const cells = new Map<string, Cell>();
  const layers: Cell[][] = [];
  const add = (id: string, layer: number, real: boolean): Cell => {
    const c: Cell = { id, layer, real, y: 0, before: [], after: [] };
    (layers[layer] ??= []).push(c);
    return c;
  };
  for (let i = 0; i <= Math.max(0, ...rank.values()); i++) layers[i] ??= [];
  for (const id of ids) cells.set(id, add(id, rank.get(id)!, true));

  const chains = used.map(([from, to]) => {
    const chain = [cells.get(from)!];
    for (let l = rank.get(from)! + 1; l < rank.get(to)!; l++) chain.push(add(`${from}→${to}@${l}`, l, false));
    chain.push(cells.get(to)!);
    for (let i = 1; i < chain.length; i++) {
      chain[i - 1]!.after.push(chain[i]!);
      chain[i]!.before.push(chain[i - 1]!);
    }
    return { from, to, chain };
  });
  sweep(layers);
  settle(layers, size);

  const all = layers.flat();
  const top = all.length ? Math.min(...all.map((c) => c.y)) : 0;
  const x = (c: Cell) => c.layer * (size.boxW + size.gapX);
  const mid = (c: Cell) => c.y - top + size.boxH / 2;
  const curves = chains.map(({ from, to, chain }) => {
    const points: [number, number][] = [];
    chain.forEach((c, i) => {
      if (i > 0) points.push([x(c), mid(c)]);
      if (i < chain.length - 1) points.push([x(c) + size.boxW, mid(c)]);
    });
    const [a, b] = [points[0]!, points[1]!];
    return { from, to, path: curve(points), mid: [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2] as [number, number] };
  });
  return {
    boxes: [...cells.values()].map((c) => ({ id: c.id, x: x(c), y: c.y - top })),
    curves,
    width: layers.length * (size.boxW + size.gapX) - size.gapX,
    height: Math.max(0, ...all.map((c) => c.y - top)) + size.boxH,
  };
}
