"""What a client meets first: health, tokens, one owner per data directory, and a start after any end."""

import json
import os
import stat
import subprocess
import threading
import time

import requests

from running import BINARY


def test_health_needs_no_token(cairn):
    answer = cairn.api("GET", "!/health", token="")
    assert (answer.status_code, answer.text.strip()) == (200, "OK")


def test_everything_else_needs_a_token(cairn):
    for path in ("/status", "/whoami", "/keys", "/tasks", "/audit", "!/metrics"):
        answer = cairn.api("GET", path, token="")
        assert answer.status_code == 401, path
        if path != "!/metrics":
            error = answer.json()["error"]
            assert error["code"] == "unauthenticated" and "token" in error["message"], answer.text


def test_status_tells_what_runs(cairn):
    status = cairn.ok("GET", "/status")
    told = json.loads((cairn.data_dir / "server.json").read_text())
    assert told["url"] == cairn.url and told["pid"] == cairn.process.pid
    assert status["version"] == told["version"]


def test_unknown_path_is_a_clear_404(cairn):
    answer = cairn.api("GET", "/no-such-thing")
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "not_found"


def test_bad_json_is_refused_with_its_place(cairn):
    answer = cairn.api("POST", "/keys", data='{"name": "x",, }', headers={"Content-Type": "application/json"})
    assert answer.status_code == 400
    assert "line 1, column 14" in answer.json()["error"]["message"]


def test_second_process_on_one_data_directory_is_refused(cairn):
    done = subprocess.run([BINARY, "up", "--foreground", "--data", str(cairn.data_dir), "--listen", "127.0.0.1:0"],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode != 0
    assert "another cairn uses the data directory" in done.stderr
    assert str(cairn.process.pid) in done.stderr
    assert cairn.api("GET", "!/health", token="").status_code == 200


def test_port_in_use_is_refused(cairn, make_cairn):
    other = make_cairn(start=False)
    address = cairn.url.removeprefix("http://")
    done = subprocess.run([BINARY, "up", "--foreground", "--data", str(other.data_dir), "--listen", address],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode != 0 and address.rsplit(":", 1)[1] in done.stderr


def test_unknown_config_key_is_refused_with_its_line(make_cairn):
    one = make_cairn(config="loops: 1\nlisten_on: 127.0.0.1:0\n", start=False)
    done = subprocess.run([BINARY, "up", "--foreground", "--data", str(one.data_dir), "--listen", "127.0.0.1:0"],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode != 0
    assert "cairn.yaml:2" in done.stderr and "listen_on" in done.stderr


def test_admin_token_is_for_the_owner_only(cairn):
    token = cairn.data_dir / "admin.token"
    assert stat.S_IMODE(os.stat(token).st_mode) == 0o600
    assert stat.S_IMODE(os.stat(cairn.data_dir).st_mode) & 0o077 == 0
    assert cairn.token not in cairn.log()


def test_killed_cairn_starts_again_with_all_it_acknowledged(make_cairn):
    one = make_cairn()
    token = one.token
    keys = [one.ok("POST", "/keys", json={"name": f"key-{i}", "scope": "lake.read"}) for i in range(20)]
    one.kill9()
    one.start()
    assert one.token == token
    assert {key["id"] for key in one.ok("GET", "/keys")["keys"]} >= {key["id"] for key in keys}
    for key in keys:
        assert one.ok("GET", "/whoami", token=key["key"])["name"] == key["name"]


def test_kill_amid_writes_loses_nothing_acknowledged(make_cairn):
    one = make_cairn()
    acknowledged, headers = [], {"Authorization": f"Bearer {one.token}"}

    def write():
        with requests.Session() as session:
            for i in range(100000):
                try:
                    answer = session.post(one.url + "/api/cairn/v1/keys", headers=headers, timeout=10,
                                          json={"name": f"k{i}", "scope": "system.read"})
                except requests.RequestException:
                    return
                assert answer.status_code == 201
                acknowledged.append(answer.json())

    writers = [threading.Thread(target=write) for _ in range(8)]
    for writer in writers:
        writer.start()
    time.sleep(1.0)
    one.kill9()
    for writer in writers:
        writer.join()
    one.start()
    assert len(acknowledged) > 50
    kept = {key["id"] for key in one.ok("GET", "/keys")["keys"]}
    assert [key["id"] for key in acknowledged if key["id"] not in kept] == []
    assert one.api("GET", "/status", token=acknowledged[-1]["key"]).status_code == 200
    # What was written was audited in the same transaction.
    assert one.ok("GET", "/audit", params={"object": f"key:{acknowledged[-1]['id']}"})["entries"]


def test_sigterm_ends_it_cleanly_and_removes_its_address(make_cairn):
    one = make_cairn()
    url = one.url
    one.stop()
    assert not (one.data_dir / "server.json").exists()
    try:
        requests.get(url + "/health", timeout=2)
        raise AssertionError("still answers")
    except requests.ConnectionError:
        pass
