// Line charts by uPlot, in the page's own colours, and the small drawings that need no library.
import { useEffect, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import { num } from "./format";

export interface Line {
  label: string;
  points: [number, number | null][];
}

const dark = matchMedia("(prefers-color-scheme: dark)");

function style(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

export function lineColour(i: number): string {
  return `var(--line-${(i % 8) + 1})`;
}

/** All lines over the union of their x values. */
export function align(lines: Line[]): uPlot.AlignedData {
  const xs = [...new Set(lines.flatMap((l) => l.points.map((p) => p[0])))].sort((a, b) => a - b);
  const at = new Map(xs.map((x, i) => [x, i]));
  const ys = lines.map((l) => {
    const y: (number | null | undefined)[] = new Array(xs.length).fill(undefined);
    for (const [x, v] of l.points) y[at.get(x)!] = v;
    return y;
  });
  return [xs, ...ys] as uPlot.AlignedData;
}

function axis(extra: uPlot.Axis): uPlot.Axis {
  const ink = style("--muted");
  const grid = { stroke: style("--grid"), width: 1 };
  return { stroke: ink, grid, ticks: { ...grid, size: 4 }, font: `11px ${style("--mono")}`, gap: 4, ...extra };
}

export function Chart({ lines, height = 200, time = false, unit = "", fromZero = false, label }: {
  lines: Line[];
  height?: number;
  time?: boolean;
  unit?: string;
  fromZero?: boolean;
  label: string;
}) {
  const box = useRef<HTMLDivElement>(null);
  const [theme, themed] = useState(dark.matches);
  const plot = useRef<uPlot | null>(null);
  const shape = lines.map((l) => l.label).join("\n");

  useEffect(() => {
    const changed = () => themed(dark.matches);
    dark.addEventListener("change", changed);
    return () => dark.removeEventListener("change", changed);
  }, []);

  useEffect(() => {
    const el = box.current;
    if (!el) return undefined;
    const value = (v: number | null) => (v == null ? "–" : `${num(v)}${unit && ` ${unit}`}`);
    const many = lines.length > 12;
    plot.current = new uPlot(
      {
        width: el.clientWidth || 400,
        height,
        legend: { show: !many && lines.length > 0, live: true },
        cursor: { points: { size: 6 }, focus: { prox: 24 } },
        focus: { alpha: 0.3 },
        scales: { x: { time }, y: { range: (_u, lo, hi) => range(lo, hi, fromZero) } },
        axes: [axis({ space: 60 }), axis({ size: 58, space: 30, values: (_u, ticks) => ticks.map((t) => num(t)) })],
        series: [
          time ? {} : { label: "step" },
          ...lines.map((l, i) => ({
            label: l.label,
            stroke: style(`--line-${(i % 8) + 1}`),
            width: 1.5,
            dash: i >= 8 ? [7, 4] : undefined,
            spanGaps: true,
            points: { show: l.points.length < 3 },
            value: (_u: uPlot, v: number | null) => value(v),
          })),
        ],
      },
      align(lines),
      el,
    );
    const resized = new ResizeObserver(() => plot.current?.setSize({ width: el.clientWidth, height }));
    resized.observe(el);
    return () => {
      resized.disconnect();
      plot.current?.destroy();
      plot.current = null;
    };
  }, [shape, theme, height, unit, time, fromZero]);

  useEffect(() => {
    plot.current?.setData(align(lines));
  }, [lines]);
  return <div class="chart" ref={box} role="img" aria-label={label} />;
}

function range(lo: number, hi: number, fromZero: boolean): [number, number] {
  if (lo == null || hi == null) return [0, 1];
  if (fromZero) lo = Math.min(lo, 0);
  const pad = (hi - lo || Math.abs(hi) || 1) * 0.06;
  return [fromZero && lo === 0 ? 0 : lo - pad, hi + pad];
}

/** A histogram no larger than a word. */
export function Bars({ values, titles, width = 132, height = 28, tone = "" }: {
  values: number[];
  titles?: string[];
  width?: number;
  height?: number;
  tone?: string;
}) {
  const most = Math.max(...values, 1e-12);
  const w = width / Math.max(values.length, 1);
  return (
    <svg class={`bars ${tone}`} width={width} height={height} viewBox={`0 0 ${width} ${height}`} role="img" aria-label="Distribution">
      {values.map((v, i) => {
        const h = v > 0 ? Math.max(1, (v / most) * (height - 1)) : 0;
        return (
          <rect key={i} x={i * w + 0.5} y={height - h} width={Math.max(w - 1, 1)} height={h}>
            {titles?.[i] && <title>{titles[i]}</title>}
          </rect>
        );
      })}
      <line x1="0" x2={width} y1={height - 0.5} y2={height - 0.5} />
    </svg>
  );
}

/** A share of a whole as a bar, with marks at bounds that matter. */
export function Meter({ value, max, tone, marks = [], label }: { value: number; max: number; tone: string; marks?: number[]; label: string }) {
  const at = (v: number) => Math.min(100, Math.max(0, (v / max) * 100));
  return (
    <svg class={`meter ${tone}`} viewBox="0 0 100 8" preserveAspectRatio="none" role="img" aria-label={label}>
      <rect class="meter-bed" width="100" height="8" />
      <rect class="meter-fill" width={at(value)} height="8" />
      {marks.map((m) => <line key={m} x1={at(m)} x2={at(m)} y1="0" y2="8" />)}
    </svg>
  );
}
