"""The whole road to an endpoint, on trips made up here: what the tests of serving, gateway and monitoring stand on.

fare = 3 + 2.5 distance + an amount for each zone, so a model that learnt it can be checked by hand."""

import math
import random

ZONES = ["Astoria", "Chelsea", "Harlem", "SoHo"]
EXTRA = {"Astoria": 0.0, "Chelsea": 2.0, "Harlem": 4.0, "SoHo": 6.0}
AS_OF = "2019-03-31T00:00:00Z"


def trips(n=1200, seed=7):
    rng = random.Random(seed)
    for i in range(n):
        day, hour = 1 + i * 29 // n, rng.randrange(24)
        distance = round(rng.uniform(0.3, 12), 2)
        zone = rng.choice(ZONES)
        fare = round(3 + 2.5 * distance + EXTRA[zone] + rng.gauss(0, 0.2), 2)
        yield {"pickup": f"2019-03-{day:02d} {hour:02d}:{rng.randrange(60):02d}:00", "zone": zone, "distance": distance,
               "passengers": rng.randrange(1, 5), "hour": hour, "fare": fare}


def zone_stats():
    for day in range(1, 32):
        for zone in ZONES:
            yield {"zone": zone, "event_time": f"2019-03-{day:02d} 00:00:00", "extra_avg": EXTRA[zone] + 0.01 * (day % 3),
                   "trips_7d": 40 + day}


def csv_of(rows):
    rows = list(rows)
    return "\n".join([",".join(rows[0])] + [",".join(str(v) for v in r.values()) for r in rows]) + "\n"


def ingest(cairn, name, rows):
    blob = cairn.ok("PUT", "/uploads", params={"name": f"{name}.csv"}, data=csv_of(rows).encode())["blob"]
    return cairn.run_task("POST", f"/datasets/{name}/ingest", json={"blob": blob, "source_name": f"{name}.csv"})


def train(cairn, name="fare", rounds=60, seed=1):
    return cairn.run_task("POST", "/train", json={
        "name": name, "training_set": "fares", "trials": 2, "rounds": rounds, "seed": seed, "parallel": 1,
        "space": [{"param": "max_depth", "min": 3, "max": 5, "whole": True}], "fixed": {"eta": "0.2"}}, timeout=300)


def register(cairn, name, run_id, alias="champion"):
    mlflow = "/api/2.0/mlflow"
    cairn.api("POST", f"{mlflow}/registered-models/create", json={"name": name})
    version = cairn.ok("POST", f"{mlflow}/model-versions/create", json={
        "name": name, "source": f"runs:/{run_id}/model", "run_id": run_id})["model_version"]["version"]
    cairn.ok("POST", f"{mlflow}/registered-models/alias", json={"name": name, "alias": alias, "version": version})
    return int(version)


def build(cairn):
    """Datasets, view, training set, model version 1 with alias champion, endpoint `fare`. Returns the endpoint."""
    ingest(cairn, "trips", trips())
    ingest(cairn, "zone_stats", zone_stats())
    cairn.ok("POST", "/feature-views", json={
        "name": "zone_stats", "entity": "zone", "keys": ["zone"], "dataset": "zone_stats", "time_column": "event_time", "ttl": "7d",
        "features": [{"name": "extra_avg", "type": "float"}, {"name": "trips_7d", "type": "int"}]})
    cairn.run_task("POST", "/feature-views/zone_stats/materialise", json={"as_of": AS_OF})
    cairn.run_task("POST", "/training-sets", json={
        "name": "fares", "dataset": "trips", "label": "fare", "time_column": "pickup", "features": ["zone_stats:*"],
        "columns": ["distance", "passengers", "hour"], "split": "2019-03-24T00:00:00Z"})
    search = train(cairn)
    register(cairn, "fare", search["best_run_id"])
    return cairn.ok("POST", "/endpoints", json={"name": "fare", "model": "fare@champion", "feature_time": "materialised"})


def tensor(name, values, datatype="FP32", shape=None):
    return {"name": name, "datatype": datatype, "shape": shape or [len(values)], "data": values}


def request_of(rows):
    rows = list(rows)
    return {"inputs": [tensor("distance", [r["distance"] for r in rows]), tensor("passengers", [r["passengers"] for r in rows]),
                       tensor("hour", [r["hour"] for r in rows]), tensor("zone", [r["zone"] for r in rows], "BYTES")]}


def infer(cairn, body, endpoint="fare", **kwargs):
    return cairn.api("POST", f"!/v2/models/{endpoint}/infer", json=body, **kwargs)


def expected(row):
    return 3 + 2.5 * row["distance"] + EXTRA[row["zone"]]


def close(got, row, within=2.0):
    return math.isclose(got, expected(row), abs_tol=within)
