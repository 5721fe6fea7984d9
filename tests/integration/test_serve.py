"""Runtimes, conversion of models, and what is loaded; models come in as MLflow's clients bring them."""

import json
from pathlib import Path

import pytest

TREES = (Path(__file__).parent.parent / "fuzz" / "corpus" / "forest" / "squarederror.json").read_text()
FEATURES = ["distance", "hour", "passengers"]
MLFLOW = "/api/2.0/mlflow"


def log_model(cairn, name, model=TREES, spec=True, mlmodel=True, extra=None):
    """A run with a model's files below model/, registered as a version of `name`."""
    experiment = cairn.api("POST", f"!{MLFLOW}/experiments/create", json={"name": f"serve-{name}"})
    if experiment.status_code < 300:
        experiment_id = experiment.json()["experiment_id"]
    else:
        experiment_id = cairn.ok("GET", f"!{MLFLOW}/experiments/get-by-name",
                                 params={"experiment_name": f"serve-{name}"})["experiment"]["experiment_id"]
    run = cairn.ok("POST", f"!{MLFLOW}/runs/create", json={"experiment_id": experiment_id})["run"]["info"]
    files = {"model.json": model, **(extra or {})}
    if mlmodel:
        files["MLmodel"] = "flavors:\n  xgboost:\n    data: model.json\n    model_class: xgboost.core.Booster\n"
    if spec:
        files["cairn.json"] = json.dumps({
            "runtime": "xgboost", "file": "model.json", "output": "fare", "training_set": "ts_none",
            "inputs": [{"name": f, "type": "float", "view": ""} for f in FEATURES],
            "reference": "reference.json", "views": []})
        files["reference.json"] = json.dumps({"columns": []})
    folder = run["artifact_uri"].removeprefix("mlflow-artifacts:").lstrip("/")
    for path, text in files.items():
        put = cairn.api("PUT", f"!/api/2.0/mlflow-artifacts/artifacts/{folder}/model/{path}", data=text.encode(),
                        headers={"Content-Type": "application/octet-stream"})
        assert put.status_code < 300, put.text
    cairn.api("POST", f"!{MLFLOW}/registered-models/create", json={"name": name})
    version = cairn.ok("POST", f"!{MLFLOW}/model-versions/create",
                       json={"name": name, "source": f"{run['artifact_uri']}/model", "run_id": run["run_id"]})["model_version"]
    return run["run_id"], int(version["version"])


def convert(cairn, **request):
    task = cairn.wait_task(cairn.ok("POST", "/models/convert", json=request))
    print(f"{task['state']}: {task['message']}")
    return task


def test_runtimes(cairn):
    runtimes = {r["name"]: r for r in cairn.ok("GET", "/runtimes")["runtimes"]}
    assert set(runtimes) == {"xgboost", "onnx"}
    assert runtimes["onnx"]["platform"] == "onnxruntime_onnx"
    for r in runtimes.values():
        assert r["available"] or r["reason"], r
        assert r["loaded"] == 0


def test_a_model_becomes_onnx(cairn):
    run_id, version = log_model(cairn, "fare")
    cairn.ok("POST", f"!{MLFLOW}/registered-models/alias", json={"name": "fare", "alias": "champion", "version": str(version)})
    task = convert(cairn, model="fare@champion", name="fare-onnx", alias="candidate")
    assert task["state"] == "succeeded", task
    result = task["result"]
    assert result["name"] == "fare-onnx" and result["version"] == 1
    assert result["source"] == f"fare@{version}"
    assert result["max_abs_error"] == 0                 # sums of floats in the same order
    assert result["rows_generated"] > 1000
    assert result["us_after"] > 0

    found = cairn.ok("GET", f"!{MLFLOW}/model-versions/get", params={"name": "fare-onnx", "version": "1"})["model_version"]
    tags = {t["key"]: t["value"] for t in found["tags"]}
    assert tags["cairn.converted_from"] == f"fare@{version}"
    by_alias = cairn.ok("GET", f"!{MLFLOW}/registered-models/alias", params={"name": "fare-onnx", "alias": "candidate"})
    assert by_alias["model_version"]["version"] == "1"

    run = cairn.ok("GET", f"!{MLFLOW}/runs/get", params={"run_id": result["run_id"]})["run"]
    assert run["info"]["status"] == "FINISHED"
    metrics = {m["key"]: m["value"] for m in run["data"]["metrics"]}
    assert metrics["max_abs_error"] == 0 and metrics["rows_compared"] >= result["rows_generated"]
    files = cairn.ok("GET", f"!{MLFLOW}/artifacts/list", params={"run_id": result["run_id"], "path": "model"})["files"]
    assert {f["path"] for f in files} == {"model/model.onnx", "model/MLmodel", "model/cairn.json", "model/reference.json"}
    folder = run["info"]["artifact_uri"].removeprefix("mlflow-artifacts:").lstrip("/")

    def read(path):
        return cairn.api("GET", f"!/api/2.0/mlflow-artifacts/artifacts/{folder}/model/{path}").content

    spec = json.loads(read("cairn.json"))
    assert spec["runtime"] == "onnx" and spec["file"] == "model.onnx" and spec["output"] == "fare"
    assert [i["name"] for i in spec["inputs"]] == FEATURES
    assert json.loads(read("MLmodel"))["flavors"]["onnx"]["data"] == "model.onnx"   # JSON is YAML
    assert len(read("model.onnx")) == result["bytes_after"]

    # The line is unbroken: new version <- conversion's run <- the version it came from <- the run that logged it.
    graph = cairn.ok("GET", "/lineage", params={"kind": "model_version", "id": "fare-onnx@1", "direction": "up"})
    nodes = {(n["kind"], n["id"]) for n in graph["nodes"]}
    assert {("run", result["run_id"]), ("model_version", f"fare@{version}"), ("run", run_id)} <= nodes, nodes
    audit = cairn.ok("GET", "/audit", params={"object": f"run:{result['run_id']}"})
    assert "model.convert" in json.dumps(audit)


def test_a_model_of_mlflow_without_cairns_description(cairn):
    _, version = log_model(cairn, "plain", spec=False)
    task = convert(cairn, model=f"plain/{version}", name="plain-onnx")
    assert task["state"] == "succeeded", task
    again = convert(cairn, model="plain-onnx", name="plain-onnx2")
    assert again["state"] == "failed" and "only XGBoost models" in again["message"], again


@pytest.mark.parametrize("what, change, message", [
    ("linear", lambda m: (Path(__file__).parent.parent / "fuzz/corpus/forest/gblinear.json").read_text(), "gbtree and dart"),
    ("dart", lambda m: (Path(__file__).parent.parent / "fuzz/corpus/forest/dart.json").read_text(), "dart"),
    ("far", lambda m: m.replace('"left_children":[1,', '"left_children":[100000000,', 1), "children 100000000"),
    ("nomodel", lambda m: "this is no model", "no XGBoost model"),
    ("cut", lambda m: m[:400], "not valid JSON"),
])
def test_models_that_cannot_be_converted(cairn, what, change, message):
    log_model(cairn, what, model=change(TREES), spec=False)
    task = convert(cairn, model=what, name=f"{what}-onnx")
    assert task["state"] == "failed" and message in task["message"], task
    missing = cairn.api("GET", f"!{MLFLOW}/model-versions/get", params={"name": f"{what}-onnx", "version": "1"})
    assert missing.status_code == 404


def test_refusals(cairn):
    answer = cairn.api("POST", "/models/convert", json={"model": "nowhere", "name": "x"})
    assert answer.status_code == 404 and answer.json()["error"]["field"] == "model"
    answer = cairn.api("POST", "/models/convert", json={"model": "fare", "name": "x", "to": "tensorrt"})
    assert answer.status_code == 400 and "onnx" in answer.json()["error"]["message"]
    answer = cairn.api("POST", "/models/convert", json={"model": "fare", "name": "not a name"})
    assert answer.status_code == 400 and answer.json()["error"]["field"] == "name"
    answer = cairn.api("POST", "/models/convert", json={"model": "fare", "name": "x"}, token="wrong")
    assert answer.status_code == 401
    _, version = log_model(cairn, "nofiles", spec=False, mlmodel=False)
    task = convert(cairn, model="nofiles", name="x")
    assert task["state"] == "failed" and "neither cairn.json nor MLmodel" in task["message"], task


def test_a_file_that_changed_on_disk_is_refused(cairn):
    log_model(cairn, "damaged", model=TREES + " ")      # a blob of its own
    blobs = [p for p in (cairn.data_dir / "blobs").rglob("*") if p.is_file() and p.stat().st_size == len(TREES) + 1]
    assert len(blobs) == 1
    blobs[0].chmod(0o600)
    blobs[0].write_text(TREES.replace("[", "{", 1) + " ")
    task = convert(cairn, model="damaged", name="damaged-onnx")
    assert task["state"] == "failed" and "has changed since it was stored" in task["message"], task


def verify(cairn, *checks):
    cairn.run_task("POST", "/verify", json={"only": list(checks)})
    return {c["id"]: c for c in cairn.ok("GET", "/checks")["checks"] if c["id"] in checks}


def deploy(cairn, name, model):
    return cairn.ok("POST", "/endpoints", json={"name": name, "model": model})


def test_both_runtimes_serve_the_same(cairn):
    log_model(cairn, "twin")
    assert convert(cairn, model="twin", name="twin-onnx")["state"] == "succeeded"
    assert verify(cairn, "serve.runtimes_agree")["serve.runtimes_agree"]["outcome"] == "skipped"
    for name in ("twin", "twin-onnx"):
        deploy(cairn, name, name)
    loaded = {m["model"]: m for m in cairn.ok("GET", "/loaded-models")["loaded_models"]}
    assert loaded["twin"]["runtime"] == "xgboost" and loaded["twin-onnx"]["runtime"] == "onnx"
    for m in loaded.values():
        assert m["references"] >= 1 and m["warm"] and m["load_ms"] > 0 and m["bytes"] > 0
        assert m["inputs"] == [{"name": "input", "datatype": "FP32", "shape": [-1, 3]}]
        assert m["outputs"] == [{"name": "fare", "datatype": "FP32", "shape": [-1, 1]}]
    assert cairn.metric("cairn_models_loaded") == 2
    assert {r["name"]: r["loaded"] for r in cairn.ok("GET", "/runtimes")["runtimes"]} == {"xgboost": 1, "onnx": 1}
    outcome = verify(cairn, "serve.runtimes_agree", "serve.warm_outputs_repeat", "serve.library_versions")
    assert {o["outcome"] for o in outcome.values()} == {"passed"}, outcome
    assert cairn.metric("cairn_model_load_seconds_count", model="twin", runtime="xgboost") == 1


def test_a_model_that_is_not_what_it_says_fails_the_check(cairn):
    """Seeded: an ONNX file of one model, registered as if it came from another."""
    log_model(cairn, "other", model=TREES.replace('"base_score":"5E-1"', '"base_score":"7E-1"'))
    result = convert(cairn, model="twin", name="liar-base")["result"]
    run = cairn.ok("GET", f"!{MLFLOW}/runs/get", params={"run_id": result["run_id"]})["run"]["info"]
    cairn.ok("POST", f"!{MLFLOW}/registered-models/create", json={"name": "liar"})
    cairn.ok("POST", f"!{MLFLOW}/model-versions/create", json={
        "name": "liar", "source": f"{run['artifact_uri']}/model", "run_id": run["run_id"],
        "tags": [{"key": "cairn.converted_from", "value": "other@1"}, {"key": "cairn.conversion_tolerance", "value": "0.0001"}]})
    deploy(cairn, "liar", "liar")
    outcome = verify(cairn, "serve.runtimes_agree")["serve.runtimes_agree"]
    assert outcome["outcome"] == "failed", outcome
    assert any("NOT OK: largest difference of liar version 1" in line for line in outcome["evidence"]), outcome
    cairn.ok("DELETE", "/endpoints/liar")
    assert "liar" not in {m["model"] for m in cairn.ok("GET", "/loaded-models")["loaded_models"]}
    assert verify(cairn, "serve.runtimes_agree")["serve.runtimes_agree"]["outcome"] == "passed"
