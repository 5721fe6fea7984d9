"""Predictions with online features, one row a request, open loop: 1,000 requests a second whatever the answers do.

Latency counts from when a request was due, so waiting behind a slow answer is counted too. `cairn replay` is the client.
"""

import json

import lib

RATE, ROWS, ROUNDS, TARGET_MS = 1000, 6000, 3, 2.0


def replay(data_dir, rate):
    args = ["replay", "taxi-fare", "--dataset", "trips_clean", "--time-column", "pickup", "--limit", ROWS, "--rate", rate, "--json"]
    return json.loads(lib.cli(data_dir, *args))


def main():
    with lib.server() as (_, data_dir):
        lib.taxi_endpoint(data_dir)
        replay(data_dir, RATE)
        paced = sorted((replay(data_dir, RATE) for _ in range(ROUNDS)), key=lambda r: r["p99_ms"])[ROUNDS // 2]
        flat_out = replay(data_dir, "max")
    lib.table(f"One-row predictions with six online features, {ROWS:,} requests", ["", "requests/s", "p50 ms", "p95 ms", "p99 ms", "max ms", "failed"],
              [[name, f"{r['per_s']:,.0f}", f"{r['p50_ms']:.2f}", f"{r['p95_ms']:.2f}", f"{r['p99_ms']:.2f}", f"{r['max_ms']:.2f}", r["failed"]]
               for name, r in ((f"{RATE:,} a second", paced), ("as fast as it goes", flat_out))])
    print(f"  p99 at {RATE:,} requests/s: {paced['p99_ms']:.2f} ms (target: below {TARGET_MS} ms)")
    lib.write({"ratio": TARGET_MS / paced["p99_ms"], "target_ms": TARGET_MS, "met": paced["p99_ms"] < TARGET_MS, "paced": paced, "max": flat_out})


main()
