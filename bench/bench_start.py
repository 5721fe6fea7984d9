"""From starting the program to its first answer, what it holds in memory when idle, and how long the whole demo takes."""

import http.client
import os
import subprocess
import time

import lib

ROUNDS, START_TARGET_MS, RSS_TARGET_MB, DEMO_TARGET_S = 9, 100, 60, 60


def first_answer(data_dir):
    """Milliseconds until GET /health is answered, and the resident memory after a second of nothing."""
    port = lib.free_port()
    begin = time.monotonic()
    process = subprocess.Popen([lib.BINARY, "up", "--foreground", "--data", str(data_dir), "--listen", f"127.0.0.1:{port}"],
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while True:
            try:
                c = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
                c.request("GET", "/health")
                if c.getresponse().status == 200:
                    break
            except OSError:
                if process.poll() is not None:
                    raise SystemExit(f"cairn ended with {process.returncode}") from None
                time.sleep(0.001)
        ms = (time.monotonic() - begin) * 1000
        time.sleep(1)
        with open(f"/proc/{process.pid}/status") as status:
            rss = next(int(line.split()[1]) for line in status if line.startswith("VmRSS")) / 1024
        return ms, rss
    finally:
        process.terminate()
        process.wait()


def demo(data_dir):
    env = {**lib.clean_env(data_dir), "DEMO_DATA": str(data_dir), "DEMO_LISTEN": f"127.0.0.1:{lib.free_port()}", "CAIRN": lib.BINARY}
    begin = time.monotonic()
    done = subprocess.run([str(lib.TAXI / "demo.sh")], env=env, capture_output=True, text=True)
    seconds = time.monotonic() - begin
    if done.returncode != 0:
        raise SystemExit(f"the demo ended with {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    lib.cli(data_dir, "down")
    return seconds


def main():
    with lib.data_directory() as data_dir:
        fresh_ms, fresh_mb = first_answer(data_dir)
        runs = [first_answer(data_dir) for _ in range(ROUNDS)]
        seconds = demo(data_dir)
        full = [first_answer(data_dir) for _ in range(ROUNDS)]
    start, rss = lib.median([r[0] for r in runs]), lib.median([r[1] for r in runs])
    full_start, full_rss = lib.median([r[0] for r in full]), lib.median([r[1] for r in full])
    lib.table(f"Start to the first answer and idle memory, median of {ROUNDS}", ["", "ms", "MB resident"],
              [["empty directory, first start", f"{fresh_ms:.0f}", f"{fresh_mb:.1f}"], ["empty platform", f"{start:.0f}", f"{rss:.1f}"],
               ["after the demo, models loaded", f"{full_start:.0f}", f"{full_rss:.1f}"]])
    print(f"  targets: below {START_TARGET_MS} ms and {RSS_TARGET_MB} MB")
    print(f"  the demo: {seconds:.1f} s (target: below {DEMO_TARGET_S} s)")
    lib.write({"ratio": START_TARGET_MS / start, "first_start_ms": fresh_ms, "start_ms": start, "rss_mb": rss, "start_after_demo_ms": full_start,
               "rss_after_demo_mb": full_rss, "demo_s": seconds,
               "met": start < START_TARGET_MS and rss < RSS_TARGET_MB and seconds < DEMO_TARGET_S})


if __name__ == "__main__":
    os.chdir(lib.ROOT)
    main()
