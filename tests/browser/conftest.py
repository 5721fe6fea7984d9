"""A browser for tests of the console, driven over a line by driver.mjs."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SHOTS = ROOT / "build" / "screenshots"
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")


class Browser:
    """Each method is a command of driver.mjs; a failed one raises."""

    def __init__(self):
        self.process = subprocess.Popen(["node", str(Path(__file__).with_name("driver.mjs"))], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        self.url = self.token = None

    def __getattr__(self, name):
        return lambda **rest: self.send(name, **rest)

    def send(self, name, **rest):
        self.process.stdin.write(json.dumps({"do": name, **rest}) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, "the browser's driver has ended"
        answer = json.loads(line)
        assert "error" not in answer, answer["error"]
        return answer["value"]

    def open(self, *path, **query):
        from urllib.parse import quote, urlencode
        tail = "/".join(quote(str(p), safe="") for p in path) + (f"?{urlencode(query)}" if query else "")
        self.send("go", url=f"{self.url}/#/{tail}")
        return self

    def page(self):
        return self.text(at="#page")

    def shot(self, name, **rest):
        SHOTS.mkdir(parents=True, exist_ok=True)
        self.send("shot", path=str(SHOTS / f"{name}.png"), **rest)

    def close(self):
        self.process.stdin.close()
        self.process.wait(30)


@pytest.fixture(scope="session")
def chromium():
    """One browser process for all tests."""
    if not Path(CHROMIUM).exists() or not shutil.which("node"):
        pytest.skip("chromium or node is not on this machine")
    if not (ROOT / "deps" / "npm" / "node_modules" / "playwright-core").exists():
        pytest.skip("the locked npm packages are not installed: deps/install build")
    one = Browser()
    yield one
    one.close()


@pytest.fixture
def browser(chromium, road):
    """A fresh profile that is signed in; no error may be left in its console, and no request may have gone elsewhere."""
    chromium.url, chromium.token = road.url, road.token
    chromium.fresh(token=road.token)
    chromium.errors()
    yield chromium
    assert chromium.errors() == []
    assert chromium.hosts() == [road.url.removeprefix("http://")]
