// The frame: the way around on the left, the page on the right, the login in front when the server asks for one.
import type { ComponentChildren } from "preact";
import { useEffect, useErrorBoundary, useState } from "preact/hooks";
import { api } from "./api";
import { duration, parseDuration } from "./format";
import { useLoad } from "./hooks";
import { hasToken, onLoginNeeded, setToken } from "./http";
import { Icon, Logo } from "./icons";
import { Jump } from "./jump";
import { Login } from "./login";
import { Alerts } from "./pages/alerts";
import { Audit } from "./pages/audit";
import { Compare } from "./pages/compare";
import { Data } from "./pages/data";
import { Dataset } from "./pages/dataset";
import { EndpointPage } from "./pages/endpoint";
import { Endpoints } from "./pages/endpoints";
import { Experiments } from "./pages/experiments";
import { Features } from "./pages/features";
import { Lineage } from "./pages/lineage";
import { Model, Models } from "./pages/models";
import { Overview } from "./pages/overview";
import { Pipeline, Pipelines } from "./pages/pipelines";
import { PipelineRunPage } from "./pages/pipeline_run";
import { Roadmap } from "./pages/roadmap";
import { RunPage } from "./pages/run";
import { Sql } from "./pages/sql";
import { Tasks } from "./pages/tasks";
import { TrainingSet } from "./pages/training_set";
import { View } from "./pages/view";
import { link, type Place, usePlace } from "./route";
import { Empty, Failed, Page } from "./ui";

const groups: [string, [string, string][]][] = [
  ["", [["overview", "Overview"]]],
  ["Build", [["data", "Data"], ["sql", "SQL"], ["pipelines", "Pipelines"], ["features", "Features"], ["experiments", "Experiments"], ["models", "Models"]]],
  ["Run", [["endpoints", "Endpoints"], ["alerts", "Alerts"], ["tasks", "Tasks"]]],
  ["Trust", [["lineage", "Lineage"], ["roadmap", "Roadmap"], ["audit", "Audit"]]],
];

function page({ path: [area = "overview", name, part], query }: Place): ComponentChildren {
  switch (area) {
    case "overview": return <Overview />;
    case "data": return name ? <Dataset key={name} name={name} query={query} /> : <Data />;
    case "sql": return <Sql />;
    case "pipelines": return name ? part ? <PipelineRunPage key={part} id={part} /> : <Pipeline key={name} name={name} /> : <Pipelines />;
    case "pipeline-runs": return <PipelineRunPage key={name} id={name ?? ""} />;
    case "features": return name ? <View key={name} name={name} /> : <Features />;
    case "training-sets": return name ? <TrainingSet key={name} id={name} /> : <Features />;
    case "experiments": return <Experiments query={query} />;
    case "runs": return name ? <RunPage key={name} id={name} query={query} /> : <Experiments query={query} />;
    case "compare": return <Compare query={query} />;
    case "models": return name ? <Model key={name} name={name} /> : <Models />;
    case "endpoints": return name ? <EndpointPage key={name} name={name} /> : <Endpoints />;
    case "alerts": return <Alerts />;
    case "tasks": return <Tasks id={name} />;
    case "lineage": return <Lineage query={query} />;
    case "roadmap": return <Roadmap query={query} />;
    case "audit": return <Audit query={query} />;
    default: return <Page title="No such page"><Empty what={`There is no page “${area}”.`}><p><a href="#/">To the overview</a></p></Empty></Page>;
  }
}

const areaOf: Record<string, string> = { runs: "experiments", compare: "experiments", "pipeline-runs": "pipelines", "training-sets": "features" };

function Nav({ at }: { at: string }) {
  return (
    <nav class="nav" aria-label="Main">
      {groups.map(([title, items]) => (
        <div class="nav-group" key={title}>
          {title && <div class="nav-title">{title}</div>}
          {items.map(([id, text]) => (
            <a key={id} href={link([id])} aria-current={id === at ? "page" : undefined}>
              <Icon name={id} />
              <span>{text}</span>
            </a>
          ))}
        </div>
      ))}
    </nav>
  );
}

/** A page that fails says so and leaves the way around in place. */
function Guard({ children }: { children: ComponentChildren }) {
  const [error, again] = useErrorBoundary();
  return error ? <Failed error={new Error(`This page failed: ${(error as Error).message}`)} retry={again} /> : <>{children}</>;
}

function Foot() {
  const status = useLoad("status", api.status, 10_000);
  const who = useLoad("whoami", api.whoami);
  const leave = () => {
    setToken(null);
    location.reload();
  };
  return (
    <footer class="side-foot">
      <div class={`pulse ${status.error ? "bad" : "ok"}`}>
        <i aria-hidden="true" />
        {status.error ? "not reachable" : status.data ? `up ${duration(parseDuration(status.data.uptime))}` : "…"}
      </div>
      {status.data && <div title={status.data.data_dir}>cairn {status.data.version} · {status.data.database}</div>}
      {who.data && <div title={who.data.id}>{who.data.name} · {who.data.role}</div>}
      {hasToken() && <button class="quiet small" onClick={leave}>Forget token</button>}
    </footer>
  );
}

/** "/" goes to the page's search field, as it does in many places. */
function useSlash(): void {
  useEffect(() => {
    const key = (e: KeyboardEvent) => {
      const at = document.activeElement;
      if (e.key !== "/" || e.ctrlKey || e.metaKey || at instanceof HTMLInputElement || at instanceof HTMLTextAreaElement) return;
      const field = document.querySelector<HTMLInputElement>("[data-focus='/']");
      if (field) {
        e.preventDefault();
        field.focus();
        field.select();
      }
    };
    addEventListener("keydown", key);
    return () => removeEventListener("keydown", key);
  }, []);
}

export function App() {
  const place = usePlace();
  const [login, ask] = useState(false);
  const area = place.path[0] ?? "overview";
  const where = place.path.join("/");

  useEffect(() => onLoginNeeded(ask), []);
  useSlash();
  useEffect(() => document.getElementById("page")?.scrollTo(0, 0), [where]);
  if (login) return <Login onDone={() => ask(false)} />;
  return (
    <div class="shell">
      <a class="skip" href="#page" onClick={(e) => { e.preventDefault(); document.getElementById("page")?.focus(); }}>Skip to content</a>
      <aside class="side">
        <a class="brand" href="#/" aria-label="cairn, overview"><Logo />cairn</a>
        <Jump />
        <Nav at={areaOf[area] ?? area} />
        <Foot />
      </aside>
      <main id="page" tabIndex={-1}>
        <div class="page"><Guard key={where}>{page(place)}</Guard></div>
      </main>
    </div>
  );
}
