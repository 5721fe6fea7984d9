"""Predictions on record, drift against training, labels that come later, alerts, and Prometheus as their reader."""

import math
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import threading
import time

import pytest
import requests
import served
from served import infer, request_of, trips

CONFIG = "observe: {window_rows: 300, min_samples: 100, segment_mb: 1}\n"


@pytest.fixture(scope="module")
def fare():
    """A cairn of this module's own: small windows, the endpoint `fare`."""
    import tempfile
    from pathlib import Path

    from running import Cairn
    with tempfile.TemporaryDirectory(prefix="cairn-test-") as tmp:
        one = Cairn(Path(tmp) / "data", CONFIG).start()
        served.build(one)
        yield one
        one.stop()


def send(cairn, rows, labels=True):
    """Asks for each row alone; returns (id, answer, row) and sends what came true."""
    told = []
    for r in rows:
        body = infer(cairn, request_of([r])).json()
        told.append((body["parameters"]["prediction_id"], body["outputs"][0]["data"][0], r))
    if labels:
        cairn.ok("POST", "/labels", json={"labels": [{"prediction_id": i, "value": r["fare"]} for i, _, r in told]})
    return told


def drift(cairn):
    return {d["column"]: d for d in cairn.ok("GET", "/drift", params={"endpoint": "fare"})["drift"]}


def alert(cairn, rule):
    return next(a for a in cairn.ok("GET", "/alerts")["alerts"] if a["rule"] == rule)


def outcome(cairn, check):
    report = cairn.run_task("POST", "/verify", json={"only": [check]})
    return next(c for c in report["checks"] if c["id"] == check)["outcome"]


def database(cairn):
    return sqlite3.connect(cairn.data_dir / "cairn.db", timeout=30)


# --- drift ------------------------------------------------------------------------------------------------------------


def test_traffic_as_trained_does_not_drift(fare):
    send(fare, trips(320, seed=21))
    seen = drift(fare)
    assert set(seen) == {"distance", "passengers", "hour", "extra_avg", "trips_7d", "fare"}
    assert seen["fare"]["role"] == "prediction" and seen["distance"]["role"] == "input"
    assert all(seen[c]["n"] == 300 for c in seen)
    for column in ("distance", "passengers", "hour", "fare"):
        assert seen[column]["psi"] < 0.2 and seen[column]["verdict"] in ("stable", "moderate"), seen[column]
    # The features all come from one day: a view that is no longer brought online shows as drift.
    assert seen["trips_7d"]["verdict"] == "drifted"


def test_psi_is_what_the_records_give(fare):
    """Computed here, from the stored reference profile and the stored predictions, by the formula."""
    mlflow = "/api/2.0/mlflow"
    run_id = fare.ok("GET", f"{mlflow}/model-versions/get", params={"name": "fare", "version": "1"})["model_version"]["run_id"]
    uri = fare.ok("GET", f"{mlflow}/runs/get", params={"run_id": run_id})["run"]["info"]["artifact_uri"]
    profile = fare.ok("GET", uri.replace("mlflow-artifacts:/", "/api/2.0/mlflow-artifacts/artifacts/") + "/model/reference.json")
    send(fare, trips(5, seed=20), labels=False)
    rows = fare.ok("GET", "/predictions", params={"endpoint": "fare", "limit": 300})["predictions"]
    seen = drift(fare)
    for part in profile["columns"]:
        column = part["name"]
        values = [r["output"] if column == "fare" else r["inputs"][column] for r in rows]
        counts = [0] * len(part["shares"])
        for v in values:
            counts[len(part["edges"]) + 1 if v is None else sum(v >= edge for edge in part["edges"])] += 1
        psi = 0.0
        for share, count in zip(part["shares"], counts):
            if share == 0 and count == 0:
                continue
            r, c = max(share, 0.0001), max(count / len(values), 0.0001)
            psi += (c - r) * math.log(c / r)
        assert seen[column]["psi"] == pytest.approx(psi, abs=1e-9), column


def test_moved_traffic_is_drift_and_raises_an_alert(fare):
    rules = """
rules:
  - {name: distance-drift, metric: drift, endpoint: fare, column: distance, op: ">=", bound: 0.25, severity: critical, doc: Train again.}
  - {name: fare-drift, metric: prediction_drift, endpoint: fare, bound: 0.25, for: 1h}
  - {name: fare-error, metric: error, endpoint: fare, op: ">", bound: 3, min_samples: 20}
  - {name: slow, metric: latency_p99, endpoint: fare, op: ">", bound: 60000}
  - {name: requests, metric: cairn_predict_requests_total, endpoint: fare, op: ">", bound: 1e9}
"""
    answer = fare.api("POST", "/alert-rules", data=rules.encode(), headers={"Content-Type": "application/yaml"})
    assert answer.status_code == 200, answer.text
    states = {a["rule"]: a["state"] for a in fare.ok("POST", "/alerts/evaluate")["alerts"]}
    assert states == dict.fromkeys(["distance-drift", "fare-drift", "fare-error", "slow", "requests"], "ok")
    before = alert(fare, "distance-drift")
    assert before["n"] == 300 and before["value"] == pytest.approx(drift(fare)["distance"]["psi"])

    far = [{**r, "distance": r["distance"] + 9, "fare": r["fare"] + 2.5 * 9} for r in trips(300, seed=22)]
    send(fare, far)
    assert drift(fare)["distance"]["verdict"] == "drifted"
    fare.ok("POST", "/alerts/evaluate")
    assert alert(fare, "distance-drift")["state"] == "firing" and alert(fare, "distance-drift")["value"] > 0.25
    assert alert(fare, "fare-drift")["state"] == "pending"      # it must hold for an hour
    assert alert(fare, "fare-error")["state"] == "firing"       # a tree model cannot follow beyond what it has seen
    assert fare.metric("cairn_alert_firing", rule="distance-drift") == 1
    assert fare.metric("cairn_alert_firing", rule="slow") == 0
    send(fare, trips(300, seed=23))
    fare.ok("POST", "/alerts/evaluate")
    assert alert(fare, "distance-drift")["state"] == "resolved" and alert(fare, "fare-drift")["state"] == "ok"
    assert fare.metric("cairn_alert_firing", rule="distance-drift") == 0
    moves = [(e["from_state"], e["to_state"]) for e in fare.ok("GET", "/alerts/distance-drift/history")["events"]]
    assert moves == [("firing", "resolved"), ("pending", "firing"), ("ok", "pending")]
    trail = [a["action"] for a in fare.ok("GET", "/audit", params={"object": "alert_rule:distance-drift"})["entries"]]
    assert trail == ["alert.resolved", "alert.firing", "alert_rule.apply"]


def test_a_bad_rule_is_refused_with_its_place(fare):
    def refused(text, says):
        answer = fare.api("POST", "/alert-rules", data=text.encode(),
                          headers={"Content-Type": "application/yaml", "Cairn-Source-Name": "alerts.yaml"})
        assert answer.status_code == 400 and says in answer.json()["error"]["message"], answer.text

    before = fare.ok("GET", "/alert-rules")
    refused("rules:\n  - {name: x, metric: drifft, endpoint: fare, bound: 1}\n", "'drifft' is none of drift")
    refused("rules:\n  - {name: x, metric: drift, bound: 1}\n", "needs an endpoint")
    refused("rules:\n  - {name: x, metric: error, endpoint: fare, column: y, bound: 1}\n", "column")
    refused("rules:\n  - {name: x, metric: drift, endpoint: fare}\n", "bound")
    refused("rules:\n  - {name: x, metric: drift, endpoint: fare, bound: 1, op: '=='}\n", "op")
    refused("rules:\n  - {name: x, metric: drift, endpoint: fare, bound: 1, forr: 1m}\n", "alerts.yaml:2:")
    refused("rules:\n  - &a {name: x, metric: drift, endpoint: fare, bound: 1}\n  - {name: x, metric: drift, endpoint: f, bound: 1}\n", "alerts.yaml")
    refused("rules:\n  - {name: x, metric: drift, endpoint: fare, bound: 1}\n  - {name: x, metric: drift, endpoint: f, bound: 1}\n", "two rules")
    assert fare.ok("GET", "/alert-rules") == before


# --- labels -------------------------------------------------------------------------------------------------------------


def test_quality_is_computed_from_labels_by_id(fare):
    fare.ok("POST", "/endpoints", json={"name": "judged", "model": "fare/1", "feature_time": "materialised"})
    told = []
    for r in trips(40, seed=31):
        body = infer(fare, request_of([r]), endpoint="judged").json()
        told.append((body["parameters"]["prediction_id"], body["outputs"][0]["data"][0], r["fare"]))
    fare.ok("POST", "/labels", json={"labels": [{"prediction_id": i, "value": v} for i, _, v in told[:30]]})
    q = fare.ok("GET", "/endpoints-quality", params={"endpoint": "judged"})["quality"][0]
    errors = [p - v for _, p, v in told[:30]]
    assert (q["n_predictions"], q["n_labels"]) == (40, 30)
    assert q["mae"] == pytest.approx(sum(map(abs, errors)) / 30, abs=1e-5)
    assert q["rmse"] == pytest.approx(math.sqrt(sum(e * e for e in errors) / 30), abs=1e-5)
    assert q["bias"] == pytest.approx(sum(errors) / 30, abs=1e-5)
    assert sum(p["n"] for p in q["parts"]) == 30
    # A label again replaces the one before; the list shows it, and null where none came.
    fare.ok("POST", "/labels", json={"labels": [{"prediction_id": told[0][0], "value": 99}]})
    shown = {p["id"]: p["label"] for p in fare.ok("GET", "/predictions", params={"endpoint": "judged"})["predictions"]}
    assert shown[told[0][0]] == 99 and shown[told[35][0]] is None
    assert fare.ok("GET", f"/predictions/{told[1][0]}")["label"] == told[1][2]
    fare.ok("DELETE", "/endpoints/judged")


def test_labels_that_come_first_wait(fare):
    answer = fare.ok("POST", "/labels", json={"labels": [{"prediction_id": "pr_not_yet", "value": 7}]})
    assert answer == {"accepted": 1, "matched": 0, "waiting": 1}
    (told,) = send(fare, trips(1, seed=41), labels=False)
    answer = fare.ok("POST", "/labels", json={"labels": [{"prediction_id": told[0], "value": 7}]})
    assert answer == {"accepted": 1, "matched": 1, "waiting": 0}
    assert fare.api("POST", "/labels", json={"labels": [{"value": 7}]}).status_code == 400
    assert fare.api("POST", "/labels", json={"labels": [{"prediction_id": "x", "value": "much"}]}).status_code == 400
    assert fare.api("POST", "/labels", data=b'{"labels": [{"prediction_id": "x", "value": NaN}]}').status_code == 400


def test_a_clients_odd_request_id_does_not_stop_the_record(make_cairn, postgres):
    one = make_cairn(config=f'database: "{postgres("odd")}"\n')
    served.build(one)
    body = {**request_of(list(trips(1))), "id": "a\x00b"}
    first = infer(one, body).json()
    second = infer(one, {**body, "id": "x" * 255 + "\u00e9\u00e9"}).json()
    assert first["id"] == "a\x00b"
    assert one.ok("GET", f"/predictions/{first['parameters']['prediction_id']}")["request_id"] == "a"
    assert one.ok("GET", f"/predictions/{second['parameters']['prediction_id']}")["request_id"] == "x" * 255


# --- nothing is lost -----------------------------------------------------------------------------------------------------


def test_kill9_between_answer_and_index_loses_nothing(make_cairn):
    """The process dies under load, twice; every answer that a client holds is on record, with the value it was given."""
    one = make_cairn(CONFIG)
    served.build(one)
    answered, lock = {}, threading.Lock()

    def load(stop):
        session, body = requests.Session(), [request_of([r]) for r in trips(50, seed=51)]
        token, i = one.token, 0
        while not stop.is_set():
            try:
                got = session.post(one.url + "/v2/models/fare/infer", json=body[i % 50], timeout=10,
                                   headers={"Authorization": f"Bearer {token}"}).json()
            except (requests.RequestException, ValueError):
                continue
            if "parameters" in got:
                with lock:
                    answered[got["parameters"]["prediction_id"]] = got["outputs"][0]["data"][0]
            i += 1

    for _ in range(2):
        stop = threading.Event()
        threads = [threading.Thread(target=load, args=(stop,)) for _ in range(4)]
        for t in threads:
            t.start()
        time.sleep(1.7)     # not a multiple of the indexing timer
        one.kill9()
        stop.set()
        for t in threads:
            t.join()
        one.start()
    assert len(answered) > 200
    some = list(answered)[::25] + list(answered)[-5:]
    for i in some:
        assert one.ok("GET", f"/predictions/{i}")["output"] == pytest.approx(answered[i], abs=1e-5)
    with database(one) as db:
        stored = dict(db.execute("SELECT id, output FROM predictions"))
        seqs = [s for (s,) in db.execute("SELECT seq FROM predictions ORDER BY seq")]
    assert set(answered) <= set(stored)
    assert all(stored[i] == pytest.approx(v, abs=1e-5) for i, v in answered.items())
    assert seqs == list(range(seqs[0], seqs[0] + len(seqs)))     # no gap, nothing twice
    # The window was made again from the records.
    assert drift(one)["distance"]["n"] == 300
    assert outcome(one, "observe.drift_from_records") == "passed"


def test_the_torn_tail_of_a_crashed_machine_is_cut(make_cairn):
    one = make_cairn(CONFIG)
    served.build(one)
    told = send(one, trips(10, seed=61), labels=False)
    one.kill9()
    log = max((one.data_dir / "predictions").glob("*.log"))
    with open(log, "r+b") as f:
        f.seek(0, os.SEEK_END)
        f.write(b"\x90\x00\x00\x00half a frame")
    one.start()
    for i, value, _ in told:
        assert one.ok("GET", f"/predictions/{i}")["output"] == pytest.approx(value, abs=1e-5)
    more = send(one, trips(3, seed=62), labels=False)
    assert one.ok("GET", f"/predictions/{more[2][0]}")["output"] == pytest.approx(more[2][1], abs=1e-5)
    assert "torn_tail_cut" in one.log()


# --- proof ------------------------------------------------------------------------------------------------------------------


def test_the_checks_pass_and_can_fail(fare):
    send(fare, trips(20, seed=71))
    for check in ("observe.log_complete", "observe.drift_from_records", "observe.alerts_consistent"):
        assert outcome(fare, check) == "passed", check
    with database(fare) as db:      # the records no longer give what is shown
        db.execute("UPDATE predictions SET inputs = replace(inputs, '\"hour\":', '\"hour_\":') WHERE seq > (SELECT MAX(seq) - 10 FROM predictions)")
    assert outcome(fare, "observe.drift_from_records") == "failed"
    with database(fare) as db:
        db.execute("UPDATE predictions SET inputs = replace(inputs, '\"hour_\":', '\"hour\":')")
    assert outcome(fare, "observe.drift_from_records") == "passed"
    with database(fare) as db:      # an alert that its history does not lead to
        db.execute("UPDATE alerts SET state = 2 WHERE rule = 'slow'")
    assert outcome(fare, "observe.alerts_consistent") == "failed"
    with database(fare) as db:
        db.execute("UPDATE alerts SET state = 0 WHERE rule = 'slow'")
    assert outcome(fare, "observe.alerts_consistent") == "passed"


# --- charts and Prometheus ------------------------------------------------------------------------------------------------------


def test_samples_are_kept_for_charts(fare):
    deadline, one = time.monotonic() + 30, None
    now = fare.metric("cairn_predict_requests_total", endpoint="fare")
    while time.monotonic() < deadline and (one is None or len(one["at"]) < 2 or one["value"][-1] != now):
        series = fare.ok("GET", "/series", params={"name": "cairn_predict_requests_total"})["series"]
        one = next((s for s in series if s["labels"] == "endpoint=fare"), None)
        time.sleep(0.5)
    assert len(one["at"]) == len(one["value"]) >= 2 and one["at"] == sorted(one["at"])
    assert one["value"][-1] == now
    later = fare.ok("GET", "/series", params={"name": "cairn_predict_requests_total", "since_ms": one["at"][-1] + 1})["series"]
    assert all(s["at"][0] > one["at"][-1] for s in later)


def test_prometheus_scrapes_with_the_token(fare, tmp_path):
    prometheus = shutil.which("prometheus")
    if prometheus is None:
        pytest.skip("prometheus is not installed")
    (tmp_path / "token").write_text(fare.token)
    (tmp_path / "prometheus.yml").write_text(f"""
scrape_configs:
  - job_name: cairn
    scrape_interval: 1s
    authorization: {{type: Bearer, credentials_file: {tmp_path}/token}}
    static_configs: [{{targets: ["{fare.url.removeprefix('http://')}"]}}]
""")
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    with open(tmp_path / "log", "wb") as log:
        server = subprocess.Popen([prometheus, f"--config.file={tmp_path}/prometheus.yml", f"--storage.tsdb.path={tmp_path}/data",
                                   f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=log)
    try:
        session = requests.Session()
        session.trust_env = False

        def query(text):
            try:
                got = session.get(f"http://127.0.0.1:{port}/api/v1/query", params={"query": text}, timeout=5).json()
            except (requests.RequestException, ValueError):
                return []
            return got.get("data", {}).get("result", [])

        deadline = time.monotonic() + 40
        while time.monotonic() < deadline and not any(r["value"][1] == "1" for r in query("up")):
            time.sleep(0.3)
        assert [r["value"][1] for r in query("up")] == ["1"], (tmp_path / "log").read_text()[-2000:]
        (answered,) = query('cairn_predict_requests_total{endpoint="fare"}')
        assert float(answered["value"][1]) > 300
        (p99,) = query('histogram_quantile(0.99, cairn_predict_seconds_bucket{endpoint="fare"})')
        assert 0 < float(p99["value"][1]) < 10
        assert {r["metric"]["column"] for r in query('cairn_drift_psi{endpoint="fare"}')} >= {"distance", "fare"}
        assert {r["metric"]["rule"] for r in query("cairn_alert_firing")} >= {"distance-drift"}
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(20)
