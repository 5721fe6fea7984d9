"""A real cairn for each test that asks for one.

cairn        one server for the whole test module (cheap; tests share its data)
make_cairn   a factory of servers that belong to one test: make_cairn(config="listen: …")

When a server ends, its log must hold no sanitizer report and it must have ended as it was told to.
"""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from running import API, BINARY, REPORT, ROOT, Cairn  # noqa: F401 (tests may take them from here too)


@pytest.fixture
def make_cairn():
    """A factory: make_cairn(config=None, env=None, start=True). Every server ends, and is looked at, with the test."""
    made = []
    with tempfile.TemporaryDirectory(prefix="cairn-test-") as tmp:
        def make(config=None, env=None, start=True):
            one = Cairn(Path(tmp) / f"data{len(made)}", config, env)
            made.append(one)
            return one.start() if start else one

        yield make
        failure = None
        for one in made:
            try:
                one.stop()
                one.check_log()
            except AssertionError as error:
                failure = failure or error
        if failure:
            raise failure


@pytest.fixture(scope="module")
def cairn():
    """One server, shared by the tests of a module."""
    with tempfile.TemporaryDirectory(prefix="cairn-test-") as tmp:
        one = Cairn(Path(tmp) / "data").start()
        yield one
        one.stop()


@pytest.fixture(scope="session")
def postgres():
    """A PostgreSQL of the tests' own, as a factory of empty databases: postgres("name") gives a URL."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        pytest.skip("PostgreSQL is not installed (deps/install test)")
    tools = found[-1].parent
    # initdb refuses root; Debian's package has a user for it.
    user = "postgres" if os.getuid() == 0 else None
    with tempfile.TemporaryDirectory(prefix="cairn-pg-") as tmp:
        os.chmod(tmp, 0o755)
        home = Path(tmp) / "pg"
        home.mkdir()
        if user:
            shutil.chown(home, user)

        def run(*command, **kwargs):
            return subprocess.run([*map(str, command)], check=True, cwd=home, user=user, capture_output=True, **kwargs)

        run(tools / "initdb", "-D", home / "data", "-A", "trust", "-U", "cairn", "-E", "UTF8", "--no-locale")
        run(tools / "pg_ctl", "-D", home / "data", "-w", "-l", home / "log", "-o",
            f"-c listen_addresses='' -c unix_socket_directories={home} -c fsync=off", "start")

        def database(name):
            run(tools / "createdb", "-h", home, "-U", "cairn", name)
            return f"postgresql:///{name}?host={home}&user=cairn"

        yield database
        run(tools / "pg_ctl", "-D", home / "data", "-m", "immediate", "stop")


@pytest.fixture(scope="session")
def taxis():
    """The trips of the main example."""
    return ROOT / "examples" / "taxi" / "data" / "taxis.csv"
