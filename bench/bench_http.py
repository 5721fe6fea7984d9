"""GET /health against nginx answering the same two bytes from its configuration: the cost of the HTTP path itself.

Both serve from as many loops as there are cores; wrk asks them in turn, several times, in one run. Processor time a
request is measured too: it does not depend on what else the machine is doing.
"""

import json
import os
import re
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path

import lib

SECONDS, CONNECTIONS, ROUNDS, TARGET = 4, 64, 3, 0.8

NGINX = """
worker_processes auto;
daemon off;
pid {dir}/nginx.pid;
error_log {dir}/error.log;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    keepalive_requests 1000000000;
    client_body_temp_path {dir}/a; proxy_temp_path {dir}/b; fastcgi_temp_path {dir}/c;
    uwsgi_temp_path {dir}/d; scgi_temp_path {dir}/e;
    server {{
        listen 127.0.0.1:{port} reuseport;
        location /health {{ default_type text/plain; return 200 "OK"; }}
    }}
}}
"""


def cpu_seconds(pid):
    """Of a process and its children."""
    ticks = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            own, rest = int(stat.parent.name), stat.read_text().rsplit(")", 1)[1].split()
        except (OSError, IndexError):
            continue
        if pid in (own, int(rest[1])):
            ticks += int(rest[11]) + int(rest[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def wrk(url, pid):
    begin = cpu_seconds(pid)
    out = subprocess.run(["wrk", "-t2", f"-c{CONNECTIONS}", f"-d{SECONDS}s", "--latency", url + "/health"],
                         capture_output=True, text=True, check=True).stdout
    p99 = re.search(r"99%\s+([\d.]+)(us|ms|s)", out)
    errors = re.search(r"Non-2xx or 3xx responses: (\d+)", out)
    requests = int(re.search(r"(\d+) requests in", out)[1])
    return {"cpu_us": (cpu_seconds(pid) - begin) / requests * 1e6, "per_s": float(re.search(r"Requests/sec:\s+([\d.]+)", out)[1]),
            "p99_ms": float(p99[1]) * {"us": 0.001, "ms": 1, "s": 1000}[p99[2]],
            "errors": int(errors[1]) if errors else 0}


def wait_for(url):
    for _ in range(200):
        try:
            if urllib.request.urlopen(url + "/health").read() == b"OK":
                return
        except OSError:
            pass
        time.sleep(0.02)
    raise SystemExit(f"{url} does not answer")


def main():
    with lib.server() as (url, data_dir), tempfile.TemporaryDirectory() as tmp:
        port = lib.free_port()
        conf = Path(tmp) / "nginx.conf"
        conf.write_text(NGINX.format(dir=tmp, port=port))
        nginx = subprocess.Popen(["nginx", "-p", tmp, "-e", f"{tmp}/error.log", "-c", str(conf)])
        try:
            urls = {"cairn": url, "nginx": f"http://127.0.0.1:{port}"}
            pids = {"cairn": json.loads((data_dir / "server.json").read_text())["pid"], "nginx": nginx.pid}
            seen = {name: [] for name in urls}
            for name in urls:
                wait_for(urls[name])
            for _ in range(ROUNDS):
                for name in urls:
                    seen[name].append(wrk(urls[name], pids[name]))
        finally:
            nginx.terminate()
            nginx.wait()
    result = {name: {"per_s": lib.median([r["per_s"] for r in runs]), "p99_ms": lib.median([r["p99_ms"] for r in runs]),
                     "cpu_us": lib.median([r["cpu_us"] for r in runs]),
                     "errors": sum(r["errors"] for r in runs), "rounds": runs} for name, runs in seen.items()}
    ratio = result["cairn"]["per_s"] / result["nginx"]["per_s"]
    lib.table(f"GET /health, {CONNECTIONS} connections, median of {ROUNDS} rounds of {SECONDS} s", ["", "requests/s", "p99 ms", "CPU µs/request", "errors"],
              [[name, f"{r['per_s']:,.0f}", f"{r['p99_ms']:.2f}", f"{r['cpu_us']:.1f}", r["errors"]] for name, r in result.items()])
    cpu = result["nginx"]["cpu_us"] / result["cairn"]["cpu_us"]
    print(f"  cairn / nginx by processor time: {cpu:.2f}")
    print(f"  cairn / nginx: {ratio:.2f} (target: at least {TARGET})")
    lib.write({"ratio": ratio, "cpu_ratio": cpu, "target": TARGET, "met": ratio >= TARGET, **result})


main()
