"""The program as a client and as its own manager: help, JSON, exit codes, and the life of a server."""

import json
import os
import re
import signal
import socket
import subprocess
import time

import pytest

from running import BINARY


def run(*args, env=None, timeout=60):
    clean = {key: value for key, value in os.environ.items() if not key.startswith("CAIRN_") or key == "CAIRN_ENGINE_DIR"}
    return subprocess.run([BINARY, *map(str, args)], capture_output=True, text=True, timeout=timeout, env={**clean, **(env or {})})


def commands():
    """Every command that `cairn --help` lists, as its words."""
    out = run("--help").stdout
    lines = re.findall(r"^  ([a-z-]+(?: [a-z-]+)?)(?: [\[A-Z-].*)?  +\S.*$", out, re.M)
    return [line.split() for line in lines if not line.startswith("-")]


# --- help --------------------------------------------------------------------------------------------------------


def test_help_lists_the_families():
    done = run("--help")
    assert done.returncode == 0 and not done.stderr
    for word in ("dataset ingest FILE --name DATASET", "pipeline run NAME", "replay ENDPOINT", "lineage ID", "verify", "Exit codes:"):
        assert word in done.stdout, word
    assert len(commands()) >= 45


def test_every_command_has_help_with_its_flags_and_an_example():
    for words in commands():
        done = run(*words, "--help")
        assert done.returncode == 0, (words, done.stderr)
        assert f"Usage: cairn {' '.join(words)}" in done.stdout, words
        assert "Example:\n  cairn " + words[0] in done.stdout, words
        assert "--json" in done.stdout, words


def test_a_noun_has_help():
    done = run("dataset", "--help")
    assert done.returncode == 0
    assert "dataset ingest" in done.stdout and "dataset quarantine" in done.stdout
    assert run("help", "dataset").stdout == done.stdout
    assert "Usage: cairn dataset ingest" in run("help", "dataset", "ingest").stdout


@pytest.mark.parametrize("words, says", [
    (["datasset", "list"], "did you mean 'dataset'?"),
    (["dataset", "lst"], "did you mean 'list'?"),
    (["dataset", "list", "--jsno"], "did you mean '--json'?"),
    (["dataset", "show"], "NAME is missing"),
    (["dataset", "ingest", "x.csv"], "--name is missing"),
    (["dataset", "rows", "x", "--limit", "ten"], "--limit:"),
    (["predict", "x", "nonsense"], "NAME=VALUE"),
    (["replay", "x", "--dataset", "d", "--rate", "soon"], "--rate:"),
    ([], "a command is missing"),
])
def test_wrong_usage_is_exit_2_with_a_hint(words, says):
    done = run(*words, env={"CAIRN_URL": "http://127.0.0.1:9"})
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("error: ") and says in done.stderr
    assert done.stdout == ""


# --- up, status, down ----------------------------------------------------------------------------------------------


@pytest.fixture
def home(tmp_path):
    """A data directory and its environment; what was started in it ends with the test."""
    env = {"CAIRN_DATA": str(tmp_path / "data")}
    yield tmp_path / "data", env
    run("down", env=env)


def told(data):
    return json.loads((data / "server.json").read_text())


def test_up_status_down(home):
    data, env = home
    done = run("up", "--listen", "127.0.0.1:0", env=env)
    assert done.returncode == 0, done.stderr
    url = told(data)["url"]
    assert url in done.stdout and "down" in done.stdout and "console" in done.stdout
    again = run("up", env=env)
    assert again.returncode == 0 and "is up already" in again.stdout
    status = run("status", "--json", env=env)
    assert status.returncode == 0
    assert json.loads(status.stdout)["pid"] == told(data)["pid"]
    assert "memory" in run("status", env=env).stdout
    link = run("console", env=env)
    assert link.returncode == 0 and link.stdout.startswith(url + "/login/")
    pid = told(data)["pid"]
    down = run("down", env=env)
    assert down.returncode == 0 and str(pid) in down.stdout
    assert not (data / "server.json").exists()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert run("status", env=env).returncode == 9
    assert "is not running" in run("down", env=env).stdout


def test_after_kill_9_up_works_and_down_knows(home):
    data, env = home
    assert run("up", "--listen", "127.0.0.1:0", env=env).returncode == 0
    os.kill(told(data)["pid"], signal.SIGKILL)
    time.sleep(0.2)
    assert "is not running" in run("down", env=env).stdout
    assert run("status", env=env).returncode == 9
    assert run("up", "--listen", "127.0.0.1:0", env=env).returncode == 0
    assert run("status", env=env).returncode == 0


def test_a_process_that_got_the_old_id_is_not_killed(home):
    data, env = home
    assert run("up", "--listen", "127.0.0.1:0", env=env).returncode == 0
    os.kill(told(data)["pid"], signal.SIGKILL)
    time.sleep(0.2)
    with subprocess.Popen(["sleep", "60"]) as stranger:
        try:
            (data / "server.json").write_text(json.dumps({**told(data), "pid": stranger.pid}))
            done = run("down", env=env)
            assert "is not running" in done.stdout
            assert stranger.poll() is None
        finally:
            stranger.kill()


def test_up_says_why_it_cannot_start(home):
    data, env = home
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        busy = f"127.0.0.1:{s.getsockname()[1]}"
        done = run("up", "--listen", busy, env=env)
    assert done.returncode == 5, done.stderr
    assert "cannot listen on " + busy in done.stderr
    (data / "cairn.yaml").write_text("listne: 127.0.0.1:0\n")
    done = run("up", env=env)
    assert done.returncode == 2
    assert "cairn.yaml:1:1" in done.stderr and "listen" in done.stderr
    (data / "cairn.yaml").unlink()
    done = run("up", "--config", data / "none.yaml", "--listen", "127.0.0.1:0", env=env)
    assert done.returncode == 4 and "none.yaml" in done.stderr


def test_up_elsewhere_while_running_is_a_conflict(home):
    data, env = home
    assert run("up", "--listen", "127.0.0.1:0", env=env).returncode == 0
    done = run("up", "--listen", "127.0.0.1:1", env=env)
    assert done.returncode == 5 and str(told(data)["pid"]) in done.stderr


def test_a_data_directory_that_cannot_be_is_refused(tmp_path):
    (tmp_path / "file").write_text("x")
    done = run("up", "--data", tmp_path / "file" / "data")
    assert done.returncode == 1 and str(tmp_path / "file") in done.stderr
    assert run("down", "--data", tmp_path / "nowhere").returncode == 4


# --- as a client -----------------------------------------------------------------------------------------------------


def test_lists_parse_as_json(cairn, taxis):
    cairn.cli("dataset", "ingest", taxis, "--name", "trips", check=True)
    for words in (["dataset", "list"], ["dataset", "show", "trips"], ["dataset", "versions", "trips"], ["dataset", "rows", "trips"],
                  ["dataset", "quarantine", "trips"], ["query", "SELECT count(*) AS n FROM trips"], ["pipeline", "list"], ["features", "list"],
                  ["training-set", "list"], ["runs", "list"], ["models", "list"], ["endpoint", "list"], ["key", "list"], ["alerts", "list"],
                  ["tasks", "list"], ["audit"], ["roadmap"], ["status"], ["openapi"], ["lineage", "dataset:trips@1"]):
        done = cairn.cli(*words, "--json", check=True)
        json.loads(done.stdout)
        assert done.stderr == "", words
        assert cairn.cli(*words, check=True).stdout.strip(), words


def test_ingest_tells_in_one_line(cairn, taxis):
    done = cairn.cli("dataset", "ingest", taxis, "--name", "told", "--time-columns", "pickup,dropoff", check=True)
    assert re.fullmatch(r"told@1: 6,433 of 6,433 rows, 0 quarantined, in [\d.]+ m?s\n", done.stdout), done.stdout
    again = cairn.cli("dataset", "ingest", taxis, "--name", "told", "--time-columns", "pickup,dropoff", check=True)
    assert "unchanged" in again.stdout
    result = json.loads(cairn.cli("dataset", "ingest", taxis, "--name", "told2", "--json", check=True).stdout)
    assert result["n_rows"] == 6433


def test_a_table_is_aligned(cairn, taxis):
    cairn.cli("dataset", "ingest", taxis, "--name", "trips", check=True)
    out = cairn.cli("query", "SELECT color, count(*) AS n FROM trips GROUP BY 1 ORDER BY 1", check=True).stdout
    assert out.splitlines() == ["color      n", "green    982", "yellow  5451"]
    assert "\x1b" not in out


@pytest.mark.parametrize("words, code, says", [
    (["dataset", "show", "nope"], 4, "nope"),
    (["query", "SELEC 1"], 2, "syntax error"),
    (["dataset", "ingest", "/nowhere.csv", "--name", "x"], 4, "/nowhere.csv"),
    (["pipeline", "run", "nope"], 4, "nope"),
    (["tasks", "show", "task_none"], 4, "task_none"),
    (["lineage", "dataset:none@1"], 4, "none@1"),
    (["lineage", "something"], 2, "name the kind"),
    (["predict", "nope", "a=1"], 4, "nope"),
    (["endpoint", "show", "nope"], 4, "nope"),
    (["models", "show", "nope"], 4, "nope"),
    (["runs", "show", "0" * 32], 4, "0" * 32),
])
def test_errors_have_their_exit_codes(cairn, words, code, says):
    done = cairn.cli(*words)
    assert done.returncode == code, (done.returncode, done.stderr)
    assert done.stderr.startswith("error: ") and says in done.stderr


def test_a_bad_file_is_refused_with_its_line(cairn, tmp_path):
    bad = tmp_path / "bad.yaml"
    bad.write_text("name: p\ninputs: [trips]\nsteeps: []\n")
    done = cairn.cli("pipeline", "apply", bad)
    assert done.returncode == 2
    assert "bad.yaml:3:1" in done.stderr and "did you mean 'steps'" in done.stderr


def test_a_wrong_token_is_exit_3_and_no_server_is_exit_9(cairn):
    done = cairn.cli("dataset", "list", env={"CAIRN_TOKEN": "cairn_wrong"})
    assert done.returncode == 3, done.stderr
    done = cairn.cli("dataset", "list", "--url", "http://127.0.0.1:9")
    assert done.returncode == 9 and "cairn up" in done.stderr


def test_a_key_works_for_what_it_is_for_until_it_is_revoked(cairn):
    made = json.loads(cairn.cli("key", "create", "shop", "--scope", "lake.read", "--json", check=True).stdout)
    as_key = {"CAIRN_TOKEN": made["key"]}
    assert cairn.cli("dataset", "list", env=as_key).returncode == 0
    assert cairn.cli("key", "list", env=as_key).returncode == 3
    assert made["key"] not in cairn.cli("key", "list", check=True).stdout
    cairn.cli("key", "revoke", made["id"], check=True)
    assert cairn.cli("dataset", "list", env=as_key).returncode == 3


def test_roadmap_json_is_what_scripts_are_promised(cairn):
    items = json.loads(cairn.cli("roadmap", "--json", check=True).stdout)
    assert len(items) == 175 and len({item["id"] for item in items}) == 175
    for item in items:
        assert set(item) == {"id", "title", "group", "state", "checked_at", "evidence"}, item
        assert item["state"] in ("proven", "failing", "attested", "skipped", "not_built")
    first = json.loads(cairn.cli("roadmap", "--phase", "1", "--json", check=True).stdout)
    assert first and all(item["id"].startswith("P1.") for item in first)


def test_verify_tells_each_check_and_its_exit_code(cairn):
    done = cairn.cli("verify")
    assert done.returncode in (0, 6), done.stderr
    assert re.search(r"^checks:  \d+ passed, \d+ failed, \d+ skipped$", done.stdout, re.M)
    assert re.search(r"^roadmap: 175 items:", done.stdout, re.M)
    failed = int(re.search(r"(\d+) failed", done.stdout)[1])
    assert (done.returncode == 6) == (failed > 0)


def test_ctrl_c_cancels_the_task(cairn, tmp_path):
    big = tmp_path / "big.csv"
    with open(big, "w") as f:
        f.write("a,b,c\n")
        f.writelines(f"{i},{i * 0.5},text {i}\n" for i in range(2_000_000))
    env = {**os.environ, "CAIRN_URL": cairn.url, "CAIRN_TOKEN": cairn.token}
    client = subprocess.Popen([BINARY, "dataset", "ingest", str(big), "--name", "big"], env=env, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        running = [t for t in cairn.ok("GET", "/tasks")["tasks"] if t["title"] == "ingest big" and t["state"] == "running"]
        if running:
            break
        time.sleep(0.02)
    time.sleep(0.2)
    client.send_signal(signal.SIGINT)
    _, err = client.communicate(timeout=60)
    assert client.returncode == 8, err
    assert "cancelled" in err
    assert cairn.wait_task(running[0])["state"] == "cancelled"
