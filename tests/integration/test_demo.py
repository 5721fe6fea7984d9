"""The demo as a user runs it: every step, its results, what it prints to try next; again, and after kill -9 amid it."""

import contextlib
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import time

import pytest

from running import BINARY, REPORT, ROOT

pytestmark = pytest.mark.timeout(1200)       # several walks of half a minute, under sanitizers
DEMO = ROOT / "examples" / "taxi" / "demo.sh"
STEPS = 11


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Demo:
    def __init__(self, data):
        self.data = data
        clean = {key: value for key, value in os.environ.items() if key not in ("CAIRN_URL", "CAIRN_TOKEN", "CAIRN_DATA")}
        self.env = {**clean, "DEMO_DATA": str(data), "DEMO_LISTEN": f"127.0.0.1:{free_port()}", "CAIRN": BINARY}

    def start(self):
        return subprocess.Popen([str(DEMO)], env=self.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def run(self):
        done = subprocess.run([str(DEMO)], env=self.env, capture_output=True, text=True, timeout=900)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return done.stdout

    def cli(self, *args):
        done = subprocess.run([BINARY, *args], env={**self.env, "CAIRN_DATA": str(self.data)}, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def server(self):
        return json.loads((self.data / "server.json").read_text())

    def down(self):
        self.cli("down")
        log = (self.data / "log" / "cairn.log").read_text(errors="replace")
        found = REPORT.search(log)
        assert not found, log[max(0, found.start() - 500):found.start() + 5000]


@contextlib.contextmanager
def demo_in(data):
    """A demo whose server ends with it, whatever happened."""
    one = Demo(data)
    try:
        yield one
    except BaseException:
        subprocess.run([BINARY, "down"], env={**one.env, "CAIRN_DATA": str(data)}, check=False)
        raise
    one.down()


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    with demo_in(tmp_path_factory.mktemp("demo") / "data") as one:
        one.output = one.run()
        yield one


def test_it_walks_every_step_in_order(demo):
    titles = re.findall(r"^ ?(\d+)\. ", demo.output, re.M)
    assert titles == [str(n) for n in range(1, STEPS + 1)]


def test_each_step_tells_what_came_out(demo):
    for pattern in (
            r"^cairn is up at http://127\.0\.0\.1:\d+",
            r"^trips@1: 6,433 of 6,433 rows, 0 quarantined",
            r"^trips_clean run pl_\S+: \d+ gates passed, published trips_clean@1, zone_stats@1$",
            r"^zone_stats is online as of 2019-03-25 00:00:00: \d+ keys",
            r"^zone_stats:trips_7d +\d+ +PRESENT",
            r"^training set taxi_fare \(ts_\S+\): [\d,]+ rows, [\d,]+ to train, [\d,]+ held out",
            r"^taxi-fare: 24 trials .*; best run [0-9a-f]{32}, rmse [\d.]+",
            r"^taxi-fare@champion is version 1$",
            r"^taxi-fare-onnx version 1 from taxi-fare@1: largest difference",
            r"^endpoint taxi-fare serves taxi-fare@champion version 1 \(xgboost\)$",
            r"^endpoint taxi-fare-onnx serves taxi-fare-onnx@champion version 1 \(onnx",
            r"^fare = [\d.]+ +\(prediction pr_\S+, model version 1\)$",
            r"^checks:  \d+ passed, 0 failed, \d+ skipped$",
            r"^roadmap: 175 items: \d+ proven"):
        assert re.search(pattern, demo.output, re.M), pattern


def test_the_model_is_much_better_than_the_mean(demo):
    rmse, mean = re.search(r"rmse ([\d.]+) on the held-out rows \(predicting the mean: ([\d.]+)\)", demo.output).groups()
    assert float(rmse) < 0.5 * float(mean)


def test_the_last_week_was_replayed_without_a_failure(demo):
    found = re.findall(r"^(taxi-fare(?:-onnx)?): ([\d,]+) requests in .* ([\d.]+) % failed, .*; ([\d,]+) labels, MAE ([\d.]+)", demo.output, re.M)
    assert len(found) == 14
    for endpoint, n, failed, labels, mae in found:
        assert float(failed) == 0 and n == labels, (endpoint, n, failed, labels)
    sent = {name: sum(int(n.replace(",", "")) for endpoint, n, *_ in found if endpoint == name) for name in ("taxi-fare", "taxi-fare-onnx")}
    assert sent["taxi-fare"] > 1000 and sent["taxi-fare-onnx"] > 200


def test_one_alert_fires_and_the_others_do_not(demo):
    alerts = {row["rule"]: row for row in json.loads(demo.cli("alerts", "list", "--json"))["alerts"]}
    assert alerts["green-cabs-drift"]["state"] == "firing"
    assert alerts["green-cabs-drift"]["value"] >= 0.25
    assert alerts["yellow-cabs-drift"]["state"] == "ok"
    assert alerts["yellow-cabs-drift"]["value"] < 0.25
    assert alerts["yellow-cabs-error"]["state"] == "ok"


def test_the_line_from_a_prediction_reaches_the_file(demo):
    line = demo.output[demo.output.index(" lineage pr_"):]
    at = 0
    for kind in ("prediction pr_", "endpoint taxi-fare", "model_version taxi-fare@", "run ", "training_set ts_", "pipeline_run pl_",
                 "dataset_version trips@1", "taxis.csv"):
        found = line.find(kind, at)
        assert found >= 0, f"{kind} is not in its place:\n{line[:3000]}"
        at = found


def test_what_it_prints_to_try_next_works_as_printed(demo):
    after = demo.output[demo.output.index("What to try next"):]
    curl = re.search(r"^ +(curl -s .*?\]\}')$", after, re.M | re.S)[1]
    answer = json.loads(subprocess.run(["bash", "-c", curl], cwd=ROOT, capture_output=True, text=True, check=True).stdout)
    assert answer["outputs"][0]["name"] == "fare" and 5 < answer["outputs"][0]["data"][0] < 40
    link = re.search(r"http://\S+/login/\S+", after)[0]
    headers = subprocess.run(["curl", "-s", "-o", "/dev/null", "-D", "-", link], capture_output=True, text=True, check=True).stdout
    assert "cairn_session=" in headers
    listed = re.search(r"(\S+ runs list --experiment .*)$", after, re.M)[1]
    out = subprocess.run(["bash", "-c", listed], cwd=ROOT, env={**demo.env, "CAIRN_DATA": str(demo.data)}, capture_output=True, text=True, check=True).stdout
    assert "rmse=" in out
    query = re.search(r"(\S+ query .*)$", after, re.M)[1]
    out = subprocess.run(["bash", "-c", query], cwd=ROOT, env={**demo.env, "CAIRN_DATA": str(demo.data)}, capture_output=True, text=True, check=True).stdout
    assert "pickup_zone" in out
    client = re.search(r"^ +(MLFLOW_TRACKING_URI=.*?)$", after, re.M)[1]
    assert shlex.split(client.split(" python3")[0])[0].startswith("MLFLOW_TRACKING_URI=http")


def test_replay_paces_counts_and_tells_in_json(demo):
    said = json.loads(demo.cli("replay", "taxi-fare", "--dataset", "trips_clean", "--limit", "100", "--rate", "200", "--label", "fare", "--json"))
    assert (said["rows"], said["sent"], said["ok"], said["failed"], said["labels"]) == (100, 100, 100, 0, 100)
    assert said["seconds"] >= 0.49, "99 gaps of 5 ms"
    assert 0 < said["p50_ms"] <= said["p95_ms"] <= said["p99_ms"] and 0 < said["mae"] <= said["rmse"]
    found = json.loads(demo.cli("predictions", "taxi-fare", "--limit", "1000", "--json"))["predictions"]
    assert said["prediction_id"] in [p["id"] for p in found]
    fast = json.loads(demo.cli("replay", "taxi-fare", "--dataset", "trips_clean", "--limit", "100", "--rate", "max", "--concurrency", "4", "--json"))
    assert fast["ok"] == 100 and fast["labels"] == 0


@pytest.mark.parametrize("words, code, says", [
    (["replay", "taxi-fare", "--dataset", "trips_clean", "--where", "nonsense"], 2, "nonsense"),
    (["replay", "taxi-fare", "--dataset", "trips_clean", "--from", "2030-01-01"], 4, "no row of 'trips_clean'"),
    (["replay", "taxi-fare", "--dataset", "trips"], 2, "hour"),
    (["replay", "taxi-fare", "--dataset", "none"], 4, "none"),
    (["replay", "none", "--dataset", "trips_clean"], 4, "none"),
    (["predict", "taxi-fare", "colour=1"], 2, "there are: distance, passengers"),
    (["predict", "taxi-fare", "distance=far"], 2, "'far' is not a number"),
])
def test_replay_and_predict_refuse_what_cannot_be(demo, words, code, says):
    done = subprocess.run([BINARY, *words], env={**demo.env, "CAIRN_DATA": str(demo.data)}, capture_output=True, text=True, timeout=120)
    assert done.returncode == code, done.stderr
    assert says in done.stderr


def test_replay_stops_at_ctrl_c(demo):
    client = subprocess.Popen([BINARY, "replay", "taxi-fare", "--dataset", "trips_clean", "--rate", "50"], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, env={**demo.env, "CAIRN_DATA": str(demo.data)})
    time.sleep(1.5)
    client.send_signal(signal.SIGINT)
    out, err = client.communicate(timeout=30)
    assert client.returncode == 8 and "stopped after" in err
    assert re.match(r"taxi-fare: \d+ requests in", out)


def test_mlflows_client_sees_the_search(demo):
    mlflow = pytest.importorskip("mlflow")
    os.environ.update(MLFLOW_TRACKING_URI=demo.server()["url"], MLFLOW_TRACKING_TOKEN=(demo.data / "admin.token").read_text().strip())
    try:
        runs = mlflow.search_runs(experiment_names=["taxi-fare"], order_by=["metrics.rmse"], output_format="list")
    finally:
        del os.environ["MLFLOW_TRACKING_URI"], os.environ["MLFLOW_TRACKING_TOKEN"]
    assert len(runs) >= 24


def test_a_second_run_goes_through_and_makes_new_versions(demo):
    output = demo.run()
    assert "is up already" in output and "unchanged: the same file was ingested before" in output
    assert re.search(r"^taxi-fare@champion is version 2$", output, re.M)
    assert re.search(r"^endpoint taxi-fare serves taxi-fare@champion version 2", output, re.M)
    assert re.search(r"^checks:  \d+ passed, 0 failed, \d+ skipped$", output, re.M)
    demo.output = output


def test_it_survives_kill_9_in_each_step(tmp_path):
    """One data directory; each walk is killed one step further on, and the last one goes through."""
    with demo_in(tmp_path / "data") as one:
        for at in ("dataset ingest", "pipeline run", "features materialise", "training-set create", "train examples", "models convert", "replay",
                   "verify"):
            walking = one.start()
            killed = False
            for line in walking.stdout:
                if not killed and line.startswith("$") and f" {at}" in line:
                    time.sleep(0.15)
                    os.kill(one.server()["pid"], signal.SIGKILL)
                    killed = True
            _, err = walking.communicate()
            assert killed, (at, err)
        output = one.run()
    assert re.search(r"^checks:  \d+ passed, 0 failed, \d+ skipped$", output, re.M), output[-3000:]
    assert "trips@1: 6,433 of 6,433 rows" in output
