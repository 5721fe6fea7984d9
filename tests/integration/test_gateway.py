"""Endpoints over the Open Inference Protocol: answers, features, limits, swaps, errors, records and proof."""

import json
import sqlite3
import threading
import time

import numpy as np
import pytest
import served
from served import close, expected, infer, request_of, tensor, trips


@pytest.fixture(scope="module")
def fare(cairn):
    """A cairn with the endpoint `fare`; everything after it in this module shares it."""
    cairn.endpoint = served.build(cairn)
    return cairn


def rows(n, seed=11):
    return list(trips(n, seed=seed))


def key_for(cairn, scope):
    return cairn.ok("POST", "/keys", json={"name": "test-" + scope.replace(":", "-"), "scope": scope})["key"]


def outcome(cairn, check):
    report = cairn.run_task("POST", "/verify", json={"only": [check]})
    found = [c for c in report["checks"] if c["id"] == check]
    assert len(found) == 1, report
    return found[0]["outcome"], found[0]["evidence"]


# --- answers -----------------------------------------------------------------------------------------------------


def test_an_endpoint_tells_what_it_takes(fare):
    d = fare.endpoint
    assert (d["version"], d["revision"], d["state"], d["runtime"]) == (1, 1, "ready", "xgboost")
    assert {(i["name"], i["datatype"]) for i in d["inputs"]} == {
        ("distance", "FP32"), ("passengers", "FP32"), ("hour", "FP32"), ("zone", "BYTES")}
    meta = fare.ok("GET", "!/v2/models/fare")
    assert meta["versions"] == ["1"] and meta["platform"] == "xgboost"
    assert meta["outputs"] == [{"name": "fare", "datatype": "FP32", "shape": [-1]}]
    assert fare.ok("GET", "!/v2/models/fare/versions/1") == meta
    assert fare.ok("GET", "!/v2/models/fare/ready") == {"name": "fare", "ready": True}
    assert fare.api("GET", "!/v2/health/live", token="").json() == {"live": True}
    assert fare.api("GET", "!/v2/health/ready", token="").json() == {"ready": True}
    assert "binary_tensor_data" in fare.api("GET", "!/v2", token="").json()["extensions"]


def test_it_answers_with_features_read_online(fare):
    for row in rows(20):
        answer = infer(fare, request_of([row]))
        assert answer.status_code == 200, answer.text
        body = answer.json()
        assert body["model_name"] == "fare" and body["model_version"] == "1"
        assert body["parameters"]["feature_status"] == "present=2"
        assert answer.headers["Cairn-Prediction-Id"] == body["parameters"]["prediction_id"]
        assert body["outputs"][0]["shape"] == [1]
        assert close(body["outputs"][0]["data"][0], row), (row, body)
    # The zone alone moves the fare: what the online features are for.
    row = rows(1)[0]
    by_zone = {z: infer(fare, request_of([{**row, "zone": z}])).json()["outputs"][0]["data"][0] for z in served.ZONES}
    assert 4 < by_zone["SoHo"] - by_zone["Astoria"] < 8


def test_a_batch_answers_as_its_rows_do(fare):
    some = rows(50)
    alone = [infer(fare, request_of([r])).json()["outputs"][0]["data"][0] for r in some]
    body = infer(fare, request_of(some)).json()
    assert body["outputs"][0]["data"] == pytest.approx(alone, abs=1e-5)
    batch_id = body["parameters"]["prediction_id"]
    for i in (0, 49):
        assert fare.ok("GET", f"/predictions/{batch_id}.{i}")["output"] == pytest.approx(alone[i], abs=1e-5)
    column = request_of(some)
    for t in column["inputs"]:
        t["shape"], t["data"] = [50, 1], [[v] for v in t["data"]]
    assert infer(fare, column).json()["outputs"][0]["data"] == body["outputs"][0]["data"]


def test_number_types_are_taken_as_they_come(fare):
    row = rows(1)[0]
    plain = infer(fare, request_of([row])).json()["outputs"][0]["data"]
    typed = {"inputs": [tensor("distance", [row["distance"]], "FP64"), tensor("passengers", [row["passengers"]], "UINT8"),
                        tensor("hour", [row["hour"]], "INT64"), tensor("zone", [row["zone"]], "BYTES")]}
    assert infer(fare, typed).json()["outputs"][0]["data"] == plain


def test_an_unknown_key_is_told(fare):
    body = infer(fare, request_of([{**rows(1)[0], "zone": "Atlantis"}])).json()
    assert body["parameters"]["feature_status"] == "not_found=2"
    stored = fare.ok("GET", f"/predictions/{body['parameters']['prediction_id']}")
    assert stored["inputs"]["extra_avg"] is None and stored["inputs"]["distance"] is not None


def test_as_of_moves_the_age_of_features(fare):
    row = request_of(rows(1))
    row["parameters"] = {"as_of": "2019-04-02T00:00:00Z"}
    assert infer(fare, row).json()["parameters"]["feature_status"] == "present=2"
    row["parameters"] = {"as_of": "2019-06-01T00:00:00Z"}
    assert infer(fare, row).json()["parameters"]["feature_status"] == "too_old=2"
    row["parameters"] = {"as_of": "yesterday"}
    assert infer(fare, row).status_code == 400


def test_the_whole_matrix_is_taken_too(fare):
    body = infer(fare, request_of(rows(1))).json()
    stored = fare.ok("GET", f"/predictions/{body['parameters']['prediction_id']}")
    vector = list(stored["inputs"].values())
    whole = infer(fare, {"inputs": [tensor("input", [vector], "FP32", [1, len(vector)])]}).json()
    assert whole["outputs"][0]["data"] == body["outputs"][0]["data"]


# --- Triton's client ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize("binary_out", [True, False])
def test_tritons_client_needs_no_change(fare, binary, binary_out):
    triton = pytest.importorskip("tritonclient.http")
    key = key_for(fare, "endpoint.invoke:fare")
    headers = {"Authorization": f"Bearer {key}"}
    client = triton.InferenceServerClient(fare.url.removeprefix("http://"))
    assert client.is_server_live(headers=headers) and client.is_server_ready(headers=headers)
    assert client.is_model_ready("fare", headers=headers) and client.is_model_ready("fare", "1", headers=headers)
    assert not client.is_model_ready("nothing", headers=headers)
    assert client.get_server_metadata(headers=headers)["name"] == "cairn"
    meta = client.get_model_metadata("fare", headers=headers)
    some = rows(30)
    inputs = []
    for m in meta["inputs"]:
        values = [r[m["name"]] for r in some]
        array = np.array(values, dtype=np.object_ if m["datatype"] == "BYTES" else np.float32)
        t = triton.InferInput(m["name"], list(array.shape), m["datatype"])
        t.set_data_from_numpy(array, binary_data=binary)
        inputs.append(t)
    outputs = [triton.InferRequestedOutput("fare", binary_data=binary_out)]
    result = client.infer("fare", inputs, outputs=outputs, request_id="q1", headers=headers)
    assert result.get_response()["id"] == "q1" and result.get_response()["model_version"] == "1"
    got = result.as_numpy("fare")
    assert got.shape == (30,) and got.dtype == np.float32
    assert got.tolist() == pytest.approx(infer(fare, request_of(some)).json()["outputs"][0]["data"], abs=1e-6)
    assert client.infer("fare", inputs, headers=headers).as_numpy("fare").tolist() == got.tolist()
    with pytest.raises(triton.InferenceServerException if hasattr(triton, "InferenceServerException") else Exception) as refused:
        client.infer("fare", [], headers={"Authorization": f"Bearer {key}"})   # it writes into the dictionary it is given
    assert "no inputs" in str(refused.value)
    client.close()


# --- what is refused, and how --------------------------------------------------------------------------------------


def bad(cairn, body, status, says, **kwargs):
    answer = infer(cairn, body, **kwargs)
    assert answer.status_code == status, answer.text
    assert set(answer.json()) == {"error"} and says in answer.json()["error"], answer.text


def test_bad_input_is_refused_with_its_reason(fare):
    good = request_of(rows(2))

    def but(i, **change):
        body = json.loads(json.dumps(good))
        body["inputs"][i].update(change)
        return body

    bad(fare, but(0, name="dist"), 400, "there is no input 'dist'; the inputs are distance, passengers, hour, zone")
    bad(fare, but(0, name="extra_avg"), 400, "read from feature view zone_stats")
    bad(fare, but(0, datatype="BYTES", data=["1", "2"]), 400, "tensor 'distance' is BYTES")
    bad(fare, but(3, datatype="FP32", data=[1, 2]), 400, "tensor 'zone' is FP32; expected is BYTES")
    bad(fare, but(0, shape=[3]), 400, "2 elements where its shape needs 3")
    bad(fare, but(0, shape=[1, 2]), 400, "expected is [n] or [n,1]")
    bad(fare, but(1, shape=[1], data=[1]), 400, "where the first tensor has 2 rows")
    bad(fare, but(0, data=["a", "b"]), 400, "a text, which FP32 does not hold")
    bad(fare, {**good, "outputs": [{"name": "tip"}]}, 400, "there is no output 'tip'")
    bad(fare, {"inputs": []}, 400, "no inputs")
    bad(fare, [], 400, "JSON object")
    bad(fare, good, 404, "model 'nothing' does not exist", endpoint="nothing")
    bad(fare, good, 404, "serves version 1, not 7", endpoint="fare/versions/7")
    answer = fare.api("POST", "!/v2/models/fare/infer", data=b"{", headers={"Content-Type": "application/json"})
    assert answer.status_code == 400 and "line 1, column 2" in answer.json()["error"]
    answer = fare.api("POST", "!/v2/models/fare/infer", data=b"{}", headers={"Inference-Header-Content-Length": "99"})
    assert answer.status_code == 400 and "99" in answer.json()["error"]
    answer = fare.api("POST", "!/v2/models/fare/infer", data=b"{}", headers={"Content-Encoding": "gzip"})
    assert answer.status_code == 400 and "gzip" in answer.json()["error"]


def test_too_much_is_refused(fare):
    bad(fare, request_of(rows(1025)), 413, "takes at most 1024 at once")
    answer = fare.api("POST", "!/v2/models/fare/infer", data=b" " * (65 << 20))
    assert answer.status_code == 413 and set(answer.json()) == {"error"}


def test_keys_are_required_and_limited(fare):
    good = request_of(rows(1))
    bad(fare, good, 401, "token", token="cairn_nobody")
    answer = fare.session.post(fare.url + "/v2/models/fare/infer", json=good)
    assert answer.status_code == 401 and set(answer.json()) == {"error"}
    mine, other = key_for(fare, "endpoint.invoke:fare"), key_for(fare, "endpoint.invoke:other")
    assert infer(fare, good, token=mine).status_code == 200
    bad(fare, good, 403, "may not", token=other)
    assert fare.api("GET", "!/v2/models/fare", token=other).status_code == 403
    assert fare.api("GET", "/endpoints", token=mine).status_code == 403
    bad(fare, {**good, "parameters": {"cairn_probe": True}}, 403, "without a record", token=mine)


def test_the_rate_is_limited(fare):
    fare.ok("POST", "/endpoints", json={"name": "slow", "model": "fare/1", "rate": {"per_second": 5, "burst": 10}})
    good = request_of(rows(1))
    answers = [infer(fare, good, endpoint="slow") for _ in range(30)]
    codes = [a.status_code for a in answers]
    assert 10 <= codes.count(200) <= 14 and codes.count(429) == 30 - codes.count(200)
    refused = answers[codes.index(429)]
    assert "allows 5 predictions a second" in refused.json()["error"] and int(refused.headers["Retry-After"]) >= 1
    time.sleep(1)
    assert infer(fare, good, endpoint="slow").status_code == 200
    fare.ok("DELETE", "/endpoints/slow")
    bad(fare, good, 404, "taken away", endpoint="slow")
    again = fare.ok("POST", "/endpoints", json={"name": "slow", "model": "fare/1"})
    assert again["revision"] == 2   # the revisions of a name never come twice: lineage names them
    fare.ok("DELETE", "/endpoints/slow")
    assert fare.api("DELETE", "/endpoints/slow").status_code == 404


def test_a_bad_definition_changes_nothing(fare):
    before = fare.ok("GET", "/endpoints")["endpoints"]

    def refused(says, **body):
        answer = fare.api("POST", "/endpoints", json={"name": "fare", "model": "fare@champion", **body})
        assert answer.status_code in (400, 404), answer.text
        assert says in answer.json()["error"]["message"], answer.text

    refused("nobody", model="nobody@champion")
    refused("champ", model="fare@champ")
    refused("max_batch_rows", max_batch_rows=0)
    refused("per_second", rate={"burst": 5})
    refused("modell", modell="x")
    refused("yesterday", feature_time="yesterday")
    after = fare.ok("GET", "/endpoints")["endpoints"]
    assert [(d["name"], d["revision"]) for d in after] == [(d["name"], d["revision"]) for d in before]
    same = fare.ok("POST", "/endpoints", json={"name": "fare", "model": "fare@champion", "feature_time": "materialised"})
    assert same["revision"] == before[0]["revision"]   # applied again: nothing to do


# --- swaps -------------------------------------------------------------------------------------------------------------


def test_a_moved_alias_is_followed_without_a_failed_request(fare):
    search = served.train(fare, rounds=3, seed=5)
    stop, codes, versions = threading.Event(), [], []

    def ask():
        import requests
        session, body = requests.Session(), request_of(rows(1))
        while not stop.is_set():
            answer = session.post(fare.url + "/v2/models/fare/infer", json=body, headers={"Authorization": f"Bearer {fare.token}"})
            codes.append(answer.status_code)
            versions.append(answer.json().get("model_version"))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for t in threads:
        t.start()
    second = served.register(fare, "fare", search["best_run_id"])     # moves champion
    deadline = time.monotonic() + 20
    while fare.ok("GET", "/endpoints/fare")["version"] != second and time.monotonic() < deadline:
        time.sleep(0.1)
    for _ in range(5):
        fare.ok("POST", "/api/2.0/mlflow/registered-models/alias", json={"name": "fare", "alias": "champion", "version": "1"})
        assert fare.ok("POST", "/endpoints/fare/refresh")["version"] == 1
        fare.ok("POST", "/api/2.0/mlflow/registered-models/alias", json={"name": "fare", "alias": "champion", "version": str(second)})
        assert fare.ok("POST", "/endpoints/fare/refresh")["version"] == second
    fare.ok("POST", "/api/2.0/mlflow/registered-models/alias", json={"name": "fare", "alias": "champion", "version": "1"})
    shown = fare.ok("POST", "/endpoints/fare/refresh")
    stop.set()
    for t in threads:
        t.join()
    assert set(codes) == {200} and len(codes) > 50
    assert set(versions) == {"1", str(second)}
    assert shown["version"] == 1 and shown["revision"] >= 12
    trail = fare.ok("GET", "/audit", params={"object": "endpoint:fare"})
    assert {"endpoint.apply", "endpoint.follow"} <= {a["action"] for a in trail["entries"]}, trail


def test_live_numbers_are_shown(fare):
    for r in rows(50):
        infer(fare, request_of([r]))
    live = fare.ok("GET", "/endpoints/fare")["live"]
    assert live["n"] >= 50 and live["answered"] >= 50 and live["failed"] >= 10
    assert 0 < live["p50_ms"] <= live["p95_ms"] <= live["p99_ms"] < 5000


# --- on record ------------------------------------------------------------------------------------------------------------


def test_a_prediction_leads_back_to_its_source(fare):
    body = infer(fare, request_of(rows(1))).json()
    graph = fare.ok("GET", f"/predictions/{body['parameters']['prediction_id']}/lineage")
    kinds = {}
    for n in graph["nodes"]:
        kinds.setdefault(n["kind"], []).append(n["id"])
    revision = fare.ok("GET", "/endpoints/fare")["revision"]
    assert kinds["endpoint"] == [f"fare@{revision}"] and kinds["model_version"] == ["fare@1"]
    assert set(kinds["dataset_version"]) == {"trips@1", "zone_stats@1"}
    assert len(kinds["source"]) == 2 and len(kinds["run"]) == 1 and len(kinds["training_set"]) == 1
    assert any(i.startswith("zone_stats@mt_") for i in kinds["feature_view"])
    # Every edge joins two of the nodes, and everything is reached from the prediction.
    ids = {(n["kind"], n["id"]) for n in graph["nodes"]}
    reached, edge = {("prediction", body["parameters"]["prediction_id"])}, graph["edges"]
    for _ in range(12):
        reached |= {(x["from_kind"], x["from_id"]) for x in edge if (x["to_kind"], x["to_id"]) in reached}
    assert reached == ids


def test_endpoints_come_back_after_kill9(fare):
    row = request_of(rows(1))
    before = infer(fare, row).json()
    fare.kill9()
    fare.start()
    after = infer(fare, row).json()
    assert after["outputs"] == before["outputs"]
    assert fare.ok("GET", f"/predictions/{before['parameters']['prediction_id']}")["output"] == pytest.approx(before["outputs"][0]["data"][0])


# --- proof: each check passes, and a seeded failure fails it --------------------------------------------------------------------


def database(cairn):
    return sqlite3.connect(cairn.data_dir / "cairn.db", timeout=30)


def test_the_checks_pass_and_can_fail(fare):
    for r in rows(30, seed=5):
        infer(fare, request_of([r]))
    for check in ("gateway.endpoints_answer", "gateway.predictions_recorded", "gateway.lineage_unbroken"):
        assert outcome(fare, check)[0] == "passed", outcome(fare, check)

    newest = fare.ok("GET", "/predictions", params={"limit": 1})["predictions"][0]
    with database(fare) as db:   # what is on record is not what the model says
        db.execute("UPDATE predictions SET output = output + 1 WHERE id = ?", (newest["id"],))
    assert outcome(fare, "gateway.endpoints_answer")[0] == "failed"
    with database(fare) as db:
        db.execute("UPDATE predictions SET output = output - 1 WHERE id = ?", (newest["id"],))
    assert outcome(fare, "gateway.endpoints_answer")[0] == "passed"

    with database(fare) as db:   # the line is broken at the training set
        edges = db.execute("SELECT * FROM lineage_edge WHERE to_kind = 'run'").fetchall()
        db.execute("DELETE FROM lineage_edge WHERE to_kind = 'run'")
    assert outcome(fare, "gateway.lineage_unbroken")[0] == "failed"
    with database(fare) as db:
        db.executemany("INSERT INTO lineage_edge VALUES (?, ?, ?, ?, ?)", edges)
    assert outcome(fare, "gateway.lineage_unbroken")[0] == "passed"

    with database(fare) as db:   # a prediction was answered and is nowhere
        db.execute("DELETE FROM predictions WHERE seq = (SELECT MAX(seq) - 3 FROM predictions)")
    assert outcome(fare, "gateway.predictions_recorded")[0] == "failed"
    assert outcome(fare, "observe.log_complete")[0] == "failed"


# --- the same over PostgreSQL -------------------------------------------------------------------------------------------------


def test_the_road_over_postgresql(make_cairn, postgres):
    one = make_cairn(config=f'database: "{postgres("gateway")}"\n')
    served.build(one)
    told = []
    for r in rows(120, seed=81):
        body = infer(one, request_of([r])).json()
        told.append((body["parameters"]["prediction_id"], body["outputs"][0]["data"][0], r["fare"]))
    answer = one.ok("POST", "/labels", json={"labels": [{"prediction_id": i, "value": v} for i, _, v in told]})
    assert answer == {"accepted": 120, "matched": 120, "waiting": 0}
    q = one.ok("GET", "/endpoints-quality", params={"endpoint": "fare"})["quality"][0]
    assert q["mae"] == pytest.approx(sum(abs(p - v) for _, p, v in told) / 120, abs=1e-5) and q["parts"]
    one.ok("POST", "/alert-rules", json={"rules": [
        {"name": "off", "metric": "error", "endpoint": "fare", "bound": 0.001}, {"name": "busy", "metric": "rate", "endpoint": "fare", "bound": 1e6}]})
    assert [a["state"] for a in one.ok("POST", "/alerts/evaluate")["alerts"]] == ["ok", "firing"]
    one.kill9()
    one.start()
    assert infer(one, request_of(rows(1))).status_code == 200
    assert one.ok("GET", f"/predictions/{told[-1][0]}")["label"] == told[-1][2]
    deadline = time.monotonic() + 25
    while not one.ok("GET", "/series", params={"name": "cairn_predict_requests_total"})["series"] and time.monotonic() < deadline:
        time.sleep(0.5)
    assert one.ok("GET", "/series", params={"name": "cairn_predict_requests_total"})["series"]
    report = one.run_task("POST", "/verify", json={"only": ["gateway.", "observe."]})
    assert report["failed"] == 0 and report["passed"] == 6, report
