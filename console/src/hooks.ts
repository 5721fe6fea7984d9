// Loading data into components: the last answer is kept per key, so going back shows it at once while it is asked anew.
import { useCallback, useEffect, useRef, useState } from "preact/hooks";

export interface Loaded<T> {
  data: T | undefined;
  error: Error | undefined;
  loading: boolean;
  reload: () => void;
}

const kept = new Map<string, unknown>();

export function forgetAll(): void {
  kept.clear();
}

/** Runs `load` now and, if everyMs is given, again and again while the page is visible. key null: not at all. */
export function useLoad<T>(key: string | null, load: (signal: AbortSignal) => Promise<T>, everyMs = 0): Loaded<T> {
  const [state, set] = useState<{ key: string | null; data?: T; error?: Error; loading: boolean }>({ key: null, loading: key != null });
  const [round, again] = useState(0);
  const fn = useRef(load);
  fn.current = load;

  useEffect(() => {
    if (key == null) return undefined;
    const stop = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const run = async () => {
      if (document.hidden && everyMs > 0) {
        timer = setTimeout(run, everyMs);
        return;
      }
      try {
        const data = await fn.current(stop.signal);
        if (stop.signal.aborted) return;
        kept.set(key, data);
        set({ key, data, loading: false });
      } catch (e) {
        if (stop.signal.aborted) return;
        set({ key, data: kept.get(key) as T | undefined, error: e as Error, loading: false });
      }
      if (everyMs > 0) timer = setTimeout(run, everyMs);
    };
    set({ key, data: kept.get(key) as T | undefined, loading: true });
    void run();
    return () => {
      stop.abort();
      clearTimeout(timer);
    };
  }, [key, everyMs, round]);

  const reload = useCallback(() => again((n) => n + 1), []);
  if (state.key !== key) return { data: key == null ? undefined : (kept.get(key) as T | undefined), error: undefined, loading: key != null, reload };
  return { data: state.data, error: state.error, loading: state.loading, reload };
}

/** Something a button starts: its answer, its error, and whether it is under way. */
export function useAction<A extends unknown[], T>(act: (...args: A) => Promise<T>) {
  const [state, set] = useState<{ data?: T; error?: Error; busy: boolean }>({ busy: false });
  const fn = useRef(act);
  fn.current = act;
  const run = useCallback(async (...args: A): Promise<T | undefined> => {
    set((s) => ({ ...s, error: undefined, busy: true }));
    try {
      const data = await fn.current(...args);
      set({ data, busy: false });
      return data;
    } catch (e) {
      set({ error: e as Error, busy: false });
      return undefined;
    }
  }, []);
  return { ...state, run };
}

export function useTitle(title: string): void {
  useEffect(() => {
    document.title = title ? `${title} · cairn` : "cairn";
  }, [title]);
}
