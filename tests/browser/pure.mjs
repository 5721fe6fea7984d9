// Tests of what needs no page: formats, places, the layout of graphs.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const { buildSync } = createRequire(join(root, "deps", "npm", "package.json"))("esbuild");

async function load(file) {
  const { outputFiles } = buildSync({ entryPoints: [join(root, "console", "src", file)], bundle: true, write: false, format: "esm", external: ["preact", "preact/hooks"], tsconfigRaw: "{}" });
  const text = outputFiles[0].text.replaceAll(/import \{[^}]*\} from "preact\/hooks";/g, "");
  return import(`data:text/javascript;base64,${Buffer.from(text).toString("base64")}`);
}

const f = await load("format.ts");
const equals = (of, rows) => rows.forEach(([args, want]) => assert.equal(of(...[args].flat()), want, `${of.name}(${args})`));
equals(f.count, [[6433, "6,433"], [1234567, "1.23 M"], [2.5e9, "2.50 G"], [null, "–"], [NaN, "–"], [0, "0"]]);
equals(f.num, [[12.3456789, "12.35"], [0.00001234, "1.23e-5"], [0, "0"], ["NaN", "NaN"], [Infinity, "∞"], ["", "–"], [1234.56, "1,234.6"], [-0.5, "-0.5"], [42, "42"]]);
equals(f.bytes, [[0, "0 B"], [1024, "1.00 KiB"], [869349, "849 KiB"], [undefined, "–"]]);
equals(f.percent, [[0.0021, "0.2 %"], [1, "100 %"], [null, "–"]]);
equals(f.duration, [[0.42, "420 µs"], [1, "1 ms"], [0, "0 ms"], [1500, "1.5 s"], [90_500, "1 m 30 s"], [86_400_000, "1 d"], [-2000, "−2 s"], [null, "–"]]);
equals(f.parseDuration, [["90s", 90_000], ["1h30m", 5_400_000], ["250ms", 250], [7, 7], ["soon", null], ["", null]]);
const now = Date.parse("2026-01-02T00:00:00Z");
equals((t) => f.relative(t, now), [["2026-01-01T23:57:00Z", "3 min ago"], ["2026-01-02T02:00:00Z", "in 2 h"], [now, "just now"], [null, "–"], ["2019-03-25T00:00:00Z", "2019-03-25"], [String(now - 86_400_000), "1 d ago"]]);
equals(f.absolute, [["2026-01-02T03:04:05.678Z", "2026-01-02 03:04:05 UTC"], [null, ""], ["nonsense", ""]]);
equals(f.shortId, [["abc", "abc"], ["0123456789abcdefghij", "0123456789…ghij"]]);

const r = await load("route.ts");
assert.deepEqual(r.parsePlace("#/data/a%2Fb%20c?version=3&tab=rows"), { path: ["data", "a/b c"], query: { version: "3", tab: "rows" } });
assert.deepEqual(r.parsePlace(r.link(["runs", "x y/z"], { q: "a&b=c", none: null })), { path: ["runs", "x y/z"], query: { q: "a&b=c" } });
assert.deepEqual(r.parsePlace("#/%E0%A4%A"), { path: ["%E0%A4%A"], query: {} });

const { alike, layout } = await load("layout.ts");
const size = { boxW: 100, boxH: 40, gapX: 50, gapY: 10 };
const at = (d, id) => d.boxes.find((b) => b.id === id);

// Every edge of a graph without circles goes right, and no two boxes overlap.
const ids = ["file", "trips", "clean", "zones", "run0", "view", "set", "run", "model", "endpoint", "p"];
const edges = [["file", "trips"], ["trips", "run0"], ["run0", "clean"], ["run0", "zones"], ["zones", "view"], ["view", "set"], ["clean", "set"], ["set", "run"], ["run", "model"], ["model", "endpoint"], ["endpoint", "p"], ["view", "p"]];
const d = layout(ids, edges, size);
for (const [a, b] of edges) assert.ok(at(d, a).x + size.boxW < at(d, b).x, `${a} → ${b}`);
for (const a of d.boxes) for (const b of d.boxes) assert.ok(a === b || Math.abs(a.x - b.x) >= size.boxW || Math.abs(a.y - b.y) >= size.boxH, `${a.id} over ${b.id}`);
for (const b of d.boxes) assert.ok(b.x >= 0 && b.y >= -1e-9 && b.x + size.boxW <= d.width && b.y + size.boxH <= d.height + 1e-9);
assert.equal(d.curves.length, edges.length);
assert.equal(Math.min(...d.boxes.map((b) => b.y)), 0);
// An edge over many layers keeps clear of the boxes between its ends: it bends in each layer.
assert.ok(d.curves.find((c) => c.from === "view" && c.to === "p").path.split("C").length > 3);

// Circles, edges to nowhere and to itself, and nothing at all are drawn without a fall.
assert.equal(layout(["a", "b"], [["a", "b"], ["b", "a"], ["a", "a"], ["a", "gone"]], size).boxes.length, 2);
assert.deepEqual(layout([], [], size).boxes, []);
assert.equal(layout(["a"], [], size).width, size.boxW);

// Two parents that cross would be swapped.
const x = layout(["a", "b", "c", "e"], [["a", "e"], ["b", "c"]], size);
assert.equal(Math.sign(at(x, "a").y - at(x, "b").y), Math.sign(at(x, "e").y - at(x, "c").y));

// A crowd between the same neighbours is one; who has a neighbour of its own is not in it.
const trials = ["t1", "t2", "t3", "best"];
assert.deepEqual(alike(["set", ...trials, "model"], (id) => id[0], [...trials.map((t) => ["set", t]), ["best", "model"]], 2), [["t1", "t2", "t3"]]);
assert.deepEqual(alike(trials, () => "run", [], 4), []);
console.log("ok");
