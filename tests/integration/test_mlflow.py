"""The unmodified MLflow client against cairn: what it logs, searches, registers and loads is what it gets back."""

import base64
import hashlib
import json
import math
import os
import random
import subprocess
import threading
import time
from pathlib import Path

import pytest

os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
mlflow = pytest.importorskip("mlflow")
from mlflow import MlflowClient  # noqa: E402
from mlflow.entities import Metric, Param, RunTag, ViewType  # noqa: E402
from mlflow.exceptions import MlflowException  # noqa: E402

API2 = "!/api/2.0/mlflow"
POSTGRES = Path(__file__).resolve().parent.parent / "postgres"


def use(server):
    os.environ["MLFLOW_TRACKING_TOKEN"] = server.token
    mlflow.set_tracking_uri(server.url)
    return MlflowClient(server.url)


@pytest.fixture(scope="module")
def postgres(tmp_path_factory):
    """The URL of an empty database of a PostgreSQL of our own."""
    # A socket's path is short.
    import tempfile
    with tempfile.TemporaryDirectory(prefix="cairn-pg-") as tmp:
        started = subprocess.run([POSTGRES, "start", tmp], capture_output=True, text=True)
        if started.returncode == 77:
            pytest.skip("PostgreSQL is not installed")
        assert started.returncode == 0, started.stderr
        yield subprocess.run([POSTGRES, "database", tmp, "cairn"], capture_output=True, text=True, check=True).stdout.strip()
        subprocess.run([POSTGRES, "stop", tmp], check=True)


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def server(request, tmp_path_factory):
    """One cairn over each database."""
    from running import Cairn
    import tempfile
    config = None
    if request.param == "postgres":
        config = f'database: "{request.getfixturevalue("postgres")}"\n'
    with tempfile.TemporaryDirectory(prefix="cairn-test-") as tmp:
        one = Cairn(Path(tmp) / "data", config).start()
        yield one
        one.stop()


@pytest.fixture
def client(server):
    return use(server)


@pytest.fixture
def experiment(client, request):
    name = f"{request.node.name}-{random.getrandbits(32):x}"
    mlflow.set_experiment(name)
    return client.get_experiment_by_name(name).experiment_id


def refused(code, text, call, *args, **kwargs):
    with pytest.raises(MlflowException) as caught:
        call(*args, **kwargs)
    assert caught.value.error_code == code, caught.value
    assert text in str(caught.value), caught.value


# --- runs ---------------------------------------------------------------------------------------------


def test_a_run_is_what_was_logged(client, experiment):
    with mlflow.start_run(run_name="one", tags={"team": "blue"}) as active:
        mlflow.log_param("lr", 0.1)
        mlflow.log_params({"depth": 3, "text": "x y", "empty": ""})
        for step in range(5):
            mlflow.log_metric("loss", 1 / (step + 1), step=step)
        mlflow.log_metrics({"nan": float("nan"), "inf": float("inf"), "ninf": -math.inf, "whole": 3})
        mlflow.set_tag("note", "ein Hänger ✓")
    run = client.get_run(active.info.run_id)
    assert run.info.status == "FINISHED" and run.info.run_name == "one" and run.info.end_time >= run.info.start_time
    assert run.info.artifact_uri == f"mlflow-artifacts:/{experiment}/{run.info.run_id}/artifacts"
    assert run.data.params == {"lr": "0.1", "depth": "3", "text": "x y", "empty": ""}
    assert run.data.metrics["loss"] == 0.2 and run.data.metrics["whole"] == 3
    assert math.isnan(run.data.metrics["nan"])
    assert run.data.metrics["inf"] == 1.7976931348623157e308 and run.data.metrics["ninf"] == -1.7976931348623157e308
    assert run.data.tags["team"] == "blue" and run.data.tags["note"] == "ein Hänger ✓" and run.data.tags["mlflow.runName"] == "one"
    history = client.get_metric_history(run.info.run_id, "loss")
    assert [(m.step, m.value) for m in history] == [(i, 1 / (i + 1)) for i in range(5)]
    client.set_tag(run.info.run_id, "mlflow.runName", "two")
    assert client.get_run(run.info.run_id).info.run_name == "two"
    client.delete_tag(run.info.run_id, "team")
    assert "team" not in client.get_run(run.info.run_id).data.tags
    refused("RESOURCE_DOES_NOT_EXIST", "No tag with name: team", client.delete_tag, run.info.run_id, "team")


def test_runs_nest_and_are_found(client, experiment):
    with mlflow.start_run(run_name="parent") as parent:
        for i in range(3):
            with mlflow.start_run(run_name=f"child{i}", nested=True):
                mlflow.log_metric("rmse", i)
                mlflow.log_param("model", "a" if i else "b")
    search = client.search_runs
    children = search([experiment], f"tags.mlflow.parentRunId = '{parent.info.run_id}'", order_by=["metrics.rmse DESC"])
    assert [r.info.run_name for r in children] == ["child2", "child1", "child0"]
    assert [r.info.run_name for r in search([experiment], "metrics.rmse < 2 and params.model = 'a'")] == ["child1"]
    assert [r.info.run_name for r in search([experiment], "attributes.run_name LIKE 'par%'")] == ["parent"]
    found = search([experiment], f"run_id IN ('{children[0].info.run_id}', '{children[1].info.run_id}')")
    assert {r.info.run_name for r in found} == {"child1", "child2"}
    names, token = [], None
    while True:
        page = search([experiment], order_by=["attribute.run_name ASC"], max_results=3, page_token=token)
        names += [r.info.run_name for r in page]
        token = page.token
        if not token:
            break
    assert names == ["child0", "child1", "child2", "parent"]
    client.delete_run(children[0].info.run_id)
    assert len(search([experiment])) == 3
    assert [r.info.run_name for r in search([experiment], run_view_type=ViewType.DELETED_ONLY)] == ["child2"]
    assert len(search([experiment], run_view_type=ViewType.ALL)) == 4
    client.restore_run(children[0].info.run_id)
    assert len(search([experiment])) == 4
    for bad, text in [("metrics.rmse ~ 1", "Invalid clause"), ("foo.bar = 'x'", "Invalid entity type"), ("colour = 'x'", "Invalid attribute key"),
                      ("metrics.rmse = 'a'", "Expected numeric value"), ("params.model = a", "quoted")]:
        refused("INVALID_PARAMETER_VALUE", text, search, [experiment], bad)


def test_ten_thousand_metrics_by_batch(client, experiment):
    run = client.create_run(experiment)
    points = [Metric(f"m{i % 10}", i * 0.5, 1_700_000_000_000 + i, i // 10) for i in range(10_000)]
    began = time.monotonic()
    for i in range(0, len(points), 1000):
        client.log_batch(run.info.run_id, metrics=points[i:i + 1000])
    took = time.monotonic() - began
    client.log_batch(run.info.run_id, metrics=points[:1000])     # sent again: nothing new
    history = client.get_metric_history(run.info.run_id, "m3")
    assert [(m.step, m.value) for m in history] == [(i, (i * 10 + 3) * 0.5) for i in range(1000)]
    assert client.get_run(run.info.run_id).data.metrics == {f"m{k}": (9990 + k) * 0.5 for k in range(10)}
    assert took < 60
    print(f"10,000 points in {took:.2f} s")


def test_a_batch_is_all_or_nothing(client, experiment):
    run = client.create_run(experiment).info.run_id
    client.log_batch(run, params=[Param("a", "1")])
    client.log_batch(run, params=[Param("a", "1")])
    refused("INVALID_PARAMETER_VALUE", "Changing param values is not allowed", client.log_batch, run,
            metrics=[Metric("m", 1, 1, 0)], params=[Param("b", "1"), Param("a", "2")], tags=[RunTag("t", "1")])
    data = client.get_run(run).data
    assert data.params == {"a": "1"} and data.metrics == {} and "t" not in data.tags


def test_experiments(client, server):
    name = f"exp-{random.getrandbits(32):x}"
    eid = client.create_experiment(name, tags={"k": "v", "weird": "a'b"})
    assert client.get_experiment(eid).tags == {"k": "v", "weird": "a'b"}
    assert client.get_experiment("0").name == "Default"
    assert client.get_experiment_by_name("none such") is None
    refused("RESOURCE_ALREADY_EXISTS", f"Experiment(name={name}) already exists", client.create_experiment, name)
    found = client.search_experiments(filter_string=f"name = '{name}' AND tags.k = 'v'")
    assert [e.experiment_id for e in found] == [eid]
    client.rename_experiment(eid, name + "x")
    run = client.create_run(eid).info.run_id
    client.delete_experiment(eid)
    assert client.get_run(run).info.lifecycle_stage == "deleted"
    assert client.get_experiment(eid).lifecycle_stage == "deleted"
    refused("INVALID_PARAMETER_VALUE", "must be in the 'active' state", client.log_metric, run, "m", 1)
    refused("INVALID_STATE", "non-active", client.rename_experiment, eid, "y")
    client.restore_experiment(eid)
    client.log_metric(run, "m", 1)
    assert client.search_experiments(view_type=ViewType.DELETED_ONLY, filter_string=f"name = '{name}x'") == []


def test_inputs_are_kept(client, experiment):
    from mlflow.entities import Dataset, DatasetInput, InputTag
    run = client.create_run(experiment).info.run_id
    one = DatasetInput(Dataset("trips", "d1", "http", '{"url":"http://x"}', schema="{}", profile="{}"), [InputTag("mlflow.data.context", "train")])
    client.log_inputs(run, [one])
    client.log_inputs(run, [one])
    inputs = client.get_run(run).inputs.dataset_inputs
    assert len(inputs) == 1 and inputs[0].dataset.name == "trips" and inputs[0].tags[0].value == "train"
    assert len(client.search_runs([experiment], "dataset.name = 'trips' AND dataset.context = 'train'")) == 1
    assert client.search_runs([experiment], "dataset.digest = 'other'") == []


# --- artifacts ------------------------------------------------------------------------------------------


def test_artifacts_go_up_and_come_down(client, experiment, tmp_path):
    folder = tmp_path / "up" / "sub dir"
    folder.mkdir(parents=True)
    (folder / "ä file.txt").write_text("hello")
    (tmp_path / "up" / "empty").write_bytes(b"")
    with mlflow.start_run() as active:
        mlflow.log_artifacts(str(tmp_path / "up"), "files")
        mlflow.log_text("note", "note.txt")
        mlflow.log_dict({"a": [1, 2]}, "d.json")
    run = active.info.run_id
    assert {(f.path, f.is_dir) for f in client.list_artifacts(run)} == {("files", True), ("note.txt", False), ("d.json", False)}
    assert [(f.path, f.is_dir, f.file_size) for f in client.list_artifacts(run, "files/sub dir")] == [("files/sub dir/ä file.txt", False, 5)]
    assert client.list_artifacts(run, "note.txt") == []
    down = client.download_artifacts(run, "files", str(tmp_path))
    assert (Path(down) / "sub dir" / "ä file.txt").read_text() == "hello"
    assert (Path(down) / "empty").read_bytes() == b""
    assert mlflow.artifacts.load_dict(f"runs:/{run}/d.json") == {"a": [1, 2]}


def test_fifty_megabytes_stream(client, experiment, tmp_path, server):
    big = tmp_path / "big.bin"
    big.write_bytes(random.Random(1).randbytes(50 << 20))
    digest = hashlib.sha256(big.read_bytes()).hexdigest()
    run = client.create_run(experiment).info.run_id
    before = server.metric("process_resident_memory_bytes")
    client.log_artifact(run, str(big))
    down = client.download_artifacts(run, "big.bin", str(tmp_path / "down" if (tmp_path / "down").mkdir() is None else ""))
    assert hashlib.sha256(Path(down).read_bytes()).hexdigest() == digest
    grown = server.metric("process_resident_memory_bytes") - before
    assert grown < 40 << 20, f"the server grew by {grown / 1e6:.0f} MB"


@pytest.mark.parametrize("path", ["../x", "a/../../x", "%2e%2e/x", "%252e%252e/x", "a%23b", "%2Fetc/passwd", "C:/x"])
def test_unsafe_paths_are_refused(server, path):
    for method in ("PUT", "GET", "DELETE"):
        import http.client
        from urllib.parse import urlparse
        at = urlparse(server.url)
        c = http.client.HTTPConnection(at.hostname, at.port)
        c.request(method, f"/api/2.0/mlflow-artifacts/artifacts/{path}", body=b"x" if method == "PUT" else None,
                  headers={"Authorization": f"Bearer {server.token}"})
        answer = c.getresponse()
        text = answer.read()
        assert answer.status == 400 and json.loads(text)["message"].startswith("Invalid path"), (method, answer.status, text)
        c.close()


# --- models -----------------------------------------------------------------------------------------------


class Flavour:
    """The least that Model.log needs to log a model."""

    @staticmethod
    def save_model(path, mlflow_model, **_):
        os.makedirs(path, exist_ok=True)
        (Path(path) / "weights.json").write_text('{"w": 1}')
        mlflow_model.add_flavor("toy", data="weights.json")
        mlflow_model.save(os.path.join(path, "MLmodel"))


def test_a_model_is_logged_registered_and_loaded(client, experiment, tmp_path, server):
    from mlflow.models import Model
    name = f"fare-{random.getrandbits(32):x}"
    with mlflow.start_run() as active:
        mlflow.log_metric("rmse", 0.5)
        info = Model.log(artifact_path=None, name="model", flavor=Flavour, registered_model_name=name, await_registration_for=None)
    logged = client.get_logged_model(info.model_id)
    assert str(logged.status) == "READY" and logged.source_run_id == active.info.run_id
    assert [m.model_id for m in client.search_logged_models([experiment], filter_string="name = 'model'")] == [info.model_id]
    assert [o.model_id for o in client.get_run(active.info.run_id).outputs.model_outputs] == [info.model_id]
    client.set_logged_model_tags(info.model_id, {"k": "v"})
    assert client.get_logged_model(info.model_id).tags["k"] == "v"
    client.delete_logged_model_tag(info.model_id, "k")

    version = client.get_model_version(name, "1")
    assert version.run_id == active.info.run_id and version.status == "READY"
    client.set_registered_model_alias(name, "champion", "1")
    assert client.get_model_version_by_alias(name, "champion").version == "1"
    assert client.get_registered_model(name).aliases == {"champion": "1"}
    down = mlflow.artifacts.download_artifacts(artifact_uri=f"models:/{name}@champion", dst_path=str(tmp_path))
    assert json.loads((Path(down) / "weights.json").read_text()) == {"w": 1}
    assert Model.load(f"models:/{name}/1").flavors["toy"] == {"data": "weights.json"}
    graph = server.ok("GET", "/lineage", params={"kind": "model_version", "id": f"{name}@1", "direction": "up"})
    assert [n["id"] for n in graph["nodes"]] == [f"{name}@1", active.info.run_id]


def test_the_registry(client, experiment):
    name = f"m-{random.getrandbits(32):x}"
    run = client.create_run(experiment)
    source = f"{run.info.artifact_uri}/model"
    client.create_registered_model(name, tags={"team": "x"}, description="d")
    refused("RESOURCE_ALREADY_EXISTS", f"Registered Model (name={name}) already exists", client.create_registered_model, name)
    for i in range(3):
        v = client.create_model_version(name, source, run.info.run_id, tags={"i": str(i)}, description=f"v{i}", await_creation_for=None)
        assert v.version == str(i + 1)
    client.delete_model_version(name, "3")
    assert client.create_model_version(name, source, run.info.run_id, await_creation_for=None).version == "4"
    assert client.get_model_version_download_uri(name, "1") == source
    assert {v.version for v in client.search_model_versions(f"name = '{name}'")} == {"1", "2", "4"}
    assert [v.version for v in client.search_model_versions(f"name = '{name}' AND tags.i = '1'")] == ["2"]
    assert [v.version for v in client.search_model_versions(f"run_id = '{run.info.run_id}'", order_by=["version_number ASC"])] == ["1", "2", "4"]
    client.transition_model_version_stage(name, "1", "Staging")
    client.transition_model_version_stage(name, "2", "staging", archive_existing_versions=True)
    assert {(v.current_stage, v.version) for v in client.get_latest_versions(name)} == {("None", "4"), ("Staging", "2"), ("Archived", "1")}
    client.set_model_version_tag(name, "1", "a", "b")
    client.delete_model_version_tag(name, "1", "i")
    assert client.get_model_version(name, "1").tags == {"a": "b"}
    client.update_model_version(name, "1", "new words")
    assert client.get_model_version(name, "1").description == "new words"
    client.set_registered_model_tag(name, "k", "v")
    assert client.get_registered_model(name).tags == {"team": "x", "k": "v"}
    assert [m.name for m in client.search_registered_models(f"name LIKE '{name[:8]}%' AND tags.k = 'v'")] == [name]
    client.set_registered_model_alias(name, "best", "1")
    client.set_registered_model_alias(name, "best", "2")
    assert client.get_model_version_by_alias(name, "best").version == "2"
    client.delete_registered_model_alias(name, "best")
    refused("INVALID_PARAMETER_VALUE", "alias best not found", client.get_model_version_by_alias, name, "best")
    client.rename_registered_model(name, name + "x")
    refused("RESOURCE_DOES_NOT_EXIST", "not found", client.get_registered_model, name)
    assert len(client.search_model_versions(f"name = '{name}x'")) == 3
    client.delete_registered_model(name + "x")
    assert client.search_model_versions(f"name = '{name}x'") == []
    refused("INVALID_PARAMETER_VALUE", "Names cannot contain", client.create_registered_model, "a/b")
    client.create_registered_model(name)
    refused("INVALID_PARAMETER_VALUE", "Invalid model version source", client.create_model_version, name, "/etc/passwd", await_creation_for=None)
    refused("INVALID_PARAMETER_VALUE", "Invalid model version source", client.create_model_version, name, "s3://b/../../x", await_creation_for=None)


def test_prompts_stay_apart(client):
    name = f"p-{random.getrandbits(32):x}"
    client.register_prompt(name, "Hi {{x}}", commit_message="first")
    client.register_prompt(name, "Hello {{x}}")
    assert client.get_prompt_version(name, 2).template == "Hello {{x}}"
    client.set_prompt_alias(name, "live", 1)
    assert client.load_prompt(f"prompts:/{name}@live").template == "Hi {{x}}"
    assert name in [p.name for p in client.search_prompts()]
    assert client.search_registered_models(f"name = '{name}'") == []
    assert client.search_model_versions(f"name = '{name}'") == []


# --- the wire ----------------------------------------------------------------------------------------------


def test_what_stands_on_the_wire(server):
    run = server.ok("POST", f"{API2}/runs/create", json={"experiment_id": "0", "start_time": 5, "unknown": 1})["run"]
    assert run["info"]["start_time"] == 5 and "end_time" not in run["info"] and run["info"]["run_uuid"] == run["info"]["run_id"]
    rid = run["info"]["run_id"]
    assert server.ok("POST", f"{API2}/runs/log-metric", json={"run_uuid": rid, "key": "m", "value": "NaN", "timestamp": "7"}) == {}
    got = server.ok("GET", f"{API2}/runs/get", params={"run_uuid": rid})["run"]
    assert got["data"]["metrics"] == [{"key": "m", "value": "NaN", "timestamp": 7, "step": 0}]
    assert "params" not in got["data"]
    assert server.ok("POST", f"{API2}/runs/search", json={"experiment_ids": ["0"], "filter": "params.none = 'x'"}) == {}
    assert server.ok("POST", f"{API2}/runs/update", json={"run_id": rid, "status": 3, "end_time": 9})["run_info"]["status"] == "FINISHED"
    assert server.ok("GET", "!/ajax-api/2.0/mlflow/runs/get", params={"run_id": rid})["run"]["info"]["end_time"] == 9
    assert server.ok("GET", f"{API2}/metrics/get-history", params={"run_id": rid, "metric_key": "m"})["metrics"][0]["timestamp"] == 7
    sampled = server.ok("GET", f"{API2}/metrics/get-history-bulk-interval", params={"run_ids": [rid], "metric_key": "m"})
    assert sampled["metrics"][0]["run_id"] == rid
    assert server.api("GET", "!/version", token="").text == "3.16.0"
    unknown = server.api("GET", f"{API2}/no-such-thing")
    assert unknown.status_code == 404 and "json" not in unknown.headers["Content-Type"]
    mpu = server.api("POST", "!/api/2.0/mlflow-artifacts/mpu/create/a/b", json={"path": "b", "num_parts": 1})
    assert mpu.status_code == 501 and mpu.json()["message"].startswith("Multipart upload is not supported for the current artifact repository")


@pytest.mark.parametrize("path, body, text", [
    ("runs/log-metric", {"run_id": "x", "value": 1, "timestamp": 1}, "Missing value for required parameter 'key'"),
    ("runs/log-metric", {"run_id": "x", "key": "m", "timestamp": 1}, "Missing value for required parameter 'value'"),
    ("runs/log-metric", {"run_id": "x", "key": "m", "value": "abc", "timestamp": 1}, "Invalid value \"abc\" for parameter 'value' supplied"),
    ("runs/log-metric", {"run_id": "x", "key": "m", "value": True, "timestamp": 1}, "Invalid value true for parameter 'value' supplied"),
    ("runs/log-metric", {"key": "m", "value": 1, "timestamp": 1}, "Missing value for required parameter 'run_id'"),
    ("experiments/create", {"name": 123}, "Invalid value 123 for parameter 'name' supplied"),
    ("experiments/create", {}, "Missing value for required parameter 'name'"),
    ("experiments/create", {"name": "x", "artifact_location": "runs:/a"}, "cannot be a runs:/ URI"),
    ("experiments/search", {"max_results": 0}, "max_results"),
    ("experiments/search", {"max_results": 50001}, "max_results"),
    ("runs/search", {"experiment_ids": ["0"], "page_token": "@@"}, "Invalid page token"),
    ("runs/search", {"experiment_ids": ["0"], "page_token": base64.b64encode(b'{"offset": 0}').decode()}, "Invalid page token"),
    ("runs/search", {"experiment_ids": ["x"]}, "must be a valid integer"),
    ("runs/log-batch", {"run_id": "x", "metrics": [{"key": "a", "value": 1, "timestamp": 1}] * 1001}, "at most 1000 metrics"),
    ("runs/log-batch", {"run_id": "a b"}, "run_id"),
    ("runs/create", {"experiment_id": "0", "run_name": "a", "tags": [{"key": "mlflow.runName", "value": "b"}]}, "but with different values"),
])
def test_bad_input_is_named(server, path, body, text):
    answer = server.api("POST", f"{API2}/{path}", json=body)
    assert answer.status_code == 400 and answer.json()["error_code"] == "INVALID_PARAMETER_VALUE"
    assert text in answer.json()["message"]


def test_other_errors(server):
    missing = server.api("GET", f"{API2}/runs/get", params={"run_id": "0" * 32})
    assert missing.status_code == 404 and missing.json() == {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": f"Run with id={'0' * 32} not found"}
    assert server.api("GET", f"{API2}/experiments/get-by-name", params={"experiment_name": "?"}).status_code == 404
    form = server.api("POST", f"{API2}/runs/search", data="x=1", headers={"Content-Type": "application/x-www-form-urlencoded"})
    assert form.status_code == 400 and "Content-Type must be one of" in form.json()["message"]
    broken = server.api("POST", f"{API2}/runs/search", data="{", headers={"Content-Type": "application/json"})
    assert broken.status_code == 400 and broken.json()["error_code"] == "INVALID_PARAMETER_VALUE"
    assert server.api("GET", f"{API2}/runs/get", token="wrong").status_code == 401


# --- proof and durability -------------------------------------------------------------------------------------


def test_checks_pass_and_then_see_damage(make_cairn):
    server = make_cairn()
    client = use(server)
    run = client.create_run("0")
    client.log_metric(run.info.run_id, "m", 1)
    client.log_text(run.info.run_id, "hello", "model/MLmodel")
    client.create_registered_model("checked")
    client.create_model_version("checked", f"{run.info.artifact_uri}/model", run.info.run_id, await_creation_for=None)
    client.set_registered_model_alias("checked", "champion", "1")
    only = {"only": ["tracking.", "registry."]}
    result = server.run_task("POST", "/verify", json=only)
    assert (result["passed"], result["failed"]) == (5, 0), result
    blob = next(p for p in (server.data_dir / "blobs" / "objects").rglob("*") if p.is_file())
    blob.chmod(0o600)
    blob.write_bytes(b"hellO")
    result = server.run_task("POST", "/verify", json=only)
    failed = {c["id"]: c["evidence"] for c in result["checks"] if c["outcome"] == "failed"}
    assert set(failed) == {"tracking.artifacts_are_whole", "registry.versions_are_whole"}, result
    assert any("damaged" in line for line in failed["registry.versions_are_whole"])


def test_kill_9_loses_nothing_acknowledged(make_cairn):
    server = make_cairn()
    use(server)
    headers = {"Authorization": f"Bearer {server.token}"}
    rid = server.ok("POST", f"{API2}/runs/create", json={"experiment_id": "0"})["run"]["info"]["run_id"]
    acknowledged, stop = [[] for _ in range(4)], threading.Event()

    def write(k):
        import requests
        session, i = requests.Session(), 0
        session.trust_env = False
        while not stop.is_set():
            body = {"run_id": rid, "metrics": [{"key": f"w{k}", "value": i * 10 + j, "timestamp": i * 10 + j, "step": i} for j in range(10)],
                    "params": [{"key": f"p{k}.{i}", "value": str(i)}]}
            try:
                if session.post(f"{server.url}/api/2.0/mlflow/runs/log-batch", json=body, headers=headers, timeout=10).status_code == 200:
                    acknowledged[k].append(i)
            except requests.RequestException:
                return
            i += 1

    threads = [threading.Thread(target=write, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    time.sleep(1.0)
    server.kill9()
    stop.set()
    for thread in threads:
        thread.join()
    assert all(acknowledged)
    server.start()
    client = use(server)
    params = client.get_run(rid).data.params
    for k, batches in enumerate(acknowledged):
        values = {m.value for m in client.get_metric_history(rid, f"w{k}")}
        for i in batches:
            assert params[f"p{k}.{i}"] == str(i)
            assert {i * 10 + j for j in range(10)} <= values
        # A batch is there whole or not at all.
        assert len(values) % 10 == 0
    result = server.run_task("POST", "/verify", json={"only": ["tracking."]})
    assert result["failed"] == 0, result
