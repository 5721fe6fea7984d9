// One way to the server: JSON in, JSON out, errors with the server's own words, and word of a missing login.

export class ApiError extends Error {
  constructor(readonly status: number, readonly code: string, message: string, readonly field?: string) {
    super(message);
  }
}

const TOKEN = "cairn.token";
let token = read();
let listener: (needed: boolean) => void = () => {};

function read(): string | null {
  try {
    return sessionStorage.getItem(TOKEN);
  } catch {
    return null;
  }
}

/** A token lives as long as this tab; without one the session cookie speaks for us. */
export function setToken(t: string | null): void {
  token = t;
  try {
    if (t) sessionStorage.setItem(TOKEN, t);
    else sessionStorage.removeItem(TOKEN);
  } catch {
    // Storage is closed to us: the token lives in this variable alone.
  }
}

export function hasToken(): boolean {
  return token != null;
}

export function onLoginNeeded(fn: (needed: boolean) => void): void {
  listener = fn;
}

export interface Ask {
  method?: string;
  query?: Record<string, string | number | boolean | string[] | null | undefined>;
  body?: unknown;
  signal?: AbortSignal;
}

export function url(path: string, query: Ask["query"] = {}): string {
  const search = new URLSearchParams();
  for (const [k, v] of Object.entries(query)) {
    if (Array.isArray(v)) v.forEach((x) => search.append(k, x));
    else if (v != null && v !== "") search.set(k, String(v));
  }
  const tail = search.toString();
  return tail ? `${path}?${tail}` : path;
}

async function fail(r: Response): Promise<never> {
  const text = await r.text();
  let code = String(r.status);
  let message = text || r.statusText || `HTTP ${r.status}`;
  let field: string | undefined;
  try {
    const j = JSON.parse(text) as { error?: { code?: string; message?: string; field?: string } | string; error_code?: string; message?: string };
    if (typeof j.error === "string") message = j.error;
    else if (j.error) ({ code = code, message = message, field } = j.error);
    else if (j.error_code) [code, message] = [j.error_code, j.message ?? message];
  } catch {
    // Not JSON: the text is the message.
  }
  throw new ApiError(r.status, code, message, field);
}

export async function json<T>(path: string, ask: Ask = {}): Promise<T> {
  const headers: Record<string, string> = {};
  if (token) headers["Authorization"] = `Bearer ${token}`;
  if (ask.body !== undefined) headers["Content-Type"] = "application/json";
  let r: Response;
  try {
    r = await fetch(url(path, ask.query), {
      method: ask.method ?? "GET",
      headers,
      body: ask.body === undefined ? undefined : JSON.stringify(ask.body),
      signal: ask.signal,
    });
  } catch (e) {
    if (e instanceof DOMException && e.name === "AbortError") throw e;
    throw new ApiError(0, "unreachable", "cairn does not answer. Is it running? Start it with: cairn up");
  }
  if (r.status === 401) listener(true);
  if (!r.ok) return fail(r);
  const text = await r.text();
  return (text ? JSON.parse(text) : {}) as T;
}
