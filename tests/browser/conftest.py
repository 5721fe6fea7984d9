"""A browser for tests of the console, driven over a line by driver.mjs."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SHOTS = ROOT / "build" / "screenshots"
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")


class Browser:
    """Each method is a command of driver.mjs; a failed one raises."""

    def __init__(self):
        self.process = subprocess.Popen(["node", str(Path(__file__).with_name("driver.mjs"))], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        self.url = self.token = None

    def __getattr__(self, name):
        return lambda **rest: self.send(name, **rest)

    def send(self, name, **rest):
        self.process.stdin.write(json.dumps({"do": name, **rest}) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, "the browser's driver has ended"
        answer = json.loads(line)
        assert "error" not in answer, answer["error"]
        return answer["value"]

    def open(self, *path, **query):
        from urllib.parse import quote, urlencode
        tail = "/".join(quote(str(p), safe="") for p in path) + (f"?{urlencode(query)}" if query else "")
        self.send("go", url=f"{self.url}/#/{tail}")
        return self

    def page(self):
        return self.text(at="#page")

    def shot(self, name, **rest):
        SHOTS.mkdir(parents=True, exist_ok=True)
        self.send("shot", path=str(SHOTS / f"{name}.png"), **rest)

    def expect_errors(self, *statuses):
        """Takes from the browser's console what it says of answers with these statuses."""
        left = [e for e in self.send("errors") if not any(f"status of {s}" in e for s in statuses)]
        assert left == []

    def close(self):
        self.process.stdin.close()
        self.process.wait(30)


@pytest.fixture(scope="session")
def chromium():
    """One browser process for all tests."""
    if not Path(CHROMIUM).exists() or not shutil.which("node"):
        pytest.skip("chromium or node is not on this machine")
    if not (ROOT / "deps" / "npm" / "node_modules" / "playwright-core").exists():
        pytest.skip("the locked npm packages are not installed: deps/install build")
    one = Browser()
    yield one
    one.close()


@pytest.fixture
def browser(chromium, road):
    """A fresh profile that is signed in; no error may be left in its console, and no request may have gone elsewhere."""
    chromium.url, chromium.token = road.url, road.token
    chromium.fresh(token=road.token)
    chromium.errors()
    yield chromium
    assert chromium.errors() == []
    assert chromium.hosts() == [road.url.removeprefix("http://")]


MESSY = "id,x,when\n1,2.5,2024-01-01\n2,abc,2024-01-02\n3,4,2024-01-03\n4,5,nonsense\n5,6,2024-01-06\n" + "".join(
    f"{i + 5},{i}.5,2024-02-01\n" for i in range(1, 61))
YAML = {"Content-Type": "application/yaml"}
# As examples/taxi/train.yaml, but small: the pages are tested, not the model.
TRAIN = """
name: taxi-fare
experiment: taxi-fare
training_set: taxi_fare
trainer: xgboost
objective: squared_error
trials: 3
rounds: 25
early_stopping: 10
seed: 7
space:
  - {param: max_depth, min: 3, max: 6, whole: true}
  - {param: eta, min: 0.1, max: 0.3, scale: log}
"""
# However good the model is, it is off by more than a tenth of a cent.
FIRES = """
rules:
  - {name: off-by-a-cent, metric: error, endpoint: taxi-fare, op: ">=", bound: 0.001, min_samples: 10, severity: info, doc: Fires for the test}
"""
STRICT = """
name: strict
description: Refuses trips that cost more than 100
inputs: [trips]
steps:
  - {name: cheap, sql: SELECT * FROM trips, gates: [{kind: row_count, min: 100}]}
outputs:
  - {step: cheap, gates: [{kind: range, column: fare, min: 0, max: 100}]}
"""


def ingest(cairn, name, data, **how):
    blob = cairn.ok("PUT", "/uploads", data=data, params={"name": how.pop("source_name")})["blob"]
    return cairn.run_task("POST", f"/datasets/{name}/ingest", json={"blob": blob, **how})


def apply(cairn, path, text):
    return cairn.ok("POST", path, data=text, headers=YAML)


def make_model(cairn):
    """The best run becomes version 1, the champion."""
    run = cairn.mlflow("/runs/search", {"experiment_ids": [cairn.search["experiment_id"]], "filter": f"run_id = '{cairn.search['best_run_id']}'"})
    assert run["runs"]
    cairn.mlflow("/registered-models/create", {"name": "taxi-fare", "description": "Fares as the meter will show them"})
    cairn.mlflow("/model-versions/create", {"name": "taxi-fare", "run_id": cairn.search["best_run_id"], "source": f"runs:/{cairn.search['best_run_id']}/model"})
    cairn.mlflow("/registered-models/alias", {"name": "taxi-fare", "alias": "champion", "version": "1"})


def make_runs(cairn):
    """An experiment as MLflow's client would log it: runs with curves, params and a file."""
    def mlflow(path, body):
        return cairn.ok("POST", f"/api/2.0/mlflow{path}", json=body)

    cairn.mlflow = mlflow
    cairn.experiment = mlflow("/experiments/create", {"name": "curves"})["experiment_id"]
    cairn.runs = {}
    for depth in (3, 6, 9):
        name = f"depth {depth}"
        run = mlflow("/runs/create", {"experiment_id": cairn.experiment, "run_name": name, "start_time": 1_700_000_000_000 + depth})["run"]["info"]["run_id"]
        metrics = [{"key": "rmse", "value": 8 / (1 + step * depth / 20) + 2, "timestamp": 1_700_000_000_000 + step, "step": step} for step in range(40)]
        mlflow("/runs/log-batch", {"run_id": run, "metrics": metrics, "params": [{"key": "max_depth", "value": str(depth)}, {"key": "objective", "value": "reg:squarederror"}]})
        path = f"/api/2.0/mlflow-artifacts/artifacts/{cairn.experiment}/{run}/artifacts/notes.txt"
        assert cairn.api("PUT", path, data=b"trained on real trips").status_code == 200
        mlflow("/runs/update", {"run_id": run, "status": "FINISHED", "end_time": 1_700_000_060_000})
        cairn.runs[name] = run


def serve(cairn, example):
    """The model behind its endpoint, with predictions of real trips and what came true of them."""
    known = ", ".join(i["name"] for i in apply(cairn, "/endpoints", (example / "endpoint.yaml").read_text())["inputs"])
    trips = cairn.ok("POST", "/query", json={"sql": f"SELECT {known}, fare FROM trips_clean WHERE color = 'green' AND pickup >= '2019-03-25' ORDER BY pickup LIMIT 120"})
    cairn.predicted = []
    for row in trips["rows"]:
        given = dict(zip((c["name"] for c in trips["columns"]), row))
        fare = given.pop("fare")
        inputs = [{"name": k, "datatype": "BYTES" if k == "pickup_zone" else "FP32", "shape": [1], "data": [v]} for k, v in given.items()]
        answer = cairn.ok("POST", "!/v2/models/taxi-fare/infer", json={"inputs": inputs})
        cairn.predicted.append({"id": answer["parameters"]["prediction_id"], "value": answer["outputs"][0]["data"][0], "label": fare})
    labels = [{"prediction_id": p["id"], "value": p["label"]} for p in cairn.predicted]
    assert cairn.ok("POST", "/labels", json={"labels": labels})["accepted"] == len(labels)
    cairn.ok("POST", "/alerts/evaluate")


@pytest.fixture(scope="module")
def road(cairn, taxis):
    """A cairn that holds the taxi example as far as a browser needs it, a dataset with bad rows, and a gate that fails."""
    ingest(cairn, "trips", taxis.read_bytes(), source_name="taxis.csv")
    ingest(cairn, "messy", MESSY.encode(), source_name="messy.csv", tolerance=0.1, time_columns=["when"], key=["id"],
           columns=[{"name": "x", "type": "DOUBLE"}])
    for text in ((ROOT / "examples" / "taxi" / "pipeline.yaml").read_text(), STRICT):
        name = apply(cairn, "/pipelines", text)["name"]
        cairn.wait_task(cairn.ok("POST", f"/pipelines/{name}/run"))
    make_runs(cairn)
    example = ROOT / "examples" / "taxi"
    apply(cairn, "/feature-views", (example / "features.yaml").read_text())
    cairn.run_task("POST", "/feature-views/zone_stats/materialise", json={"as_of": "2019-03-25T00:00:00Z"})
    cairn.training_set = cairn.run_task("POST", "/training-sets", data=(example / "training_set.yaml").read_text(), headers=YAML)
    cairn.search = cairn.run_task("POST", "/train", data=TRAIN, headers=YAML)
    apply(cairn, "/alert-rules", (example / "alerts.yaml").read_text())
    apply(cairn, "/alert-rules", FIRES)
    make_model(cairn)
    serve(cairn, example)
    return cairn
