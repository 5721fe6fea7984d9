"""Hyperparameter search over HTTP: its runs as MLflow's clients see them, its model's files, and what kills leave."""

import json
import time
from pathlib import Path

import pytest

MLFLOW = "/api/2.0/mlflow"
EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "taxi"


def apply(server, path, text, name="train.yaml"):
    return server.api("POST", path, data=text, headers={"Content-Type": "application/yaml", "Cairn-Source-Name": name})


def prepare(server):
    """The taxi example up to its training set."""
    blob = server.ok("PUT", "/uploads", params={"name": "taxis.csv"}, data=(EXAMPLE / "data" / "taxis.csv").read_bytes())["blob"]
    server.run_task("POST", "/datasets/trips/ingest", json={"blob": blob, "time_columns": ["pickup", "dropoff"]})
    assert apply(server, "/pipelines", (EXAMPLE / "pipeline.yaml").read_text()).status_code < 300
    server.run_task("POST", "/pipelines/trips_clean/run", json={})
    assert apply(server, "/feature-views", (EXAMPLE / "features.yaml").read_text()).status_code < 300
    task = apply(server, "/training-sets", (EXAMPLE / "training_set.yaml").read_text()).json()
    assert server.wait_task(task)["state"] == "succeeded"


def search_yaml(trials=6, rounds=60, extra=""):
    return f"""
name: taxi-fare
experiment: fares
training_set: taxi_fare
trials: {trials}
rounds: {rounds}
seed: 7
space:
  - {{param: eta, min: 0.05, max: 0.3, scale: log}}
  - {{param: max_depth, min: 3, max: 7, whole: true}}
  - {{param: subsample, min: 0.6, max: 1}}
{extra}"""


@pytest.fixture(scope="module")
def searched(cairn):
    prepare(cairn)
    task = cairn.wait_task(apply(cairn, "/train", search_yaml()).json(), timeout=300)
    assert task["state"] == "succeeded", task
    return task


def runs_of(server, name):
    experiment = server.ok("GET", f"{MLFLOW}/experiments/get-by-name", params={"experiment_name": name})["experiment"]
    return server.ok("POST", f"{MLFLOW}/runs/search", json={"experiment_ids": [experiment["experiment_id"]], "max_results": 1000}).get("runs", [])


def tags(run):
    return {t["key"]: t["value"] for t in run["data"].get("tags", [])}


def values(run, kind):
    return {m["key"]: m["value"] for m in run["data"].get(kind, [])}


def test_the_best_is_far_better_than_the_mean(cairn, searched):
    result = searched["result"]
    assert result["metric"] == "rmse" and result["output"] == "fare"
    assert result["value"] < 0.5 * result["baseline"]
    assert len(result["trials"]) == 6 and result["n_failed"] == 0
    assert result["n_finished"] + result["n_pruned"] == 6
    assert min(t["value"] for t in result["trials"]) == result["value"]
    assert [t["number"] for t in result["trials"]] == [1, 2, 3, 4, 5, 6]
    assert len({json.dumps(t["params"]) for t in result["trials"]}) == 6
    assert "baseline" in searched["message"]
    assert cairn.ok("GET", f"/searches/{result['id']}") == result
    assert cairn.ok("GET", "/searches")["searches"][0]["id"] == result["id"]


def test_each_trial_is_a_run(cairn, searched):
    result = searched["result"]
    runs = {r["info"]["run_id"]: r for r in runs_of(cairn, "fares")}
    assert len(runs) == 7
    assert {r["info"]["status"] for r in runs.values()} == {"FINISHED"}
    parent = runs[result["parent_run_id"]]
    assert tags(parent)["cairn.best_run"] == result["best_run_id"]
    for trial in result["trials"]:
        run = runs[trial["run_id"]]
        assert tags(run)["mlflow.parentRunId"] == result["parent_run_id"]
        params, metrics = values(run, "params"), values(run, "metrics")
        for key, value in trial["params"].items():
            assert params[key] == value
        assert {"rmse", "mae", "r2", "train_rmse", "valid_rmse"} <= set(metrics)
        assert metrics["rmse"] == trial["value"] and metrics["mae"] <= metrics["rmse"] and metrics["r2"] < 1
        for key in ("train_rmse", "valid_rmse"):
            history = cairn.ok("GET", f"{MLFLOW}/metrics/get-history", params={"run_id": trial["run_id"], "metric_key": key})["metrics"]
            steps = [int(m["step"]) for m in history]
            assert steps == list(range(len(steps))) and len(steps) >= trial["rounds"]
        # The kept trees are those of the best round, so what is measured is the curve's least value.
        assert trial["value"] == pytest.approx(min(m["value"] for m in history), rel=1e-5)


def test_the_model_has_its_files(cairn, searched, tmp_path):
    run_id = searched["result"]["best_run_id"]
    listed = cairn.ok("GET", f"{MLFLOW}/artifacts/list", params={"run_id": run_id, "path": "model"})["files"]
    assert [f["path"] for f in listed] == ["model/MLmodel", "model/cairn.json", "model/model.ubj", "model/reference.json"]
    info = cairn.ok("GET", f"{MLFLOW}/runs/get", params={"run_id": run_id})["run"]["info"]
    root = info["artifact_uri"].removeprefix("mlflow-artifacts:/")
    for file in listed:
        answer = cairn.api("GET", f"/api/2.0/mlflow-artifacts/artifacts/{root}/{file['path']}")
        assert answer.status_code == 200 and len(answer.content) == int(file["file_size"])
        (tmp_path / Path(file["path"]).name).write_bytes(answer.content)
    spec = json.loads((tmp_path / "cairn.json").read_text())
    assert spec["runtime"] == "xgboost" and spec["file"] == "model.ubj" and spec["output"] == "fare" and spec["views"] == ["zone_stats"]
    names = [i["name"] for i in spec["inputs"]]
    assert names == cairn.ok("GET", "/training-sets/taxi_fare")["columns"]
    assert {i["name"]: i.get("view", "") for i in spec["inputs"]}["trips_7d"] == "zone_stats"
    reference = json.loads((tmp_path / "reference.json").read_text())
    assert names[0] in json.dumps(reference) and "fare" in json.dumps(reference)
    mlmodel = json.loads((tmp_path / "MLmodel").read_text())       # YAML that is JSON too
    inputs = json.loads(mlmodel["signature"].pop("inputs"))
    assert [i["name"] for i in inputs] == names and {i["type"] for i in inputs} == {"float"}
    assert json.loads(mlmodel.pop("signature")["outputs"])[0]["name"] == "fare"
    from mlflow.models import Model              # the signature's class needs pandas, which tests do without
    model = Model(**mlmodel)
    assert model.run_id == run_id and model.flavors["xgboost"]["data"] == "model.ubj"
    assert model.flavors["python_function"]["loader_module"] == "mlflow.xgboost"


def test_lineage_and_checks(cairn, searched):
    graph = cairn.ok("GET", "/lineage", params={"kind": "run", "id": searched["result"]["best_run_id"], "direction": "up"})
    assert {"run", "training_set", "feature_view", "dataset_version", "pipeline_run", "source"} <= {n["kind"] for n in graph["nodes"]}
    result = cairn.run_task("POST", "/verify", json={"only": ["train.best_model_reproduces", "train.runs_are_traced", "train.beats_baseline"]})
    assert result["passed"] == 3, result


@pytest.mark.parametrize("text, status, says", [
    (search_yaml().replace("taxi_fare", "nothing"), 404, "training set 'nothing' does not exist"),
    (search_yaml().replace("max: 0.3", "max: 0.01"), 400, "a min below its max"),
    (search_yaml(extra="round: 3"), 400, "train.yaml:12:1"),
    (search_yaml().replace("seed: 7", "seed: -7"), 400, "seed"),
    (search_yaml(extra="fixed: {nthread: 8}"), 400, "'nthread' is set by cairn"),
], ids=["set", "bounds", "typo", "seed", "reserved"])
def test_bad_requests(cairn, searched, text, status, says):
    answer = apply(cairn, "/train", text)
    assert answer.status_code == status and says in answer.json()["error"]["message"], answer.text


def test_a_parameter_that_is_unknown_is_told(cairn, searched):
    task = cairn.wait_task(apply(cairn, "/train", search_yaml(trials=2, rounds=5, extra="fixed: {max_deptth: 3}")
                                 .replace("fares", "wrong")).json())
    assert task["state"] == "failed" and "max_deptth" in task["message"]
    assert {r["info"]["status"] for r in runs_of(cairn, "wrong")} == {"FAILED"}


def begun(server, n, name="fares"):
    """Waits until n trials of the running search have ended."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        try:
            runs = runs_of(server, name)
        except AssertionError:                   # no experiment yet
            runs = []
        if sum(r["info"]["status"] == "FINISHED" for r in runs) >= n:
            return
        time.sleep(0.05)
    raise AssertionError("the search did not begin")


def test_cancel_then_kill(make_cairn):
    server = make_cairn()
    prepare(server)
    long = search_yaml(trials=500, rounds=2000, extra="early_stopping: 0\nprune: false\n")
    task = apply(server, "/train", long.replace("fares", "cancelled")).json()
    begun(server, 0)
    time.sleep(1.0)
    server.ok("POST", f"/tasks/{task['id']}/cancel")
    assert server.wait_task(task)["state"] == "cancelled"
    assert {r["info"]["status"] for r in runs_of(server, "cancelled")} <= {"KILLED", "FINISHED"}

    for i in range(3):
        task = apply(server, "/train", search_yaml(trials=500, rounds=15, extra="prune: false\n")).json()
        begun(server, 2 + 3 * i)
        server.kill9()
        server.start()
        assert server.wait_task(task)["state"] == "interrupted"    # said a moment after the port is open
        states = [r["info"]["status"] for r in runs_of(server, "fares")]
        assert "RUNNING" not in states and "FAILED" in states, states
    result = server.wait_task(apply(server, "/train", search_yaml(trials=2, rounds=10)).json())
    assert result["state"] == "succeeded"
