"""What the benchmarks share: a cairn of their own, tables, and the file with the numbers."""

import contextlib
import json
import os
import platform
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BINARY = os.environ.get("CAIRN_BIN", str(ROOT / "build" / "cairn"))
TAXI = ROOT / "examples" / "taxi"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def clean_env(data_dir):
    env = {key: value for key, value in os.environ.items() if key not in ("CAIRN_URL", "CAIRN_TOKEN")}
    return {**env, "CAIRN_DATA": str(data_dir)}


def cli(data_dir, *args):
    """Runs the program as a client; what it printed."""
    done = subprocess.run([BINARY, *map(str, args)], env=clean_env(data_dir), capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"cairn {' '.join(map(str, args))}: {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


@contextlib.contextmanager
def data_directory():
    """An empty directory below build/, so that it lies on the disk that users have, not on a memory file system."""
    below = ROOT / "build" / "bench"
    below.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="data-", dir=below) as tmp:
        yield Path(tmp) / "data"


@contextlib.contextmanager
def server():
    """A running cairn on a data directory of its own: (url, data_dir)."""
    with data_directory() as data_dir:
        cli(data_dir, "up", "--listen", f"127.0.0.1:{free_port()}")
        try:
            yield json.loads((data_dir / "server.json").read_text())["url"], data_dir
        finally:
            cli(data_dir, "down")


def taxi_endpoint(data_dir, trials=4):
    """The taxi example up to an endpoint with online features."""
    cli(data_dir, "dataset", "ingest", TAXI / "data" / "taxis.csv", "--name", "trips", "--time-columns", "pickup,dropoff")
    cli(data_dir, "pipeline", "apply", TAXI / "pipeline.yaml")
    cli(data_dir, "pipeline", "run", "trips_clean")
    cli(data_dir, "features", "apply", TAXI / "features.yaml")
    cli(data_dir, "features", "materialise", "zone_stats", "--as-of", "2019-03-25T00:00:00Z")
    cli(data_dir, "training-set", "create", TAXI / "training_set.yaml")
    short = data_dir / "train.yaml"
    short.write_text((TAXI / "train.yaml").read_text().replace("trials: 24", f"trials: {trials}"))
    best = json.loads(cli(data_dir, "train", short, "--json"))["best_run_id"]
    cli(data_dir, "models", "register", "taxi-fare", "--run", best, "--alias", "champion")
    cli(data_dir, "endpoint", "apply", TAXI / "endpoint.yaml")


def machine():
    model = next((line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "")
    return {"cpu": model, "cores": os.cpu_count(), "kernel": platform.release(), "load": os.getloadavg()[0]}


def table(title, head, rows):
    print(f"\n{title}")
    cells = [list(map(str, row)) for row in [head, *rows]]
    wide = [max(len(row[i]) for row in cells) for i in range(len(head))]
    for row in cells:
        print("  " + "  ".join(cell.ljust(wide[i]) if i == 0 else cell.rjust(wide[i]) for i, cell in enumerate(row)))


def write(result):
    """To the file that bench/run names. Targets are told, not enforced: a bench measures, tests decide."""
    result = {**result, "machine": machine(), "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}
    if len(sys.argv) > 1:
        Path(sys.argv[1]).write_text(json.dumps(result, indent=2) + "\n")


def median(values):
    ordered = sorted(values)
    return ordered[len(ordered) // 2]
