"""``serve --workers``: refused where one process has to do; else many processes on one port, started again and ended together."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from anonchat.errors import StartError
from anonchat.server.workers import choose_port
from anonchat.testing import asynchronous, settings_in
from anonchat.testing.databases import BETWEEN_NODES, VARIABLE
from anonchat.testing.nodes import until
from anonchat.testing.people import open_room, request
from anonchat.testing.postgres import PostgresServer
from anonchat.testing.processes import ServerProcess, environment
from anonchat.testing.redis import RedisServer

NO_REDIS = "redis://127.0.0.1:1/0"
COMMAND = (sys.executable, "-P", "-m", "anonchat", "serve", "--workers", "3")


@pytest.mark.parametrize(
    ("storage", "said"),
    [
        ({"database": "sqlite:///a.db"}, "needs a [storage] database that several processes share"),
        ({"database": "postgresql://host/name"}, "needs a [storage] bus that several processes share"),
    ],
)
def test_it_is_refused_where_one_process_has_to_do(tmp_path: Path, storage: dict[str, str], said: str) -> None:
    variables = {**os.environ, **environment(storage={"bus": "memory://", "ephemeral": "memory://", **storage})}
    done = subprocess.run(
        COMMAND, cwd=tmp_path, env=variables, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode != 0
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_for_metrics_that_a_worker_cannot_have_is_refused_before_one_starts(tmp_path: Path) -> None:
    """Nothing listens where storage should be: a worker that got as far as that would say so."""
    storage = {"database": "postgresql://127.0.0.1:1/name", "bus": NO_REDIS, "ephemeral": NO_REDIS}
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
    # The third would have the port on which people are served.
    variables = environment(storage=storage, server={"port": port, "metrics_port": port - 2})
    done = subprocess.run(
        COMMAND, cwd=tmp_path, env={**os.environ, **variables}, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2
    assert done.stderr.count("Cannot listen on 127.0.0.1:") == done.stderr.count("metrics_port") == 1, done.stderr


def test_ports_for_metrics_end_before_the_last(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="here to 65536"):
        choose_port(settings_in(tmp_path, server={"port": 0, "metrics_port": 65_535}), 2)


def children(pid: int) -> list[int]:
    """The ids of a process' children."""
    listing = subprocess.run(("ps", "-o", "pid=", "--ppid", str(pid)), capture_output=True, text=True, check=False)
    return [int(line) for line in listing.stdout.split()]


@asynchronous
async def test_three_on_one_port(
    postgres: PostgresServer, redis: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, postgres.url())
    monkeypatch.setenv(BETWEEN_NODES, redis.url().partition("?")[0])
    with ServerProcess(tmp_path, environment(), COMMAND) as server:
        await until(lambda: len(children(server.pid)) == 3)
        workers = children(server.pid)
        room = await open_room(server)  # type: ignore[arg-type]
        async with room.enter("Alice") as alice, room.enter("Bob") as bob, room.enter("Carol") as carol:
            await alice.say("Hello")
            for person in (bob, carol):
                assert (await person.hear("message")).data["content"]["text"] == "Hello"
        os.kill(workers[2], signal.SIGKILL)
        await until(lambda: len(children(server.pid)) == 3 and workers[2] not in children(server.pid))
        assert (await request(server, "GET", "/health")).status == 200  # type: ignore[arg-type]
        assert server.stop() == 0


@pytest.mark.parametrize(("signals", "code"), [("SIG_DFL", 0), ("SIG_IGN", 128 + signal.SIGKILL)])
def test_a_worker_that_is_ended_before_it_listens_has_not_failed(signals: str, code: int) -> None:
    """The control hears nothing at all, and has to be killed."""
    work = (
        f"lambda place: (signal.signal(signal.SIGTERM, signal.{signals}), print('there', flush=True), time.sleep(30))"
    )
    script = f"import signal, sys, time; from anonchat.server.workers import Supervisor; sys.exit(Supervisor({work}, 1, 0.5).run())"
    with subprocess.Popen((sys.executable, "-c", script), stdout=subprocess.PIPE, text=True) as supervisor:
        assert supervisor.stdout is not None
        supervisor.stdout.readline()
        supervisor.terminate()
        assert supervisor.wait(120) == code
