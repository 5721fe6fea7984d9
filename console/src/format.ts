// Numbers, sizes, times and durations for people. Pure; nothing here touches the page.

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

/** 6433 → "6,433"; 1234567 → "1.23 M". */
export function count(n: number | null | undefined): string {
  if (n == null || !Number.isFinite(n)) return "–";
  if (Math.abs(n) >= 1e9) return `${short(n / 1e9)} G`;
  if (Math.abs(n) >= 1e6) return `${short(n / 1e6)} M`;
  return whole.format(n);
}

function short(x: number): string {
  return x.toFixed(Math.abs(x) >= 100 ? 0 : Math.abs(x) >= 10 ? 1 : 2);
}

/** A measured value with as many digits as help: 0.03172 → "0.0317", 12.3456 → "12.35". */
export function num(x: number | string | null | undefined, digits = 4): string {
  if (x == null || x === "") return "–";
  const v = typeof x === "string" ? Number(x) : x;
  if (Number.isNaN(v)) return typeof x === "string" && x !== "NaN" ? x : "NaN";
  if (!Number.isFinite(v)) return v > 0 ? "∞" : "−∞";
  if (v === 0) return "0";
  const a = Math.abs(v);
  if (a >= 1e6 || a < 1e-4) return v.toExponential(2).replace("e+", "e");
  if (Number.isInteger(v)) return whole.format(v);
  if (a >= 1000) return new Intl.NumberFormat("en", { maximumFractionDigits: 1 }).format(v);
  return String(Number(v.toPrecision(digits)));
}

export function percent(share: number | null | undefined, digits = 1): string {
  if (share == null || !Number.isFinite(share)) return "–";
  return `${Number((share * 100).toFixed(digits))} %`;
}

export function bytes(n: number | null | undefined): string {
  if (n == null || !Number.isFinite(n)) return "–";
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let i = 0;
  while (n >= 1024 && i < units.length - 1) {
    n /= 1024;
    i++;
  }
  return `${i === 0 ? n : short(n)} ${units[i]}`;
}

/** Milliseconds: 0.42 → "0.42 ms", 90500 → "1 m 30 s". */
export function duration(ms: number | null | undefined): string {
  if (ms == null || !Number.isFinite(ms)) return "–";
  if (ms < 0) return `−${duration(-ms)}`;
  if (ms < 1) return ms === 0 ? "0 ms" : `${Math.round(ms * 1000)} µs`;
  if (ms < 1000) return `${ms < 10 ? Number(ms.toFixed(2)) : Math.round(ms)} ms`;
  const s = ms / 1000;
  if (s < 60) return `${Number(s.toFixed(1))} s`;
  const parts: [number, string][] = [[Math.floor(s / 86400), "d"], [Math.floor(s / 3600) % 24, "h"], [Math.floor(s / 60) % 60, "m"], [Math.floor(s) % 60, "s"]];
  return parts.filter(([n]) => n > 0).slice(0, 2).map(([n, u]) => `${n} ${u}`).join(" ");
}

const unitMs: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };

/** cairn writes durations as "90s", "15m" or "1h30m"; null when it is none. */
export function parseDuration(text: string | number | null | undefined): number | null {
  if (typeof text === "number") return text;
  if (!text) return null;
  let sum = 0;
  let rest = text;
  while (rest) {
    const m = /^(\d+(?:\.\d+)?)(ms|s|m|h|d|w)/.exec(rest);
    if (!m) return null;
    sum += Number(m[1]) * unitMs[m[2]!]!;
    rest = rest.slice(m[0].length);
  }
  return sum;
}

export type When = string | number | null | undefined;

export function toMs(t: When): number | null {
  if (t == null || t === "" || t === 0) return null;
  const ms = typeof t === "number" ? t : /^\d+$/.test(t) ? Number(t) : Date.parse(t);
  return Number.isFinite(ms) ? ms : null;
}

/** "3 min ago", "in 2 h"; what is months away is a date. */
export function relative(t: When, now = Date.now()): string {
  const ms = toMs(t);
  if (ms == null) return "–";
  const d = now - ms;
  if (Math.abs(d) < 5000) return "just now";
  const a = Math.abs(d);
  if (a > 60 * 86_400_000) return new Date(ms).toISOString().slice(0, 10);
  const text =
    a < 60_000 ? `${Math.round(a / 1000)} s`
    : a < 3_600_000 ? `${Math.round(a / 60_000)} min`
    : a < 86_400_000 ? `${Math.round(a / 3_600_000)} h`
    : `${Math.round(a / 86_400_000)} d`;
  return d >= 0 ? `${text} ago` : `in ${text}`;
}

/** "2026-01-02 03:04:05 UTC" */
export function absolute(t: When): string {
  const ms = toMs(t);
  return ms == null ? "" : `${new Date(ms).toISOString().replace("T", " ").slice(0, 19)} UTC`;
}

export function between(from: When, to: When): string {
  const a = toMs(from);
  const b = toMs(to) ?? Date.now();
  return a == null ? "–" : duration(Math.max(0, b - a));
}

/** Long ids keep their ends: "pr_01ab…9f3c". */
export function shortId(id: string, keep = 14): string {
  return id.length <= keep + 1 ? id : `${id.slice(0, keep - 4)}…${id.slice(-4)}`;
}

export function plural(n: number, one: string, many = `${one}s`): string {
  return `${count(n)} ${n === 1 ? one : many}`;
}
