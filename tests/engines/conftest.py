"""Real engines for the tests: PostgreSQL on a socket of its own, Spark and Sail; what is absent is skipped."""

import importlib.util
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "counts"))  # the random logs that the oracle is asked about

from database_files import Shelf
from order_logs import N_LOGS

from retention_kit.counts import Engine, engine_of

ENGINES = ["postgresql", "spark", "sail"]


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests of one engine in one process: starting it takes longer than most of them."""
    for item in items:
        kind = getattr(item, "callspec", None) and item.callspec.params.get("kind")
        if kind:
            item.add_marker(pytest.mark.xdist_group(kind))
        if kind == "spark":
            item.add_marker(pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"))  # pyspark's own


@pytest.fixture(scope="session", params=ENGINES)
def kind(request) -> str:
    """Return the scheme of an engine's URL."""
    return request.param


@pytest.fixture(scope="session")
def url(kind, request) -> str:
    """Return the URL of a running engine."""
    if kind == "postgresql":
        return request.getfixturevalue("postgres_url")
    if not N_LOGS:
        pytest.skip("Spark takes minutes: make test-engines asks for it")
    if importlib.util.find_spec("pyspark") is None:
        pytest.skip("pyspark is not installed: pip install 'retention-kit[spark]', or make test-engines")
    if kind == "spark" and shutil.which("java") is None:
        pytest.skip("there is no Java, which Spark runs on")
    if kind == "sail" and importlib.util.find_spec("pysail") is None:
        pytest.skip("pysail is not installed: pip install 'retention-kit[sail]', or make test-engines")
    return f"{kind}://local"


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """Start a PostgreSQL server in a temporary folder, on a socket in it, and return its URL."""
    pytest.importorskip("psycopg", reason="psycopg is not installed: pip install 'retention-kit[postgres]'")
    programs = _programs()
    folder = Path(tempfile.mkdtemp(prefix="kit-pg-", dir="/tmp"))  # the path of a socket may have 107 letters
    as_user = _other_than_root(folder)
    data = folder / "data"
    options = f"-k {folder} -c listen_addresses='' -c fsync=off -c full_page_writes=off -c max_connections=20"
    try:
        _run(*as_user, programs / "initdb", "-D", data, "-U", "kit", "-A", "trust", "-E", "UTF8", "--no-sync", *_LOCALE)
        _run(*as_user, programs / "pg_ctl", "-D", data, "-l", folder / "log", "-w", "-o", options, "start")
        try:
            yield f"postgresql://kit@/postgres?host={folder}"
        finally:
            _run(*as_user, programs / "pg_ctl", "-D", data, "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


_LOCALE = ("--locale-provider=icu", "--icu-locale=en-US", "--locale=C.UTF-8")
"""Texts are ordered as in a dictionary, 'a' before 'B': nothing that is counted may depend on it."""


def _programs() -> Path:
    """Return the folder of the server's programs, which Debian keeps out of the path."""
    found = [Path(path) for path in [shutil.which("initdb")] if path]
    found += sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), reverse=True)
    for initdb in found:
        folder = initdb.resolve().parent
        if (folder / "pg_ctl").exists():
            return folder
    pytest.skip("there is no PostgreSQL server: no initdb; apt-get install postgresql, or make test-engines as root")


def _other_than_root(folder: Path) -> list[str]:
    """Return how a command is run by somebody else, as the server refuses root."""
    if os.geteuid() != 0:
        return []
    known = {user.pw_name for user in pwd.getpwall()}
    user = "postgres" if "postgres" in known else "nobody"
    shutil.chown(folder, user)
    return ["runuser", "-u", user, "--"]


def _run(*command: object) -> None:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, cwd="/tmp", check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def engine(url) -> Iterator[Engine]:
    """Return an engine, opened for one test."""
    with engine_of(url) as opened:
        yield opened


@pytest.fixture(scope="session")
def shelf(kind, url, tmp_path_factory) -> Shelf:
    """Return a place in the engine where a test can lay tables, as a company's own."""
    return Shelf(kind, url, tmp_path_factory.mktemp(f"shelf-{kind}"))
