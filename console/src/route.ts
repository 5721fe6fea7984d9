// Where we are: "#/data/trips?version=3" is { path: ["data", "trips"], query: {version: "3"} }.
import { useEffect, useState } from "preact/hooks";

export interface Place {
  path: string[];
  query: Record<string, string>;
}

export function parsePlace(hash: string): Place {
  const [path = "", search = ""] = hash.replace(/^#\/?/, "").split("?", 2);
  return { path: path.split("/").filter(Boolean).map(safeDecode), query: Object.fromEntries(new URLSearchParams(search)) };
}

function safeDecode(s: string): string {
  try {
    return decodeURIComponent(s);
  } catch {
    return s;
  }
}

type Query = Record<string, string | number | null | undefined>;

export function link(path: (string | number)[], query: Query = {}): string {
  const search = new URLSearchParams();
  for (const [k, v] of Object.entries(query)) if (v != null && v !== "") search.set(k, String(v));
  const tail = search.toString();
  return `#/${path.map((p) => encodeURIComponent(p)).join("/")}${tail ? `?${tail}` : ""}`;
}

/** Changes the query of the page we are on without a new history entry. */
export function setQuery(change: Query): void {
  const here = parsePlace(location.hash);
  history.replaceState(null, "", link(here.path, { ...here.query, ...change }));
  dispatchEvent(new HashChangeEvent("hashchange"));
}

export function usePlace(): Place {
  const [place, set] = useState(() => parsePlace(location.hash));
  useEffect(() => {
    const moved = () => set(parsePlace(location.hash));
    addEventListener("hashchange", moved);
    return () => removeEventListener("hashchange", moved);
  }, []);
  return place;
}
