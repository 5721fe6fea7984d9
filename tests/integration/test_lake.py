"""Datasets and pipelines as their users meet them: over HTTP, with kills, full disks and bad files."""

import hashlib
import os
import random
import subprocess
import threading
import time

import pytest

YAML = {"Content-Type": "application/yaml", "Cairn-Source-Name": "pipeline.yaml"}
BIG_ROWS = 300_000


def upload(cairn, data, name):
    return cairn.ok("PUT", "/uploads", data=data, params={"name": name})["blob"]


def ingest(cairn, dataset, data, name="data.csv", **options):
    return cairn.run_task("POST", f"/datasets/{dataset}/ingest", json={"blob": upload(cairn, data, name), **options})


def start_ingest(cairn, dataset, data, name="data.csv"):
    return cairn.ok("POST", f"/datasets/{dataset}/ingest", json={"blob": upload(cairn, data, name)})


def apply(cairn, text):
    return cairn.ok("POST", "/pipelines", data=text.encode(), headers=YAML)


def run(cairn, pipeline, **options):
    return cairn.run_task("POST", f"/pipelines/{pipeline}/run", json=options)


def query(cairn, sql, **options):
    return cairn.ok("POST", "/query", json={"sql": sql, **options})["rows"]


def names(cairn):
    return [d["name"] for d in cairn.ok("GET", "/datasets")["datasets"]]


def big_csv():
    rng = random.Random(7)
    lines = ["id,at,amount,word,flag"]
    lines += [f"{i},2019-03-{1 + i % 28:02d} 10:00:00,{rng.random() * 100:.3f},word {i % 977},{'true' if i % 3 else 'false'}"
              for i in range(BIG_ROWS)]
    return "\n".join(lines).encode()


@pytest.fixture(scope="module")
def big():
    return big_csv()


def scratch(cairn):
    return [p.name for p in (cairn.data_dir / "tmp").iterdir()] + [p.name for p in (cairn.data_dir / "blobs" / "tmp").iterdir()]


def verify(cairn, *checks):
    result = cairn.run_task("POST", "/verify", json={"only": list(checks)})
    return {c["id"]: c for c in result["checks"]}


# --- datasets ---------------------------------------------------------------------------------------------------


def test_a_file_becomes_a_dataset(cairn, taxis):
    data = taxis.read_bytes()
    answer = cairn.ok("PUT", "/uploads", data=data, params={"name": "taxis.csv"})
    assert answer["blob"] == hashlib.sha256(data).hexdigest() and answer["size"] == len(data)
    result = cairn.run_task("POST", "/datasets/trips/ingest", json={"blob": answer["blob"]})
    assert (result["id"], result["n_rows"], result["n_quarantined"], result["unchanged"]) == ("trips@1", 6433, 0, False)
    again = cairn.run_task("POST", "/datasets/trips/ingest", json={"blob": answer["blob"]})
    assert (again["id"], again["unchanged"]) == ("trips@1", True)

    shown = cairn.ok("GET", "/datasets/trips")
    assert shown["dataset"]["n_rows"] == 6433 and shown["dataset"]["origin"] == "ingest taxis.csv"
    types = {c["name"]: c["type"] for c in shown["version"]["columns"]}
    assert types["pickup"] == "TIMESTAMP" and types["passengers"] == "BIGINT" and types["fare"] == "DOUBLE"
    profile = {c["name"]: c for c in shown["version"]["profile"]["columns"]}
    fares = [float(line.split(",")[4]) for line in data.decode().splitlines()[1:]]
    assert profile["fare"]["mean"] == pytest.approx(sum(fares) / len(fares))
    assert sum(b["n"] for b in profile["fare"]["histogram"]) == 6433
    assert profile["pickup_zone"]["nulls"] == sum(1 for line in data.decode().splitlines()[1:] if line.split(",")[10] == "")
    assert profile["color"]["top"][0]["value"] == "yellow"

    rows = cairn.ok("GET", "/datasets/trips/rows", params={"limit": 1})
    assert rows["more"] and rows["rows"][0][:2] == ["2019-03-23T20:21:09Z", "2019-03-23T20:27:24Z"]
    assert query(cairn, 'SELECT count(*), (SELECT count(*) FROM "trips@1") FROM trips') == [[6433, 6433]]


def test_rows_that_do_not_fit_are_shown_with_line_and_reason(cairn):
    result = ingest(cairn, "ragged", b"n,s\n1,a\nx,b\n2\n3,c\n", columns=[{"name": "n", "type": "BIGINT"}])
    assert (result["n_source_rows"], result["n_rows"], result["n_quarantined"]) == (4, 2, 2)
    assert {(r["column"], r["n"]) for r in result["reasons"]} == {("n", 1), ("", 1)}
    kept = cairn.ok("GET", "/datasets/ragged/quarantine")
    assert [c["name"] for c in kept["columns"]] == ["line", "column_name", "reason", "row_text"]
    assert kept["rows"] == [[3, "n", "not a BIGINT", "x,b"], [4, "", "1 fields where the header has 2", "2"]]
    assert cairn.ok("GET", "/datasets/trips/quarantine")["rows"] == []


def test_versions_are_kept(cairn):
    ingest(cairn, "versioned", b"a\n1\n")
    ingest(cairn, "versioned", b"a\n2\n3\n")
    assert [v["id"] for v in cairn.ok("GET", "/datasets/versioned/versions")["versions"]] == ["versioned@2", "versioned@1"]
    assert cairn.ok("GET", "/datasets/versioned/versions/1")["n_rows"] == 1
    assert cairn.ok("GET", "/datasets/versioned/rows", params={"version": 1})["rows"] == [[1]]
    assert cairn.api("GET", "/datasets/versioned/versions/3").status_code == 404
    assert cairn.api("GET", "/datasets/nothing").status_code == 404


@pytest.mark.parametrize("name, data, says", [
    ("empty.csv", b"", "the file is empty"),
    ("garbage.csv", bytes(range(256)) * 4, "line 1"),
    ("twice.csv", b"a,b,A\n1,2,3\n", "two columns are named 'A'"),
    ("book.xlsx", b"PK\x03\x04" + b"\0" * 100, "zip archive or an Excel workbook"),
    ("cut.json", b'[{"a": 1},', "cut.json"),
    ("broken.parquet", b"PAR1" + b"x" * 50 + b"PAR1", "not whole Parquet"),
    ("short.csv", b"a,b\n1\n2\n", "none of the 2 rows fits; line 2"),
])
def test_bad_files_fail_clearly(cairn, name, data, says):
    task = cairn.wait_task(start_ingest(cairn, "bad", data, name))
    assert task["state"] == "failed" and task["error_code"] == "invalid" and says in task["message"], task
    assert "bad" not in names(cairn)


def test_bad_requests_are_refused_before_a_task(cairn):
    blob = upload(cairn, b"a\n1\n", "a.csv")
    for body, says in [({"blob": "0" * 64}, "was uploaded"), ({"blob": "x"}, "64 hexadecimal digits"),
                       ({"blob": blob, "formt": "csv"}, "did you mean 'format'"),
                       ({"blob": blob, "columns": [{"name": "a", "type": "INT"}]}, "BOOLEAN, BIGINT, DOUBLE, TIMESTAMP, VARCHAR")]:
        answer = cairn.api("POST", "/datasets/x/ingest", json=body)
        assert answer.status_code in (400, 404) and says in answer.json()["error"]["message"], answer.text
    assert cairn.api("POST", "/datasets/a b/ingest", json={"blob": blob}).status_code == 400


def test_queries_stay_in_their_sandbox(cairn):
    for sql, code in [("SELECT * FROM read_csv('/etc/passwd')", 403), ("SELECT * FROM read_text('/etc/passwd')", 403),
                      ("SELECT * FROM '/etc/passwd'", 400), ("COPY trips TO '/tmp/x'", 400), ("SET threads = 1", 400),
                      ("SELECT nope FROM trips", 400), ("SELECT 1; SELECT 2", 400), ("", 400)]:
        answer = cairn.api("POST", "/query", json={"sql": sql})
        assert answer.status_code == code, (sql, answer.text)
    answer = cairn.api("POST", "/query", json={"sql": "SELECT\n  nope\nFROM trips"})
    assert "(line 2)" in answer.json()["error"]["message"]


def test_sql_as_deep_as_it_likes_ends_nothing(cairn):
    for sql in ["SELECT " + "+".join(["1"] * 20000), "SELECT " + "(SELECT " * 3000 + "1" + ")" * 3000, "SELECT " + "NOT " * 3000 + "true"]:
        r = cairn.api("POST", "/query", json={"sql": sql})
        assert r.status_code == 400, r.text
    assert cairn.ok("POST", "/query", json={"sql": "SELECT 1"})["rows"] == [[1]]


def test_lineage_and_audit_of_an_ingest(cairn):
    blob = upload(cairn, b"a\n41\n", "forty-one.csv")
    version = cairn.run_task("POST", "/datasets/traced/ingest", json={"blob": blob})["id"]
    graph = cairn.ok("GET", "/lineage", params={"kind": "dataset_version", "id": version, "direction": "up"})
    assert [(n["kind"], n["id"], n["label"]) for n in graph["nodes"]][-1] == ("source", blob, "forty-one.csv")
    assert graph["edges"][0]["how"] == "ingest forty-one.csv"
    audit = cairn.ok("GET", "/audit", params={"object": "dataset:traced"})["entries"]
    assert [e["action"] for e in audit] == ["dataset.publish"]


# --- pipelines -----------------------------------------------------------------------------------------------------

PIPELINE = """\
name: cleaner
inputs: [raw]
steps:
  - name: clean
    sql: |
      SELECT k, v
      FROM raw
    gates:
      - {kind: not_null, columns: [k]}
      - {kind: range, column: v, min: 0, max: 10, mostly: 0.5}
outputs:
  - step: clean
    gates: [{kind: unique, columns: [k]}]
"""


def test_pipeline_runs_skips_and_keeps_its_last_good_output(cairn):
    ingest(cairn, "raw", b"k,v\na,1\nb,2\n")
    applied = apply(cairn, PIPELINE)
    assert applied["changed"] and applied["order"] == ["clean"] and applied["missing_inputs"] == []
    assert not apply(cairn, PIPELINE)["changed"]
    first = run(cairn, "cleaner")
    assert not first["skipped"] and first["outputs"][0]["id"] == "clean@1" and first["n_gates"] == 3
    assert run(cairn, "cleaner") ["skipped"]
    assert run(cairn, "cleaner", force=True)["outputs"][0]["id"] == "clean@2"

    ingest(cairn, "raw", b"k,v\na,1\n,2\na,3\n")
    task = cairn.wait_task(cairn.ok("POST", "/pipelines/cleaner/run", json={}))
    assert task["state"] == "failed" and task["error_code"] == "gate_failed", task
    assert "gate not_null of k failed: 1 of 3 rows" in task["message"]
    assert query(cairn, "SELECT count(*) FROM clean") == [[2]]
    runs = cairn.ok("GET", "/pipelines/cleaner/runs")["runs"]
    assert [r["state"] for r in runs] == ["gate_failed", "succeeded", "succeeded"]
    detail = cairn.ok("GET", f"/pipeline-runs/{runs[0]['id']}")
    gates = {g["gate"]: g for g in detail["gates"]}
    assert gates["not_null"]["passed"] is False and gates["not_null"]["examples"] == ['{"k":null,"v":2}']
    assert gates["range"]["passed"] is True and gates["range"]["value"] == 1
    assert "unique" not in gates            # the run stopped before it
    assert verify(cairn, "lake.pipelines_gated")["lake.pipelines_gated"]["outcome"] == "failed"

    ingest(cairn, "raw", b"k,v\na,1\nb,2\nc,99\n")
    assert run(cairn, "cleaner")["outputs"][0]["id"] == "clean@3"
    assert verify(cairn, "lake.pipelines_gated")["lake.pipelines_gated"]["outcome"] == "passed"
    up = cairn.ok("GET", "/lineage", params={"kind": "dataset_version", "id": "clean@3", "direction": "up"})
    assert [n["kind"] for n in up["nodes"]] == ["dataset_version", "pipeline_run", "dataset_version", "source"]
    assert cairn.ok("GET", "/pipelines/cleaner")["pipeline"]["last_run_state"] == "succeeded"


@pytest.mark.parametrize("text, place, says", [
    (PIPELINE.replace("outputs:", "outptus:"), "pipeline.yaml:11:1", "did you mean 'outputs'?; allowed: name, description, inputs, steps, outputs"),
    (PIPELINE.replace("mostly: 0.5", "mostly: 2"), "pipeline.yaml:10:", "outside 0 to 1"),
    (PIPELINE.replace("kind: range", "kind: rnage"), "pipeline.yaml:10:", "row_count, not_null, range"),
    (PIPELINE.replace("FROM raw", "FRM raw"), "pipeline.yaml:7: ", "syntax error"),
    (PIPELINE.replace("SELECT k, v", "SELECT k,\n        w AS v"), "pipeline.yaml:7: ", 'step \'clean\': Binder Error: Referenced column "w" not found'),
    (PIPELINE.replace("columns: [k]}\n      - {kind: range", "columns: [z]}\n      - {kind: range"), "", "steps[0].gates[0] (not_null): there is no column 'z'"),
    (PIPELINE.replace("- step: clean", "- step: claen"), "", "no step 'claen'"),
    ("name: [", "pipeline.yaml:", ""),
])
def test_wrong_definitions_are_refused_with_their_place(cairn, text, place, says):
    ingest(cairn, "raw", b"k,v\na,1\nb,2\n")
    answer = cairn.api("POST", "/pipelines", data=text.encode(), headers=YAML)
    message = answer.json()["error"]["message"]
    assert answer.status_code == 400 and message.startswith(place) and says in message, message


def test_the_example(cairn, taxis):
    ingest(cairn, "trips", taxis.read_bytes(), "taxis.csv")
    apply(cairn, (taxis.parent.parent / "pipeline.yaml").read_text())
    result = run(cairn, "trips_clean")
    assert {o["dataset"]: o["n_rows"] for o in result["outputs"]}.keys() == {"trips_clean", "zone_stats"}
    assert result["n_gates"] >= 10
    assert query(cairn, "SELECT count(*) FROM zone_stats s WHERE NOT EXISTS (SELECT 1 FROM trips_clean c"
                        " WHERE c.pickup_zone = s.pickup_zone AND c.dropoff < s.event_time)") == [[0]]


def test_the_checks_pass(cairn):
    checks = verify(cairn, "lake.no_row_lost", "lake.blobs_verify", "lake.gates_find")
    assert all(c["outcome"] == "passed" for c in checks.values()), checks


# --- what goes wrong --------------------------------------------------------------------------------------------------


def wait_running(cairn, task, least=0.0):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        seen = cairn.ok("GET", f"/tasks/{task['id']}")
        if seen["state"] == "running" and seen["progress"] >= least:
            return seen
        assert seen["state"] in ("queued", "running"), f"ended before it could be met running: {seen}"
        time.sleep(0.005)
    raise AssertionError(seen)


def test_kill_in_the_middle_of_an_ingest(make_cairn, big):
    cairn = make_cairn()
    ingest(cairn, "small", b"a\n1\n")
    task = start_ingest(cairn, "big", big)
    wait_running(cairn, task, 0.3)
    cairn.kill9()
    cairn.start()
    assert names(cairn) == ["small"] and query(cairn, "SELECT * FROM small") == [[1]]
    assert cairn.ok("GET", f"/tasks/{task['id']}")["state"] == "interrupted"
    assert scratch(cairn) == []
    result = ingest(cairn, "big", big)
    assert (result["version"], result["n_rows"]) == (1, BIG_ROWS)
    assert verify(cairn, "lake.no_row_lost")["lake.no_row_lost"]["outcome"] == "passed"


SLOW = """\
name: slow
inputs: [t]
steps:
  - {name: quick, sql: SELECT * FROM t}
  - {name: long, sql: "SELECT sum(hash(a.range + b.range) % 7) AS x FROM range(1000000) AS a, range(1000000) AS b, quick"}
outputs: [{step: quick, dataset: out}, {step: long, dataset: out2}]
"""


def test_kill_in_the_middle_of_a_pipeline_run(make_cairn):
    cairn = make_cairn()
    ingest(cairn, "t", b"a\n1\n")
    quick = SLOW.replace("range(1000000)", "range(10)")
    apply(cairn, quick)
    run(cairn, "slow")
    apply(cairn, SLOW)
    task = cairn.ok("POST", "/pipelines/slow/run", json={})
    wait_running(cairn, task, 0.3)
    run_id = cairn.ok("GET", "/pipelines/slow")["pipeline"]["last_run_id"]
    other = cairn.wait_task(cairn.ok("POST", "/pipelines/slow/run", json={}))
    assert other["state"] == "failed" and other["error_code"] == "conflict" and run_id in other["message"]
    cairn.kill9()
    cairn.start()
    dead = cairn.ok("GET", f"/pipeline-runs/{run_id}")
    assert dead["state"] == "interrupted" and [s["name"] for s in dead["steps"]] == ["quick"] and dead["outputs"] == []
    assert [v["id"] for v in cairn.ok("GET", "/datasets/out/versions")["versions"]] == ["out@1"]
    assert scratch(cairn) == []
    apply(cairn, quick)
    assert [o["id"] for o in run(cairn, "slow", force=True)["outputs"]] == ["out@2", "out2@2"]


def test_a_cancelled_task_leaves_nothing(make_cairn, big):
    cairn = make_cairn()
    ingest(cairn, "t", b"a\n1\n")
    task = start_ingest(cairn, "big", big)
    wait_running(cairn, task, 0.1)
    cairn.ok("POST", f"/tasks/{task['id']}/cancel")
    assert cairn.wait_task(task)["state"] == "cancelled"
    apply(cairn, SLOW)
    task = cairn.ok("POST", "/pipelines/slow/run", json={})
    wait_running(cairn, task, 0.3)
    before = time.monotonic()
    cairn.ok("POST", f"/tasks/{task['id']}/cancel")
    assert cairn.wait_task(task)["state"] == "cancelled"
    assert time.monotonic() - before < 10
    assert cairn.ok("GET", "/pipelines/slow/runs")["runs"][0]["state"] == "cancelled"
    assert names(cairn) == ["t"] and scratch(cairn) == []


def test_ingests_at_the_same_time_get_versions_of_their_own(cairn):
    blobs = [upload(cairn, f"a\n{i}\n".encode(), f"{i}.csv") for i in range(8)]
    results = []

    def one(blob):
        task = cairn.ok("POST", "/datasets/many/ingest", json={"blob": blob})
        results.append(cairn.wait_task(task))

    threads = [threading.Thread(target=one, args=(b,)) for b in blobs]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert all(r["state"] == "succeeded" for r in results), results
    assert sorted(r["result"]["version"] for r in results) == list(range(1, 9))


def test_the_same_file_at_the_same_time_is_one_version(cairn):
    blob = upload(cairn, b"a\n" + b"1\n" * 20000, "same.csv")
    tasks = [cairn.ok("POST", "/datasets/once/ingest", json={"blob": blob}) for _ in range(4)]
    results = [cairn.wait_task(t)["result"] for t in tasks]
    assert {r["version"] for r in results} == {1}
    assert sorted(r["unchanged"] for r in results) == [False, True, True, True]


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 48 MiB."""
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", str(tmp_path)], capture_output=True).returncode:
        pytest.skip("mounting needs root")
    yield tmp_path
    subprocess.run(["umount", "-l", str(tmp_path)], check=True)


def test_full_disk(small_disk):
    from running import Cairn

    cairn = Cairn(small_disk / "data").start()
    try:
        ingest(cairn, "kept", b"a\n1\n2\n")
        answer = cairn.api("PUT", "/uploads", data=os.urandom(64 << 20))
        assert answer.status_code == 507 and answer.json()["error"]["code"] == "no_space", answer.text
        blob = upload(cairn, big_csv()[: 8 << 20].rsplit(b"\n", 1)[0], "big.csv")

        filler = small_disk / "filler"
        free = os.statvfs(small_disk)
        filler.write_bytes(b"\0" * (free.f_bavail * free.f_frsize - (300 << 10)))
        task = cairn.wait_task(cairn.ok("POST", "/datasets/big/ingest", json={"blob": blob}))
        assert task["state"] == "failed" and task["error_code"] == "no_space", task
        assert names(cairn) == ["kept"] and query(cairn, "SELECT sum(a)::BIGINT FROM kept") == [[3]]

        filler.unlink()
        assert cairn.run_task("POST", "/datasets/big/ingest", json={"blob": blob})["version"] == 1
        assert verify(cairn, "lake.no_row_lost", "lake.blobs_verify")["lake.no_row_lost"]["outcome"] == "passed"
    finally:
        cairn.stop()


def test_the_same_over_postgresql(make_cairn, postgres):
    cairn = make_cairn(config=f'database: "{postgres("lake")}"\n')
    assert ingest(cairn, "raw", b"k,v\na,1\nb,2\n")["version"] == 1
    assert ingest(cairn, "raw", b"k,v\na,1\nb,2\n")["unchanged"]
    apply(cairn, PIPELINE)
    assert run(cairn, "cleaner")["outputs"][0]["id"] == "clean@1"
    assert run(cairn, "cleaner")["skipped"]
    ingest(cairn, "raw", b"k,v\n,1\n")
    assert cairn.wait_task(cairn.ok("POST", "/pipelines/cleaner/run", json={}))["error_code"] == "gate_failed"
    assert [r["state"] for r in cairn.ok("GET", "/pipelines/cleaner/runs")["runs"]] == ["gate_failed", "succeeded"]
    assert query(cairn, "SELECT count(*) FROM clean") == [[2]]
    task = cairn.wait_task(start_ingest(cairn, "RAW", b"a\n1\n"))
    assert task["error_code"] == "conflict" and "differ by more than case" in task["message"]
    checks = verify(cairn, "lake.no_row_lost", "lake.blobs_verify")
    assert all(c["outcome"] == "passed" for c in checks.values()), checks
