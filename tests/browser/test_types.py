"""The console's source: its types hold, its pure parts do what they say, and what is built stays small."""

import gzip
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NPM = ROOT / "deps" / "npm" / "node_modules"
BUNDLE_MAX = 150 * 1024
FILE_LINES_MAX = 400

pytestmark = pytest.mark.skipif(not (NPM / "typescript").exists() or not shutil.which("node"), reason="the locked npm packages are not installed")


def run(*args):
    done = subprocess.run(["node", *map(str, args)], capture_output=True, text=True, cwd=ROOT, timeout=150)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_types_hold_strictly():
    run(NPM / "typescript" / "bin" / "tsc", "--noEmit", "-p", "console")


def test_pure_parts():
    assert "ok" in run(Path(__file__).with_name("pure.mjs"))


def test_bundle_is_small_and_needs_nothing_from_elsewhere(tmp_path):
    run("console/build.mjs", tmp_path)
    page = (tmp_path / "index.html").read_text()
    script = (tmp_path / "app.js").read_bytes()
    style = (tmp_path / "app.css").read_bytes()
    assert len(script) < BUNDLE_MAX, f"app.js has {len(script)} bytes"
    assert len(gzip.compress(script)) + len(gzip.compress(style)) < 64 * 1024
    # What the policy of the page forbids must not be in it.
    assert "<script>" not in page and "<style" not in page and " style=" not in page and "onclick" not in page
    assert b"@import" not in style and b"url(http" not in style
    assert b"new Function(" not in script and b"eval(" not in script


def test_files_stay_readable():
    for file in (ROOT / "console").rglob("*.*"):
        lines = file.read_text().count("\n")
        assert lines <= FILE_LINES_MAX, f"{file}: {lines} lines"
