"""Feature views over HTTP: the rules of time against a brute-force reference, Feast's answers, and kills."""

import random
import time
from datetime import datetime, timedelta, timezone

import pytest

BASE = datetime(2024, 1, 1, tzinfo=timezone.utc)


def text_of(t):
    return t.strftime("%Y-%m-%d %H:%M:%S")


def wire(t):
    return t.strftime("%Y-%m-%dT%H:%M:%SZ")


def ingest(server, name, header, rows):
    lines = [",".join(header)] + [",".join("" if v is None else str(v) for v in row) for row in rows]
    blob = server.ok("PUT", "/uploads", params={"name": f"{name}.csv"}, data="\n".join(lines) + "\n")["blob"]
    result = server.run_task("POST", f"/datasets/{name}/ingest", json={"blob": blob})
    assert result["n_quarantined"] == 0, result
    return result


def apply(server, text, status=200):
    answer = server.api("POST", "/feature-views", data=text,
                        headers={"Content-Type": "application/yaml", "Cairn-Source-Name": "features.yaml"})
    assert answer.status_code == status, answer.text
    return answer.json()


# --- training sets against a reference that is too slow to be wrong ------------------------------------------------

class View:
    """Rows of a view's dataset, and what is known of a key at a time, found by looking at all of them."""

    def __init__(self, name, keys, features, ttl, rows):
        self.name, self.keys, self.features, self.ttl, self.rows = name, keys, features, ttl, rows

    def known(self, key, at):
        best = None
        for row in self.rows:
            if row["key"] != key or row["at"] > at or (best and (row["at"], row["made"]) <= (best["at"], best["made"])):
                continue
            best = row
        if best is None or (self.ttl and at - best["at"] > self.ttl):
            return None
        return best


def random_view(rng, name, keys, features, ttl, n):
    rows, seen = [], set()
    while len(rows) < n:
        key = tuple(str(rng.randrange(1, 13)) for _ in keys)
        at = BASE + timedelta(hours=rng.randrange(0, 24 * 20))
        made = at + timedelta(minutes=rng.randrange(0, 4))
        if (key, at, made) in seen:
            continue
        seen.add((key, at, made))
        values = {f: (None if rng.random() < 0.1 else rng.randrange(0, 10**6)) for f in features}
        rows.append({"key": key, "at": at, "made": made, **values})
    return View(name, keys, features, ttl, rows)


def yaml_of(view):
    ttl = f"{int(view.ttl.total_seconds())}s" if view.ttl else "0s"
    return (f"  - name: {view.name}\n    keys: [{', '.join(view.keys)}]\n    dataset: {view.name}\n    time_column: at\n"
            f"    created_column: made\n    ttl: {ttl}\n    features: [{', '.join(view.features)}]\n")


@pytest.fixture(scope="module")
def random_world(cairn):
    """Three views with one and two keys, ties in event time, gaps and TTLs, and labels at all sorts of times."""
    rng = random.Random(20240101)
    views = [random_view(rng, "one", ["u"], ["p", "q"], None, 1500),
             random_view(rng, "two", ["u", "v"], ["r"], timedelta(hours=36), 2500),
             random_view(rng, "three", ["v"], ["s"], timedelta(hours=5), 800)]
    for view in views:
        ingest(cairn, view.name, view.keys + ["at", "made"] + view.features,
               [list(r["key"]) + [text_of(r["at"]), text_of(r["made"])] + [r[f] for f in view.features] for r in view.rows])
    # On the hour and a second beside it: the edges of "not after" and of the TTLs.
    labels = [{"u": str(rng.randrange(0, 14)), "v": str(rng.randrange(0, 14)), "n": i,
               "seen": BASE + timedelta(hours=rng.randrange(-10, 24 * 22), seconds=rng.choice([-1, 0, 0, 0, 1]))}
              for i in range(3000)]
    ingest(cairn, "asked", ["u", "v", "seen", "n", "y"], [[r["u"], r["v"], text_of(r["seen"]), r["n"], r["n"] * 0.5] for r in labels])
    apply(cairn, "views:\n" + "".join(map(yaml_of, views)))
    return views, labels


SET = {"name": "world", "dataset": "asked", "label": "y", "time_column": "seen", "columns": ["n"],
       "features": ["one:p", "two:*", "one:q", "three:s"], "split": "2024-01-10T00:00:00Z"}


def test_training_set_equals_brute_force(cairn, random_world):
    views, labels = random_world
    made = cairn.run_task("POST", "/training-sets", json=SET)
    answer = cairn.ok("GET", f"/training-sets/{made['id']}/rows", params={"limit": 10000})
    assert made["columns"] == ["n", "p", "q", "r", "s"]
    assert made["views"] == ["one", "two", "three"]
    assert made["n_rows"] == answer["n_rows"] == len(labels)
    split = datetime(2024, 1, 10, tzinfo=timezone.utc)
    assert made["n_train"] == sum(r["seen"] < split for r in labels)
    assert made["n_train"] + made["n_valid"] == len(labels)
    got = {row[answer["columns"].index("n")]: dict(zip(answer["columns"], row)) for row in answer["rows"]}
    wrong = []
    filled = 0
    for label in labels:
        for view in views:
            row = view.known(tuple(label[k] for k in view.keys), label["seen"])
            mine = got[label["n"]]
            expected = {f: row[f] if row else None for f in view.features}
            filled += row is not None
            if {f: mine[f] for f in view.features} != expected or mine[f"{view.name}__event_time"] != (wire(row["at"]) if row else None):
                wrong.append((label, view.name, mine, expected))
    assert not wrong, f"{len(wrong)} of {3 * len(labels)} differ, first {wrong[0]}"
    assert 2000 < filled < 3 * len(labels)       # the test would be blind if nothing, or everything, were found


def test_online_equals_brute_force(cairn, random_world):
    views, _ = random_world
    as_of = BASE + timedelta(days=9, hours=7)
    for view in views:
        done = cairn.run_task("POST", f"/feature-views/{view.name}/materialise", json={"as_of": wire(as_of)})
        keys = sorted({r["key"] for r in view.rows}) + [("99",) * len(view.keys)]
        assert done["n_keys"] == sum(any(r["key"] == k and r["at"] <= as_of for r in view.rows) for k in keys)
        answer = cairn.ok("POST", "/features/online", json={
            "features": [f"{view.name}:{f}" for f in view.features], "keys": [dict(zip(view.keys, k)) for k in keys], "ttl": False})
        forever = View(view.name, view.keys, view.features, None, view.rows)
        for key, row in zip(keys, answer["rows"]):
            known = forever.known(key, as_of)
            assert row["values"] == [known[f] if known else None for f in view.features], (view.name, key)
            for status, f in zip(row["statuses"], view.features):
                assert status == ("NOT_FOUND" if known is None else "NULL_VALUE" if known[f] is None else "PRESENT")
        assert answer["views"] == {view.name: done["id"]}


def test_the_future_leaves_the_digest(cairn, random_world):
    views, _ = random_world
    before = cairn.run_task("POST", "/training-sets", json=SET)
    last = BASE + timedelta(days=22)
    view = views[0]
    rows = [list(r["key"]) + [text_of(r["at"]), text_of(r["made"])] + [r[f] for f in view.features] for r in view.rows]
    later = [[str(k), text_of(last + timedelta(hours=k)), text_of(last), 10**7 + k, 10**7] for k in range(1, 13)]
    ingest(cairn, "one", view.keys + ["at", "made"] + view.features, rows + later)
    after = cairn.run_task("POST", "/training-sets", json=SET)
    assert after["sources"] != before["sources"]
    assert after["digest"] == before["digest"]
    rows[0][3] = 123456789                       # the past, however, counts
    at = max(range(len(rows)), key=lambda i: view.rows[i]["key"] == ("5",) and view.rows[i]["at"] < last)
    rows[at][3] = 123456789
    ingest(cairn, "one", view.keys + ["at", "made"] + view.features, rows)
    assert cairn.run_task("POST", "/training-sets", json=SET)["digest"] != before["digest"]
    ingest(cairn, "one", view.keys + ["at", "made"] + view.features,
           [list(r["key"]) + [text_of(r["at"]), text_of(r["made"])] + [r[f] for f in view.features] for r in view.rows])


def test_checks_and_lineage(cairn, random_world):
    made = cairn.run_task("POST", "/training-sets", json=SET)
    cairn.run_task("POST", "/feature-views/one/materialise", json={})
    result = cairn.run_task("POST", "/verify", json={})
    mine = {c["id"]: c for c in result["checks"] if c["id"].startswith("features.")}
    assert len(mine) == 5
    assert {c["outcome"] for c in mine.values()} == {"passed"}, mine
    graph = cairn.ok("GET", "/lineage", params={"kind": "training_set", "id": made["id"], "direction": "up"})
    kinds = {n["kind"] for n in graph["nodes"]}
    assert {"training_set", "feature_view", "dataset_version", "source"} <= kinds
    ids = {n["id"] for n in graph["nodes"]}
    assert {"one", "two", "three"} <= ids and set(made["sources"]) <= ids


# --- Feast ------------------------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def drivers(cairn):
    """One key that is a number, one with text; a fresh value, an old one, and one that is missing."""
    now = datetime.now(timezone.utc).replace(microsecond=0)
    fresh, old = now - timedelta(minutes=5), now - timedelta(days=3)
    ingest(cairn, "drivers", ["driver_id", "event_timestamp", "conv_rate", "trips", "rating", "city", "active"],
           [[1001, text_of(fresh), 0.5, 10, 5.0, "Oslo", "true"], [1002, text_of(old), 0.25, 20, 4.5, "Bergen", "false"],
            [1003, text_of(fresh), None, 30, 3.0, None, "true"]])
    apply(cairn, "name: driver_stats\nentity: driver\nkeys: [driver_id]\ndataset: drivers\ntime_column: event_timestamp\nttl: 1d\n"
                 "features: [conv_rate, trips, rating, city, active]\n")
    cairn.run_task("POST", "/feature-views/driver_stats/materialise", json={})
    return fresh, old


def feast(server, status=200, **body):
    answer = server.api("POST", "!/get-online-features", json=body)
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"].startswith("application/json")
    return answer.json()


def test_feast_answer_exactly(cairn, drivers):
    fresh, old = drivers
    answer = feast(cairn, features=["driver_stats:conv_rate", "driver_stats:trips", "driver_stats:city", "driver_stats:active",
                                    "driver_stats:rating"], entities={"driver_id": [1001, 1002, 1003, 9]})
    zero = "1970-01-01T00:00:00Z"
    times = [wire(fresh), wire(old), wire(fresh), zero]
    assert answer == {
        "metadata": {"feature_names": ["driver_id", "conv_rate", "trips", "city", "active", "rating"]},
        "results": [
            {"values": [1001, 1002, 1003, 9], "statuses": ["PRESENT"] * 4, "event_timestamps": [zero] * 4},
            {"values": [0.5, 0.25, None, None], "statuses": ["PRESENT", "OUTSIDE_MAX_AGE", "NULL_VALUE", "NOT_FOUND"],
             "event_timestamps": times},
            {"values": [10, 20, 30, None], "statuses": ["PRESENT", "OUTSIDE_MAX_AGE", "PRESENT", "NOT_FOUND"], "event_timestamps": times},
            {"values": ["Oslo", "Bergen", None, None], "statuses": ["PRESENT", "OUTSIDE_MAX_AGE", "NULL_VALUE", "NOT_FOUND"],
             "event_timestamps": times},
            {"values": [True, False, True, None], "statuses": ["PRESENT", "OUTSIDE_MAX_AGE", "PRESENT", "NOT_FOUND"],
             "event_timestamps": times},
            {"values": [5.0, 4.5, 3.0, None], "statuses": ["PRESENT", "OUTSIDE_MAX_AGE", "PRESENT", "NOT_FOUND"],
             "event_timestamps": times},
        ]}
    raw = cairn.api("POST", "!/get-online-features", json={"features": ["driver_stats:rating", "driver_stats:trips"],
                                                           "entities": {"driver_id": [1001]}}).text
    assert "[5.0]" in raw and "[10]" in raw      # clients guess FLOAT and INT64 from the text


def test_feast_options(cairn, drivers):
    full = feast(cairn, features=["driver_stats@latest:trips"], entities={"driver_id": [1002.0], "unknown": [1]}, full_feature_names=True,
                 feature_service=None, include_feature_view_version_metadata=False)
    assert full["metadata"]["feature_names"] == ["driver_id", "driver_stats__trips"]
    assert full["results"][1]["values"] == [20]
    assert feast(cairn, features=["driver_stats:trips"], entities={"driver": ["1002"]}, apply_ttl=False)["results"][1]["statuses"] == ["PRESENT"]
    assert feast(cairn, features=["driver_stats:trips"], entities={"driver_id": []})["results"][1]["values"] == []


@pytest.mark.parametrize("status, class_name, body", [
    (404, "FeastObjectNotFoundException", {"features": ["nothing:trips"], "entities": {"driver_id": [1]}}),
    (404, "FeastObjectNotFoundException", {"features": ["driver_stats:nothing"], "entities": {"driver_id": [1]}}),
    (404, "FeastObjectNotFoundException", {"feature_service": "s", "entities": {"driver_id": [1]}}),
    (500, "FeatureNameCollisionError", {"features": ["driver_stats:trips", "driver_stats:trips"], "entities": {"driver_id": [1]}}),
    (422, None, {"features": ["trips"], "entities": {"driver_id": [1]}}),
    (422, None, {"features": [], "entities": {"driver_id": [1]}}),
    (422, None, {"features": ["driver_stats:trips"], "entities": {"other": [1]}}),
    (422, None, {"features": ["driver_stats:trips"], "entities": {"driver_id": [1], "x": [1, 2]}}),
    (422, None, {"features": ["driver_stats:trips"], "entities": {"driver_id": [{"a": 1}]}}),
    (422, None, {"features": ["driver_stats:trips"], "entities": {"driver_id": 1}}),
    (422, None, {"features": ["driver_stats:trips"], "entities": [1]}),
    (422, None, {"features": ["driver_stats:trips"]}),
])
def test_feast_errors(cairn, drivers, status, class_name, body):
    import json
    answer = feast(cairn, status, **body)
    if class_name:
        inner = json.loads(answer)               # a JSON text inside a JSON string, as Feast's SDK reads it
        assert inner["module"] == "feast.errors" and inner["class"] == class_name and inner["message"]
    else:
        assert answer["detail"][0]["msg"]


def test_feast_needs_a_token(cairn, drivers):
    body = {"features": ["driver_stats:trips"], "entities": {"driver_id": [1]}}
    answer = cairn.api("POST", "!/get-online-features", json=body, token="wrong")
    assert answer.status_code == 401 and answer.json()


def test_an_alert_fires_on_stale_features(cairn, drivers):
    """The age of the online values is a metric; a rule on it fires when nobody materialises, and ends when somebody does."""
    cairn.run_task("POST", "/feature-views/driver_stats/materialise", json={"as_of": wire(datetime.now(timezone.utc) - timedelta(hours=3))})
    rule = ("rules:\n  - name: stale\n    metric: cairn_feature_age_seconds\n    labels: {view: driver_stats}\n    op: \">\"\n    bound: 3600\n"
            "    doc: Features are older than an hour. Materialise them.\n")
    answer = cairn.api("POST", "/alert-rules", data=rule, headers={"Content-Type": "application/yaml"})
    assert answer.status_code < 300, answer.text

    def state_becomes(wanted):
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            alert = next(a for a in cairn.ok("GET", "/alerts")["alerts"] if a["rule"] == "stale")
            if alert["state"] in wanted:
                return alert
            time.sleep(0.5)
        raise AssertionError(alert)

    assert state_becomes(["firing"])["value"] == pytest.approx(3 * 3600, abs=120)
    assert cairn.metric("cairn_feature_age_seconds", view="driver_stats") > 3600
    cairn.run_task("POST", "/feature-views/driver_stats/materialise", json={})
    assert state_becomes(["ok", "resolved"])["value"] < 60


# --- definitions ----------------------------------------------------------------------------------------------------------

def test_errors_have_their_place(cairn, drivers):
    error = apply(cairn, "views:\n  - name: x\n    keys: [driver_id]\n    dataset: drivers\n    time_colum: event_timestamp\n", 400)["error"]
    assert error["message"].startswith("features.yaml:5:5") and "time_column" in error["message"]
    error = apply(cairn, "name: x\nkeys: [driver]\ndataset: drivers\ntime_column: event_timestamp\nfeatures: [trips]\n", 400)["error"]
    assert "driver_id" in error["message"] and error["field"] == "keys"
    assert cairn.api("GET", "/feature-views/x").status_code == 404
    assert cairn.api("POST", "/feature-views/x/materialise", json={}).status_code == 404


# --- several processes -------------------------------------------------------------------------------------------------------

def test_two_processes_over_one_database(make_cairn, postgres):
    """Definitions are shared; each process has an online store of its own, and neither takes the other's away."""
    config = f'database: "{postgres("features")}"\n'
    one, other = make_cairn(config=config), make_cairn(config=config)
    rows = [[1, "2024-01-01 00:00:00", 10], [1, "2024-02-01 00:00:00", 20]]
    ingest(one, "s", ["id", "at", "v"], rows)
    apply(one, "name: s\nkeys: [id]\ndataset: s\ntime_column: at\nfeatures: [v]\n")
    mine = one.run_task("POST", "/feature-views/s/materialise", json={"as_of": "2024-01-15T00:00:00Z"})
    body = {"features": ["s:v"], "keys": [{"id": 1}], "ttl": False}
    deadline = time.monotonic() + 30
    while (answer := other.api("POST", "/features/online", json=body)).status_code == 404:
        assert time.monotonic() < deadline, "the other never learned of the view"
        time.sleep(0.2)
    assert answer.json()["rows"][0]["statuses"] == ["NOT_FOUND"]
    made = one.run_task("POST", "/training-sets", json={"name": "t", "dataset": "s", "label": "v", "time_column": "at", "features": [],
                                                        "columns": ["id"]})
    assert other.ok("GET", f"/training-sets/{made['id']}")["digest"] == made["digest"]
    one.kill9()
    one.start()
    assert one.ok("POST", "/features/online", json=body)["views"] == {"s": mine["id"]}
    assert one.ok("POST", "/features/online", json=body)["rows"][0]["values"] == [10]
    # A change of the key ends the old rows at both.
    apply(one, "name: s\nkeys: [v]\ndataset: s\ntime_column: at\nfeatures: [id]\n")
    again = {"features": ["s:id"], "keys": [{"v": 10}], "ttl": False}
    while other.api("POST", "/features/online", json=again).status_code != 200:
        assert time.monotonic() < deadline + 30, "the other never learned of the change"
        time.sleep(0.2)
    assert one.ok("POST", "/features/online", json=again)["rows"][0]["statuses"] == ["NOT_FOUND"]
    result = one.run_task("POST", "/verify", json={"only": ["features."]})
    assert result["failed"] == 0, result


# --- kills ------------------------------------------------------------------------------------------------------------------

def test_kill_in_the_middle_keeps_the_old_one(make_cairn):
    server = make_cairn()
    n = 250000
    blob = server.ok("PUT", "/uploads", params={"name": "many.csv"}, data="id,at,v\n" + "".join(
        f"{i},2024-01-01 00:00:00,1\n{i},2024-02-01 00:00:00,2\n" for i in range(n)))["blob"]
    server.run_task("POST", "/datasets/many/ingest", json={"blob": blob})
    apply(server, "name: many\nkeys: [id]\ndataset: many\ntime_column: at\nfeatures: [v]\n")
    old = server.run_task("POST", "/feature-views/many/materialise", json={"as_of": "2024-01-15T00:00:00Z"})
    assert old["n_keys"] == n
    task = server.ok("POST", "/feature-views/many/materialise", json={})
    probe = {"features": ["many:v"], "keys": [{"id": i} for i in range(0, n, 997)], "ttl": False}
    deadline = time.monotonic() + 60
    while True:                                  # killed while keys are being written
        now = server.ok("GET", f"/tasks/{task['id']}")
        assert now["state"] in ("queued", "running") and time.monotonic() < deadline, now
        values = {row["values"][0] for row in server.ok("POST", "/features/online", json=probe)["rows"]}
        assert values == {1}
        if now["progress"] > 0.4:
            break
    server.kill9()
    server.start()
    values = {row["values"][0] for row in server.ok("POST", "/features/online", json=probe)["rows"]}
    assert values == {1}
    listed = server.ok("GET", "/feature-views/many/materialisations")["materialisations"]
    assert [m["state"] for m in listed] == ["failed", "current"]
    new = server.run_task("POST", "/feature-views/many/materialise", json={})
    answer = server.ok("POST", "/features/online", json=probe)
    assert {row["values"][0] for row in answer["rows"]} == {2} and answer["views"] == {"many": new["id"]}
    deadline = time.monotonic() + 60             # what the killed one left goes away by itself
    while time.monotonic() < deadline:
        states = {m["id"]: m["state"] for m in server.ok("GET", "/feature-views/many/materialisations")["materialisations"]}
        if states[listed[0]["id"]] == "cleaned":
            break
        time.sleep(1)
    assert states == {new["id"]: "current", old["id"]: "retired", listed[0]["id"]: "cleaned"}
    result = server.run_task("POST", "/verify", json={"only": ["features.online_complete", "features.online_equals_offline"]})
    assert result["passed"] == 2, result


def test_reads_never_mix_two_materialisations(make_cairn):
    """Readers run while views are materialised again and again: each answer is of one materialisation, old or new."""
    import threading
    server = make_cairn()
    server_rows = [[i, "2024-01-01 00:00:00", 0] for i in range(50)] + [[i, f"2024-01-{d:02} 00:00:00", d] for d in range(2, 8) for i in range(50)]
    ingest(server, "s", ["id", "at", "v"], server_rows)
    apply(server, "name: s\nkeys: [id]\ndataset: s\ntime_column: at\nfeatures: [v]\n")
    server.run_task("POST", "/feature-views/s/materialise", json={"as_of": "2024-01-01T12:00:00Z"})
    stop, mixed, seen = threading.Event(), [], set()
    url, head = server.url + "/api/cairn/v1/features/online", {"Authorization": f"Bearer {server.token}"}
    body = {"features": ["s:v"], "keys": [{"id": i} for i in range(50)], "ttl": False}

    def read():
        import requests
        session = requests.Session()
        while not stop.is_set():
            values = {r["values"][0] for r in session.post(url, json=body, headers=head).json()["rows"]}
            seen.update(values)
            if len(values) != 1:
                mixed.append(values)

    threads = [threading.Thread(target=read) for _ in range(3)]
    for t in threads:
        t.start()
    for day in range(2, 8):
        server.run_task("POST", "/feature-views/s/materialise", json={"as_of": f"2024-01-{day:02}T12:00:00Z"})
    stop.set()
    for t in threads:
        t.join()
    assert not mixed and len(seen) >= 3, (mixed[:3], seen)
