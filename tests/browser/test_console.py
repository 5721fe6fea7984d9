"""Every page of the console against a running cairn that holds the taxi example: what it says is what cairn holds.

Each test leaves a picture of its page in build/screenshots.
"""

import json
import os
import re
import subprocess

import pytest

pytestmark = pytest.mark.timeout(240)


def number(text):
    return float(re.search(r"-?[0-9.]+(e-?[0-9]+)?", text.replace(",", ""))[0])


# --- signing in ----------------------------------------------------------------------------------------------------

def test_without_a_login_it_tells_how_to_get_one(chromium, road):
    chromium.url = road.url
    chromium.fresh()
    chromium.open()
    assert "cairn console" in chromium.text(at=".login-box")
    chromium.shot("login")

    chromium.fill(at="#token", text="not a token")
    chromium.click(at=".login-box form button.primary")
    chromium.wait(at=".failed")
    assert "does not know this token" in chromium.text(at=".failed")

    chromium.fill(at="#token", text=road.token)
    chromium.click(at=".login-box form button.primary")
    chromium.wait(at=".road")
    assert "admin" in chromium.text(at=".side-foot")
    # The token stays in this tab: not in a cookie, not in storage that outlives it.
    assert chromium.evaluate(code="document.cookie + JSON.stringify(localStorage)") == "{}"
    chromium.expect_errors(401)


def test_a_login_link_signs_in_once(chromium, road):
    path = road.ok("POST", "/login-links", json={})["path"]
    chromium.url = road.url
    chromium.fresh()
    chromium.go(url=road.url + path)
    chromium.wait(at=".road")
    assert "admin" in chromium.text(at=".side-foot")
    # With the cookie a write works too, as the page comes from where it goes to.
    chromium.open("sql")
    chromium.fill(at="textarea", text="SELECT 41 + 1 AS answer")
    chromium.click(at="form button.primary")
    chromium.wait(at="table")
    assert chromium.table(caption="Answer") == [{"answer": "42"}]
    assert chromium.errors() == []
    assert road.api("GET", "!" + path, token="").status_code == 401


# --- data ----------------------------------------------------------------------------------------------------------

def test_datasets(browser, road):
    rows = {r["Dataset"]: r for r in browser.open("data").table(caption="Datasets")}
    assert rows["trips"]["Rows"] == "6,433" and rows["trips"]["Quarantined"] == "0"
    assert rows["messy"]["Quarantined"] == "2"
    held = {d["name"]: d for d in road.ok("GET", "/datasets")["datasets"]}
    assert set(rows) == set(held)
    assert number(rows["trips_clean"]["Rows"]) == held["trips_clean"]["n_rows"]
    browser.shot("data")


def test_a_dataset_shows_what_is_in_each_column(browser, road):
    browser.open("data", "trips")
    assert browser.facts()["Rows"] == "6,433"
    columns = {r["Column"].split("\n")[0]: r for r in browser.table(caption="Columns of the version")}
    profile = {c["name"]: c for c in road.ok("GET", "/datasets/trips/versions/1")["profile"]["columns"]}
    assert list(columns) == list(profile)
    assert number(columns["fare"]["Mean"]) == pytest.approx(profile["fare"]["mean"], rel=1e-3)
    assert number(columns["fare"]["Max"]) == float(profile["fare"]["max"])
    assert number(columns["payment"]["Nulls"]) == pytest.approx(100 * profile["payment"]["nulls"] / 6433, abs=0.05)
    bars = browser.count(at="svg.bars >> nth=0 >> rect")
    assert bars == len(profile["pickup"]["histogram"])
    assert "yellow" in columns["color"]["Distribution"]
    browser.shot("dataset")


def test_rows_quarantine_and_versions_of_a_dataset(browser):
    rows = browser.open("data", "trips", tab="rows").table(caption="First rows of trips")
    assert len(rows) == 100
    assert rows[0]["pickup"] == "2019-03-23 20:21:09" and rows[0]["fare"] == "7"
    browser.shot("rows")
    bad = browser.open("data", "messy", tab="quarantine").table(caption="Quarantined rows")
    assert [(r["line"], r["column_name"], r["reason"]) for r in bad] == [("3", "x", "not a DOUBLE"), ("5", "when", "not a TIMESTAMP")]
    browser.shot("quarantine")
    versions = browser.open("data", "trips", tab="versions").table(caption="Versions")
    assert versions[0]["Version"] == "1" and "taxis.csv" in versions[0]["Where from"]


def test_sql_answers_and_its_errors(browser, road):
    browser.open("sql")
    browser.fill(at="textarea", text="SELECT color, count(*) AS n FROM trips GROUP BY 1 ORDER BY 2 DESC")
    browser.press(keys="Control+Enter")
    browser.wait(at="table")
    assert browser.table(caption="Answer") == [{"color": "yellow", "n": "5451"}, {"color": "green", "n": "982"}]
    browser.shot("sql")
    browser.fill(at="textarea", text="SELECT colour FROM trips")
    browser.press(keys="Control+Enter")
    browser.wait(at=".failed")
    assert "colour" in browser.text(at=".failed")
    browser.expect_errors(400)
    # The question is in the address: it can be sent to somebody.
    browser.open("sql", q="SELECT max(fare) AS top FROM trips")
    assert browser.table(caption="Answer") == [{"top": "150"}]


# --- pipelines -----------------------------------------------------------------------------------------------------

def test_pipelines_and_their_definitions(browser):
    rows = {r["Pipeline"]: r for r in browser.open("pipelines").table(caption="Pipelines")}
    assert rows["trips_clean"]["Last run"] == "succeeded" and rows["strict"]["Last run"] == "gate failed"
    browser.shot("pipelines")
    browser.open("pipelines", "trips_clean")
    assert [r["State"] for r in browser.table(caption="Runs")] == ["succeeded"]
    text = browser.page()
    assert "row count · ≥ 1,000" not in text     # inside a step that is closed
    browser.click(at="details.step summary")
    assert "row count · ≥ 1,000" in browser.page() and "FROM trips" in browser.page()
    browser.shot("pipeline")


def test_a_run_shows_steps_and_gates(browser, road):
    run = road.ok("GET", "/pipelines/trips_clean/runs")["runs"][0]
    full = road.ok("GET", f"/pipeline-runs/{run['id']}")
    browser.open("pipelines", "trips_clean", run["id"])
    steps = browser.texts(at=".steps li")
    assert len(steps) == len(full["steps"]) and steps[0].startswith("plausible")
    gates = browser.table(caption="Gates")
    assert len(gates) == len(full["gates"]) and {g["#0"] for g in gates} == {"passed"}
    assert next(g for g in gates if g["Gate"] == "row count")["Measured"] == "6,361 rows"
    browser.shot("pipeline_run")


def test_a_failed_gate_comes_first(browser, road):
    run = road.ok("GET", "/pipelines/strict/runs")["runs"][0]
    browser.open("pipelines", "strict", run["id"])
    told = browser.text(at=".refused")
    assert "range of fare" in told and "Nothing was published" in told and "6 rows do not pass" in told
    assert browser.table(caption="Gates")[0]["#0"] == "failed"
    browser.shot("gate_failed")


def test_a_pipeline_is_run_from_its_page(browser, road):
    before = len(road.ok("GET", "/pipelines/strict/runs")["runs"])
    browser.open("pipelines", "strict")
    browser.click(at=".task-button button")
    browser.wait(at=".task-watch .chip.bad")
    assert "gate range of fare failed" in browser.text(at=".task-watch")
    assert len(road.ok("GET", "/pipelines/strict/runs")["runs"]) == before + 1
    browser.wait(at="table tbody tr:nth-child(2)")


# --- experiments ---------------------------------------------------------------------------------------------------

def test_runs_are_listed_sorted_and_filtered(browser, road):
    browser.open("experiments")
    browser.select(at="select", value=road.experiment)
    browser.settled()
    rows = browser.table(caption="Runs")
    assert len(rows) == len(road.runs)
    browser.click(at="th button:has-text('rmse')")
    values = [number(r["rmse"]) for r in browser.table(caption="Runs")]
    assert values == sorted(values, reverse=True)
    browser.shot("experiments")
    browser.fill(at="form input[type=search]", text="params.max_depth = '6'")
    browser.press(keys="Enter")
    browser.settled()
    assert [r["max_depth"] for r in browser.table(caption="Runs")] == ["6"]
    browser.fill(at="form input[type=search]", text="metrics.rmse <")
    browser.press(keys="Enter")
    browser.wait(at=".failed")
    browser.expect_errors(400)


def test_chosen_runs_are_compared(browser, road):
    browser.open("experiments", experiment=road.experiment)
    for i in (1, 2):
        browser.click(at=f"tbody tr:nth-child({i}) input[type=checkbox]")
    browser.click(at="a.button:has-text('Compare')")
    browser.wait(at=".chart canvas")
    browser.settled()
    assert "Compare 2 runs" in browser.text(at="h1")
    legend = browser.text(at=".u-legend")
    assert sum(name in legend for name in road.runs) == 2
    assert "max_depth" in browser.text(at="table.side-by-side")
    browser.shot("compare")


def test_a_run_shows_its_curves_params_and_files(browser, road):
    name, run = next(iter(road.runs.items()))
    browser.open("runs", run)
    assert browser.text(at="h1") == name and browser.facts()["State"] == "finished"
    browser.wait(at=".chart canvas")
    last = {r["Metric"]: r for r in browser.table(caption="Metrics")}
    assert last["rmse"]["Step"] == "39"
    browser.shot("run")
    assert {r["Name"]: r["Value"] for r in browser.open("runs", run, tab="params").table(caption="Params")}["max_depth"] == "3"
    browser.open("runs", run, tab="artifacts")
    assert "notes.txt" in browser.page() and "21 B" in browser.page()


# --- features and models -------------------------------------------------------------------------------------------

def test_features_and_training_sets(browser, road):
    views = browser.open("features").table(caption="Feature views")
    held = road.ok("GET", "/feature-views/zone_stats")
    assert [(v["View"], v["Dataset"], v["Keys online"]) for v in views] == [("zone_stats", "zone_stats", f"{held['n_keys']:,}")]
    sets = browser.table(caption="Training sets")
    made = road.training_set
    assert [(s["Training set"], s["Rows"], s["Train / validate"]) for s in sets] == [
        ("taxi_fare", f"{made['n_rows']:,}", f"{made['n_train']:,} / {made['n_valid']:,}")]
    browser.shot("features")
    browser.click(at="a:has-text('taxi_fare')")
    browser.settled()
    inputs = {r["Input"]: r["Comes from"] for r in browser.table(caption="Inputs")}
    assert inputs["distance"] == "the request" and inputs["fare_avg_7d"] == "zone_stats"
    rows = browser.table(caption="Rows of the training set")
    assert len(rows) == 100 and list(rows[0])[0] == "fare"
    browser.shot("training_set")


def test_features_are_read_online(browser, road):
    asked = {"features": ["zone_stats:trips_7d", "zone_stats:fare_avg_7d"], "keys": [{"pickup_zone": "Midtown Center"}]}
    held = road.ok("POST", "/features/online", json=asked)["rows"][0]
    trips, fare = held["values"]
    browser.open("features", "zone_stats")
    browser.fill(at=".form input", text="Midtown Center")
    browser.click(at=".form button")
    browser.wait(at="table:has(caption:text('Features of the key'))")
    found = {r["Feature"].split(":")[-1]: r for r in browser.table(caption="Features of the key")}
    assert number(found["trips_7d"]["Value"]) == trips
    assert number(found["fare_avg_7d"]["Value"]) == pytest.approx(fare, rel=1e-4)
    assert found["trips_7d"]["#2"] == held["statuses"][0].lower().replace("_", " ")
    browser.shot("feature_view")
    browser.fill(at=".form input", text="Atlantis")
    browser.click(at=".form button")
    browser.wait(at=".chip:text('not found')")


def test_models_lead_to_their_runs(browser, road):
    rows = browser.open("models").table(caption="Registered models")
    assert {r["Model"]: r["Aliases"] for r in rows}["taxi-fare"] == "champion → 1"
    browser.shot("models")
    browser.open("models", "taxi-fare")
    version = browser.table(caption="Versions")[0]
    assert (version["Version"], version["Aliases"], version["State"]) == ("1", "champion", "ready")
    browser.shot("model")
    browser.click(at="table a")
    browser.settled()
    assert road.search["best_run_id"] in browser.place()
    assert number({r["Metric"]: r for r in browser.table(caption="Metrics")}["rmse"]["Last"]) == pytest.approx(road.search["value"], rel=1e-3)
    assert "Trials" not in browser.page()
    browser.open("runs", road.search["parent_run_id"])
    assert browser.count(at=".card .chips a") == 3
    browser.shot("search_run")


# --- serving -------------------------------------------------------------------------------------------------------

def test_the_overview_draws_the_whole_road(browser, road):
    browser.open()
    stops = dict(zip(browser.texts(at=".stop-name"), browser.texts(at=".stop-n")))
    assert list(stops) == ["Datasets", "Pipelines", "Features", "Training sets", "Runs", "Models", "Endpoints", "Predictions"]
    assert stops["Datasets"] == str(len(road.ok("GET", "/datasets")["datasets"]))
    assert stops["Pipelines"] == "2" and stops["Features"] == "1" and stops["Training sets"] == "1" and stops["Models"] == "1"
    assert int(stops["Predictions"]) >= len(road.predicted)
    assert browser.count(at=".road li.there") == 8
    rows = browser.table(caption="Endpoints with their live figures")
    assert rows[0]["Endpoint"] == "taxi-fare" and int(rows[0]["Answered"]) >= len(road.predicted)
    assert re.fullmatch(r"[\d.]+ (µs|ms|s)", rows[0]["p99"])
    newest = road.ok("GET", "/tasks")["tasks"][0]
    assert newest["title"] in browser.text(at=".card:has(h2:text('Work'))")
    browser.shot("overview")


def test_an_endpoint_shows_latency_drift_and_quality(browser, road):
    assert browser.open("endpoints").table(caption="Endpoints")[0]["Model"] == "taxi-fare@champion"
    browser.shot("endpoints")
    browser.open("endpoints", "taxi-fare")
    stats = dict(zip(browser.texts(at=".stat-name"), browser.texts(at=".stat-value")))
    assert int(stats["Answered"]) >= len(road.predicted) and stats["Failed"] == "0"

    told = {r["Column"].split("\n")[0].split(" ")[0]: r for r in browser.table(caption="Drift per column")}
    held = {d["column"]: d for d in road.ok("GET", "/drift", params={"endpoint": "taxi-fare"})["drift"]}
    assert set(told) == set(held)
    for name, d in held.items():
        assert number(told[name]["PSI"]) == pytest.approx(d["psi"], rel=0.02, abs=1e-3), name
    # The worst comes first.
    assert list(held.values())[0] and browser.table(caption="Drift per column")[0]["PSI"] == max((r["PSI"] for r in told.values()), key=float)

    errors = [abs(p["value"] - p["label"]) for p in road.predicted]
    assert number(browser.facts()["MAE"]) == pytest.approx(sum(errors) / len(errors), rel=1e-3)
    newest = browser.table(caption="Predictions")[0]
    assert newest["Prediction"] == road.predicted[-1]["id"]
    assert number(newest["Predicted"]) == pytest.approx(road.predicted[-1]["value"], rel=1e-3)
    assert number(newest["Came true"]) == road.predicted[-1]["label"]
    # Samples of the metrics become curves once there are two of them.
    browser.wait(at=".chart canvas", ms=60_000)
    browser.shot("endpoint")


def test_a_prediction_is_made_from_the_page_and_by_the_command_it_shows(browser, road):
    browser.open("endpoints", "taxi-fare")
    browser.fill(at="label:has-text('distance') input", text="2.5")
    browser.fill(at="label:has-text('pickup_zone') input", text="Midtown Center")
    browser.wait(at=".curl pre")        # the other inputs have their example
    browser.click(at="button:has-text('Predict')")
    browser.wait(at=".answer b")
    fare = number(browser.text(at=".answer b"))
    assert 3 < fare < 60
    made = road.ok("GET", f"/predictions/{browser.text(at='.answer a')}")
    assert made["output"] == pytest.approx(fare, rel=1e-4) and made["inputs"]["distance"] == 2.5
    browser.shot("try_it")

    command = browser.text(at=".curl pre")
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, env={**os.environ, "CAIRN_TOKEN": road.token}, timeout=30)
    assert json.loads(done.stdout)["outputs"][0]["data"][0] == pytest.approx(made["output"])

    browser.fill(at="label:has-text('distance') input", text="far")
    browser.click(at="button:has-text('Predict')")
    browser.wait(at=".failed")
    assert "distance: a number, please" in browser.text(at=".failed")


def test_alerts_fire_and_are_told(browser, road):
    rows = {r["Rule"].split("\n")[0]: r for r in browser.open("alerts").table(caption="Alert rules")}
    held = {a["rule"]: a for a in road.ok("GET", "/alerts")["alerts"]}
    assert {name: r["State"] for name, r in rows.items()} == {name: a["state"] for name, a in held.items()}
    assert rows["off-by-a-cent"]["State"] == "firing" and rows["yellow-cabs-error"]["State"] == "ok"
    firing = sum(a["state"] == "firing" for a in held.values())
    assert f"{firing} of 4 rules firing" in browser.page()
    assert number(rows["yellow-cabs-drift"]["Measured"]) == pytest.approx(held["yellow-cabs-drift"]["value"], rel=1e-3)
    assert number(rows["off-by-a-cent"]["Fires at"]) == 0.001
    assert any(r["Change"].endswith("firing") for r in browser.table(caption="Changes of alerts"))
    browser.shot("alerts")


def test_a_prediction_is_traced_back_to_the_file(browser, road):
    prediction = road.predicted[0]["id"]
    browser.open("lineage")
    browser.fill(at="form input[type=search]", text=prediction)
    browser.press(keys="Enter")
    browser.wait(at=".node.kind-source")
    kinds = set(browser.texts(at=".node-kind"))
    assert kinds == {"source", "dataset version", "pipeline run", "feature view", "training set", "run", "model version", "endpoint", "prediction"}
    graph = road.ok("GET", f"/predictions/{prediction}/lineage")
    assert browser.count(at=".node") == len(graph["nodes"]) and browser.count(at="path.edge") == len(graph["edges"])
    assert number(browser.facts()["output"]) == pytest.approx(road.predicted[0]["value"], rel=1e-4)
    browser.shot("lineage")
    browser.click(at=".node.kind-run")
    browser.wait(at=".card h2:has-text('run')")
    browser.click(at="a.button:has-text('Its page')")
    browser.settled()
    assert road.search["best_run_id"] in browser.place()


# --- trust ---------------------------------------------------------------------------------------------------------

def test_lineage_of_a_dataset_goes_back_to_the_file(browser, road):
    browser.open("lineage", kind="dataset_version", id="zone_stats@1")
    names = browser.texts(at=".node-name")
    assert {"taxis.csv", "trips@1", "zone_stats@1"} <= set(names)
    assert browser.count(at="path.edge") == len(road.ok("GET", "/lineage", params={"kind": "dataset_version", "id": "zone_stats@1"})["edges"])
    # A node is picked with the keyboard, and its details are shown.
    browser.evaluate(code="document.querySelector('.node.kind-source').focus()")
    browser.press(keys="Enter")
    browser.wait(at=".card h2:has-text('taxis.csv')")
    browser.click(at="a.button:has-text('What came of it')")
    browser.settled()
    assert {"trips_clean@1", "zone_stats@1"} <= set(browser.texts(at=".node-name"))
    browser.fill(at="form input[type=search]", text="dataset_version:nothing@9")
    browser.press(keys="Enter")
    browser.wait(at=".failed")
    assert "nothing is known" in browser.text(at=".failed")
    browser.expect_errors(404)


def test_the_roadmap_has_all_items_and_their_evidence(browser, road):
    browser.open("roadmap")
    assert browser.count(at="details.item") == 175
    browser.click(at=".task-button button")
    browser.wait(at=".task-watch .chip.ok", ms=120_000)
    browser.settled()
    items = road.ok("GET", "/roadmap")["items"]
    by_state = {state: sum(i["state"] == state for i in items) for state in ("proven", "failing", "skipped")}
    begun = [i for i in items if i["state"] == "not_built" and i["checks"]]
    told = dict(re.match(r"(.*) (\d+)$", t.strip()).groups() for t in browser.texts(at=".segment button"))
    assert told["All"] == "175" and told["begun"] == str(len(begun))
    assert {state: int(told[state]) for state in by_state} == by_state
    item = next(i for i in items if i["evidence"])
    browser.fill(at="input[type=search]", text=item["id"])
    browser.click(at=f"details.item:has(code:text-is('{item['id']}')) summary")
    shown = browser.text(at="details.item[open]")
    assert item["capability"] in shown and item["evidence"][0] in shown and (item.get("open_parts") or "") in shown
    browser.shot("roadmap", full=False)
    browser.open("roadmap", q="disaster recovery")
    assert 1 <= browser.count(at="details.item") < 20


def test_tasks_and_audit(browser, road):
    rows = browser.open("tasks").table(caption="Tasks")
    assert any(r["Task"] == "ingest trips" and r["State"] == "succeeded" for r in rows)
    browser.shot("tasks")
    failed = next(t for t in road.ok("GET", "/tasks")["tasks"] if t["state"] == "failed")
    browser.open("tasks", failed["id"])
    assert failed["message"] in browser.page() and '"name": "strict"' in browser.page()
    browser.shot("task")
    rows = browser.open("audit").table(caption="Audit log")
    assert any(r["What"] == "dataset.publish" and r["To"] == "dataset:trips" and "user:admin" in r["Who"] for r in rows)
    browser.shot("audit")
    only = browser.open("audit", object="pipeline:strict").table(caption="Audit log")
    assert only and {r["To"] for r in only} == {"pipeline:strict"}


# --- the way around ------------------------------------------------------------------------------------------------

def test_jump_by_keyboard(browser):
    browser.open()
    browser.press(keys="Control+k")
    browser.fill(at=".jump input", text="zonest")
    browser.wait(at=".jump li a.at:has-text('zone_stats')")
    browser.press(keys="Enter")
    browser.settled()
    assert browser.text(at="h1") == "zone_stats"


def test_unknown_places_say_so(browser):
    assert "There is no page" in browser.open("nowhere").page()
    browser.open("data", "no such dataset")
    assert "no such dataset" in browser.text(at=".failed")
    browser.expect_errors(400, 404)


def test_names_are_shown_as_text(browser, road):
    """What users name cannot become markup."""
    run = road.mlflow("/runs/create", {"experiment_id": road.experiment, "run_name": "<img src=x onerror=alert(1)>", "start_time": 1})
    browser.open("runs", run["run"]["info"]["run_id"])
    assert browser.text(at="h1") == "<img src=x onerror=alert(1)>"
    road.mlflow("/runs/delete", {"run_id": run["run"]["info"]["run_id"]})


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [390, 1360])
def test_no_page_is_wider_than_its_window(browser, road, dark, width):
    browser.fresh(token=road.token, dark=dark, width=width)
    for place in ("overview", "data", "pipelines", "features", "experiments", "models", "endpoints", "alerts", "tasks", "lineage", "roadmap", "audit"):
        browser.open(place)
        assert browser.evaluate(code="document.querySelector('#page').scrollWidth - document.querySelector('#page').clientWidth") <= 0, place
        assert browser.evaluate(code="getComputedStyle(document.body).backgroundColor") == ("rgb(18, 20, 19)" if dark else "rgb(245, 244, 241)")
    browser.open("data", "trips")
    browser.shot(f"dataset_{width}{'_dark' if dark else ''}", full=False)


def test_an_empty_cairn_tells_what_fills_it(chromium, make_cairn):
    empty = make_cairn()
    chromium.url = empty.url
    chromium.fresh(token=empty.token)
    chromium.errors()
    for place, command in (("data", "cairn dataset ingest"), ("pipelines", "cairn pipeline apply"), ("experiments", "cairn train"), ("alerts", "cairn alerts apply"), ("tasks", "cairn dataset ingest")):
        chromium.open(place)
        assert command in chromium.text(at=".empty"), place
        assert chromium.count(at=".failed") == 0, chromium.page()
    chromium.open()
    chromium.shot("overview_empty")
    assert chromium.errors() == []


def test_a_cairn_that_is_gone_is_said_to_be(chromium, make_cairn):
    gone = make_cairn()
    chromium.url = gone.url
    chromium.fresh(token=gone.token)
    chromium.open("tasks")
    gone.stop()
    chromium.wait(at=".failed")
    assert "cairn does not answer" in chromium.text(at=".failed")
    chromium.errors()


def test_the_page_allows_nothing_from_elsewhere(road):
    answer = road.api("GET", "!/", token="")
    policy = dict(part.strip().split(" ", 1) for part in answer.headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == "'none'" and policy["script-src"] == "'self'" and policy["style-src"] == "'self'"
    assert policy["frame-ancestors"] == "'none'" and policy["connect-src"] == "'self'"
    assert "no-cache" in answer.headers["Cache-Control"]
    assert json.dumps(road.token) not in answer.text
