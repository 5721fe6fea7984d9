"""A cairn process and its data directory, for the fixtures of conftest.py and for tests that start their own."""

import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path

import requests

ROOT = Path(__file__).resolve().parent.parent
BINARY = os.environ.get("CAIRN_BIN", str(ROOT / "build" / "asan" / "cairn"))
API = "/api/cairn/v1"
ROOT_PATHS = r"/(api|ajax-api|v2|health|metrics|login|get-online-features|version)(/|$)|/$|/app\."
REPORT = re.compile(r"ERROR: (Address|Leak)Sanitizer|runtime error:|WARNING: ThreadSanitizer|SUMMARY: \w+Sanitizer|cairn: bug:")
START_SECONDS = 60
STOP_SECONDS = 60


class Cairn:
    """One data directory and, while it runs, the process that serves it."""

    def __init__(self, data_dir, config=None, env=None):
        self.data_dir = Path(data_dir)
        self.output = self.data_dir.with_name(self.data_dir.name + ".output")
        self.env = {**os.environ, **(env or {})}
        self.process = None
        self.url = None
        self.session = requests.Session()
        self.session.trust_env = False
        if config is not None:
            self.data_dir.mkdir(mode=0o700)
            (self.data_dir / "cairn.yaml").write_text(config)

    @property
    def token(self):
        return (self.data_dir / "admin.token").read_text().strip()

    def start(self, listen="127.0.0.1:0"):
        assert self.process is None, "already running"
        server_file = self.data_dir / "server.json"
        server_file.unlink(missing_ok=True)
        with open(self.output, "ab") as out:
            self.process = subprocess.Popen(
                [BINARY, "up", "--foreground", "--data", str(self.data_dir), "--listen", listen],
                stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=self.env)
        deadline = time.monotonic() + START_SECONDS
        while True:
            if server_file.exists():
                told = json.loads(server_file.read_text())
                if told["pid"] == self.process.pid:
                    break
            status = self.process.poll()
            if status is not None:
                self.process = None
                raise RuntimeError(f"cairn ended with {status} at start:\n{self.log()}")
            if time.monotonic() > deadline:
                self.kill9()
                raise RuntimeError(f"cairn was not listening after {START_SECONDS} s:\n{self.log()}")
            time.sleep(0.02)
        self.url = told["url"]
        return self

    def stop(self):
        """Ends it as `cairn down` does, and looks at what it left behind."""
        if self.process is None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGABRT)
            self.process.wait()
            self.process = None
            raise AssertionError(f"cairn did not stop within {STOP_SECONDS} s:\n{self.log()[-4000:]}") from None
        self.process = None
        self.check_log()
        assert status == 0, f"cairn ended with {status}:\n{self.log()[-4000:]}"

    def kill9(self):
        self.process.kill()
        self.process.wait()
        self.process = None

    def restart(self):
        self.stop()
        return self.start()

    def log(self):
        text = self.output.read_text(errors="replace") if self.output.exists() else ""
        own = self.data_dir / "log" / "cairn.log"
        return text + (own.read_text(errors="replace") if own.exists() else "")

    def check_log(self):
        text = self.log()
        found = REPORT.search(text)
        assert not found, f"the server's log has a report:\n{text[max(0, found.start() - 500):found.start() + 6000]}"

    def cli(self, *args, check=False, input=None, timeout=120, env=None):
        """Runs the program as a client; returns the CompletedProcess with text output."""
        env = {**self.env, "CAIRN_URL": self.url or "", "CAIRN_DATA": str(self.data_dir), **(env or {})}
        if (self.data_dir / "admin.token").exists():
            env.setdefault("CAIRN_TOKEN", self.token)
        done = subprocess.run([BINARY, *map(str, args)], capture_output=True, text=True, input=input,
                              timeout=timeout, env=env)
        assert not REPORT.search(done.stderr), done.stderr
        if check:
            assert done.returncode == 0, f"cairn {' '.join(map(str, args))}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done

    def api(self, method, path, json=None, data=None, headers=None, token=None, params=None, timeout=60):
        """One request. A path below one of ROOT_PATHS, or with a "!" before it, is taken from the root, others are cairn's."""
        if path.startswith("!"):
            path = path[1:]
        elif not re.match(ROOT_PATHS, path):
            path = API + path
        token = self.token if token is None else token
        headers = dict(headers or {})
        if token:
            headers.setdefault("Authorization", f"Bearer {token}")
        return self.session.request(method, self.url + path, json=json, data=data, headers=headers, params=params,
                                    timeout=timeout, allow_redirects=False)

    def ok(self, method, path, **kwargs):
        """As api, but the answer must be a success; returns its decoded body."""
        answer = self.api(method, path, **kwargs)
        assert answer.status_code < 300, f"{method} {path}: {answer.status_code} {answer.text[:2000]}"
        return answer.json() if answer.content else None

    def wait_task(self, task, timeout=120):
        """Follows a task (its answer or its id) to its end; returns it."""
        task_id = task["id"] if isinstance(task, dict) else task
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            task = self.ok("GET", f"/tasks/{task_id}", params={"wait_ms": 5000})
            if task["state"] not in ("queued", "running"):
                return task
        raise AssertionError(f"task {task_id} has not ended after {timeout} s: {task}")

    def run_task(self, method, path, timeout=120, **kwargs):
        """Starts a task and gives its result; it must succeed."""
        task = self.wait_task(self.ok(method, path, **kwargs), timeout)
        assert task["state"] == "succeeded", task
        return task.get("result")

    def metric(self, name, **labels):
        """Sum of the samples of `name` that have these labels; 0 when there is none."""
        total = 0.0
        for line in self.api("GET", "!/metrics").text.splitlines():
            if not line.startswith(name) or line[len(name):len(name) + 1] not in ("{", " "):
                continue
            if all(f'{key}="{value}"' in line for key, value in labels.items()):
                total += float(line.rsplit(" ", 1)[1])
        return total
