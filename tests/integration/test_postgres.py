"""The same cairn with its metadata in PostgreSQL, and two of them over one database."""

import time


def config(url):
    return f'database: "{url}"\n'


def test_front_door_over_postgresql(make_cairn, postgres):
    one = make_cairn(config=config(postgres("door")))
    assert one.ok("GET", "/status")["database"] == "postgresql"
    assert not (one.data_dir / "cairn.db").exists()
    key = one.ok("POST", "/keys", json={"name": "kept", "scope": "system.read"})
    one.kill9()
    one.start()
    assert one.api("GET", "/status", token=key["key"]).status_code == 200
    result = one.run_task("POST", "/verify", json={"only": ["access."]})
    assert (result["passed"], result["failed"]) == (4, 0), result


def test_key_revoked_at_one_is_refused_by_the_other(make_cairn, postgres):
    url = postgres("shared")
    one, other = make_cairn(config=config(url)), make_cairn(config=config(url))
    assert one.token != other.token
    key = one.ok("POST", "/keys", json={"name": "roaming", "scope": "system.read"})
    deadline = time.monotonic() + 10
    while other.api("GET", "/status", token=key["key"]).status_code != 200:
        assert time.monotonic() < deadline, "the other never let it in"
        time.sleep(0.1)
    one.ok("DELETE", f"/keys/{key['id']}")
    began = time.monotonic()
    while other.api("GET", "/status", token=key["key"]).status_code != 401:
        assert time.monotonic() - began < 6, "the other still lets it in"
        time.sleep(0.1)
    assert one.api("GET", "/status", token=key["key"]).status_code == 401
