// The small parts that every page is made of.
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { absolute, relative, type When } from "./format";
import { useTitle, type Loaded } from "./hooks";

/** Where there is nothing to say. */
export const none = <span class="dim">–</span>;

export type Tone = "ok" | "warn" | "bad" | "info" | "dim";
type Kids = { children?: ComponentChildren };

export function Page({ title, crumbs = [], actions, lead, children }: Kids & {
  title: string;
  crumbs?: [string, string][];
  actions?: ComponentChildren;
  lead?: ComponentChildren;
}) {
  useTitle(title);
  return (
    <>
      <header class="page-head">
        <div>
          {crumbs.length > 0 && (
            <nav class="crumbs" aria-label="Where this page is">
              {crumbs.map(([text, href]) => <a href={href} key={href}>{text}</a>)}
            </nav>
          )}
          <h1>{title}</h1>
          {lead && <p class="lead">{lead}</p>}
        </div>
        {actions && <div class="actions">{actions}</div>}
      </header>
      {children}
    </>
  );
}

export function Card({ title, aside, children, flush, className = "" }: Kids & {
  title?: ComponentChildren;
  aside?: ComponentChildren;
  flush?: boolean;
  className?: string;
}) {
  return (
    <section class={`card ${flush ? "flush" : ""} ${className}`}>
      {(title || aside) && (
        <div class="card-head">
          <h2>{title}</h2>
          {aside && <div class="card-aside">{aside}</div>}
        </div>
      )}
      <div class="card-body">{children}</div>
    </section>
  );
}

export function Chip({ tone = "dim", children, title }: Kids & { tone?: Tone; title?: string }) {
  return <span class={`chip ${tone}`} title={title}>{children}</span>;
}

const tones: Record<string, Tone> = {
  ok: "ok", succeeded: "ok", passed: "ok", proven: "ok", finished: "ok", ready: "ok", published: "ok", active: "ok", loaded: "ok", stable: "ok", live: "ok", present: "ok", resolved: "ok",
  running: "info", queued: "info", attested: "info", begun: "info", scheduled: "info", pending_registration: "info", small: "ok", none: "ok",
  skipped: "warn", null_value: "warn", not_found: "warn", outside_max_age: "warn", warning: "warn", interrupted: "warn", cancelled: "warn", moderate: "warn", watch: "warn", killed: "warn", pending: "warn", shifting: "warn", some: "warn",
  failed: "bad", failing: "bad", firing: "bad", gate_failed: "bad", critical: "bad", drift: "bad", drifted: "bad", large: "bad", error: "bad", blocked: "bad", major: "bad",
};

/** A state by its name; not_built reads "not built". */
export function State({ of }: { of: string | null | undefined }) {
  const name = (of ?? "").toLowerCase();
  return name ? <Chip tone={tones[name] ?? "dim"}>{name.replaceAll("_", " ")}</Chip> : none;
}

export function Time({ at, none = "–" }: { at: When; none?: string }) {
  const title = absolute(at);
  return title ? <time title={title} dateTime={title.replace(" UTC", "Z").replace(" ", "T")}>{relative(at)}</time> : <span class="dim">{none}</span>;
}

export function Copy({ text, label = "Copy" }: { text: string; label?: string }) {
  const [done, set] = useState(false);
  const copy = async () => {
    await navigator.clipboard.writeText(text);
    set(true);
    setTimeout(() => set(false), 1500);
  };
  return <button class="quiet small" onClick={copy}>{done ? "Copied" : label}</button>;
}

export function Command({ text }: { text: string }) {
  return (
    <div class="command">
      <code>{text}</code>
      <Copy text={text} />
    </div>
  );
}

export function Empty({ what, command, children }: Kids & { what: string; command?: string }) {
  return (
    <div class="empty">
      <p>{what}</p>
      {children}
      {command && <Command text={command} />}
    </div>
  );
}

export function Failed({ error, retry }: { error: Error; retry?: () => void }) {
  return (
    <div class="failed" role="alert">
      <span>{error.message}</span>
      {retry && <button class="small" onClick={retry}>Try again</button>}
    </div>
  );
}

export function Loading() {
  return <div class="loading" role="status" aria-label="Loading"><i /><i /><i /></div>;
}

/** What was loaded, or why there is nothing to show. Stale data stays on the page under its error. */
export function Show<T>({ of, empty, children }: {
  of: Loaded<T>;
  empty?: ComponentChildren;
  children: (data: T) => ComponentChildren;
}) {
  const { data, error, reload } = of;
  if (data === undefined) return error ? <Failed error={error} retry={reload} /> : <Loading />;
  const nothing = empty && (data == null || (Array.isArray(data) && data.length === 0));
  return (
    <>
      {error && <Failed error={error} retry={reload} />}
      {nothing ? empty : children(data)}
    </>
  );
}

export function Progress({ at, label }: { at: number; label?: string }) {
  const share = Math.max(0, Math.min(1, at));
  return <progress max={1} value={share} aria-label={label ?? "Progress"} />;
}

export function Facts({ of }: { of: [string, ComponentChildren][] }) {
  return (
    <dl class="facts">
      {of.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value == null || value === "" ? none : value}</dd>
        </div>
      ))}
    </dl>
  );
}

export function Stat({ name, value, note, tone }: { name: string; value: ComponentChildren; note?: ComponentChildren; tone?: Tone }) {
  return (
    <div class={`stat ${tone ?? ""}`}>
      <div class="stat-name">{name}</div>
      <div class="stat-value">{value}</div>
      {note && <div class="stat-note">{note}</div>}
    </div>
  );
}

export function Tabs({ of, at, to }: { of: [string, string, ComponentChildren?][]; at: string; to: (id: string) => string }) {
  return (
    <nav class="tabs" aria-label="Parts of this page">
      {of.map(([id, text, badge]) => (
        <a key={id} href={to(id)} aria-current={id === at ? "page" : undefined}>
          {text}
          {badge != null && <span class="badge">{badge}</span>}
        </a>
      ))}
    </nav>
  );
}

export function Json({ of }: { of: unknown }) {
  const text = typeof of === "string" ? of : JSON.stringify(of, null, 2);
  return <pre class="code">{text}</pre>;
}

export function Search({ value, onInput, placeholder }: { value: string; onInput: (text: string) => void; placeholder: string }) {
  return (
    <input
      type="search"
      class="search"
      value={value}
      placeholder={placeholder}
      aria-label={placeholder}
      data-focus="/"
      onInput={(e) => onInput(e.currentTarget.value)}
    />
  );
}
