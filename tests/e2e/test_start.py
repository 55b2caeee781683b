"""What stands in the way of a start is told in a sentence and left as it is; a start that is killed harms nothing."""

from __future__ import annotations

import os
import random
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from anonchat.testing.clients import Rest
from anonchat.testing.processes import ServerProcess

from .life import ENVIRONMENT, SOAK

SEED = 20_261_121
CRASHES = 60 if SOAK else 12
PATIENCE_SECONDS = 60
START_SECONDS = 0.8  # within which a start is killed
SERVE = (sys.executable, "-P", "-m", "anonchat", "serve", "--port", "0")

pytestmark = pytest.mark.sqlite


def foreign(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE birds (name TEXT)")


def no_database(path: Path) -> None:
    path.write_text("Dear Alice, this is a letter.\n" * 100)


def served(path: Path) -> None:
    with ServerProcess(path.parent) as server:
        server.stop()


def newer(path: Path) -> None:
    served(path)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE schema_version_core SET version_num = 'core_9999'")


def torn(path: Path) -> None:
    served(path)
    path.write_bytes(path.read_bytes()[:5_000])


def scribbled(path: Path) -> None:
    served(path)
    content = bytearray(path.read_bytes())
    content[100:4_000] = bytes(3_900)
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (foreign, "database of another program"),
        (no_database, "not a SQLite database"),
        (newer, "newer"),
        (torn, "corrupt"),
        (scribbled, "corrupt"),
    ],
)
def test_a_database_that_is_not_ours_or_not_whole(tmp_path: Path, spoil: Callable[[Path], None], said: str) -> None:
    path = tmp_path / "anonchat.db"
    spoil(path)
    before = path.read_bytes()
    done = subprocess.run(SERVE, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("anonchat: ")
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert path.read_bytes() == before


def test_a_database_that_another_server_has(tmp_path: Path) -> None:
    with ServerProcess(tmp_path):
        done = subprocess.run(SERVE, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "in use by another anonchat server" in done.stderr


def test_starts_that_are_killed_at_any_moment(tmp_path: Path) -> None:
    """A crash loop on a new database, through the migration and everything after it."""
    chance = random.Random(SEED)
    for _ in range(CRASHES):
        process = subprocess.Popen(
            SERVE, cwd=tmp_path, env=os.environ | ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            process.wait(chance.uniform(0, START_SECONDS))
        except subprocess.TimeoutExpired:
            process.kill()
        assert process.wait() == -9, "the start was refused"
    with ServerProcess(tmp_path, ENVIRONMENT) as server:
        assert Rest(server.port).call("POST", "/api/rooms", {"title": "Room"}).status == 201
    with closing(sqlite3.connect(tmp_path / "anonchat.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


@pytest.mark.parametrize("closed", [(1,), (2,), (1, 2), ()], ids=["no stdout", "no stderr", "neither", "broken pipe"])
def test_nobody_reads_what_it_says(tmp_path: Path, closed: tuple[int, ...]) -> None:
    """A server whose output goes nowhere serves all the same."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    process = subprocess.Popen(
        [*SERVE[:-1], str(port), "--room"],
        cwd=tmp_path,
        env=os.environ | ENVIRONMENT | {"ANONCHAT_LOG__LEVEL": "debug"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: close_all(closed),
    )
    try:
        for pipe in (process.stdout, process.stderr):
            assert pipe is not None
            pipe.close()
        until_it_answers(port, process)
        assert Rest(port).call("POST", "/api/rooms", {"title": "Room"}).status == 201
        process.terminate()
        assert process.wait(120) == 0
    finally:
        process.kill()
        process.wait()


def close_all(descriptors: tuple[int, ...]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


def until_it_answers(port: int, process: subprocess.Popen[bytes]) -> None:
    """Wait until it serves. It cannot say so."""
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        assert process.poll() is None, f"it has ended with {process.returncode}"
        try:
            assert Rest(port).call("GET", "/health").status == 200
            return
        except ConnectionRefusedError:
            time.sleep(0.05)
    raise TimeoutError
