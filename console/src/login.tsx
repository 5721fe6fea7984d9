// What is shown when the server wants to know who we are.
import { useState } from "preact/hooks";
import { api } from "./api";
import { forgetAll, useTitle } from "./hooks";
import { ApiError, setToken } from "./http";
import { Logo } from "./icons";
import { Command, Failed } from "./ui";

export function Login({ onDone }: { onDone: () => void }) {
  const [token, type] = useState("");
  const [error, fail] = useState<Error>();
  const [busy, work] = useState(false);
  useTitle("Sign in");

  const submit = async (e: Event) => {
    e.preventDefault();
    work(true);
    setToken(token.trim());
    try {
      await api.status();
      forgetAll();
      onDone();
    } catch (err) {
      if (err instanceof ApiError && err.status === 401) setToken(null);
      fail(err instanceof ApiError && err.status === 401 ? new Error("cairn does not know this token.") : (err as Error));
      work(false);
    }
  };
  return (
    <main class="login">
      <div class="login-box">
        <h1><Logo />cairn</h1>
        <p>Run this where cairn runs. It prints a link that signs this browser in once.</p>
        <Command text="cairn console" />
        <form onSubmit={submit}>
          <label for="token">Or paste a token</label>
          <div class="row">
            <input id="token" type="password" autocomplete="off" value={token} onInput={(e) => type(e.currentTarget.value)} required />
            <button class="primary" disabled={busy || !token.trim()}>Sign in</button>
          </div>
          <p class="dim">The first administrator’s is in <code>DATA/admin.token</code>. It is kept for this tab only.</p>
        </form>
        {error && <Failed error={error} />}
      </div>
    </main>
  );
}
