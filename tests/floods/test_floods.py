"""Whatever a crowd floods a server with: two people beside it talk on, memory is bounded, and so is the log.

The short form. `make floods` measures how long they wait for each other, with and without.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from anonchat import app
from anonchat.testing import running_server, settings_in
from anonchat.testing.clients import Rest
from anonchat.testing.processes import ServerProcess, environment

from .bystanders import open_room, resident_bytes, talk
from .kinds import KINDS, Target, flood

MEBI = 1 << 20
OPERATOR = "the-token-of-the-operator"
CONNECTIONS = 50
ACTS = {"pings": 5_000, "malformed frames": 5_000, "slow headers": 500, "slow bodies": 500}
"""How much of each kind is enough; of all others each connection must have come."""

QUEUE_BYTES = 256 * 1024
PATIENCE_SECONDS = 3.0  # of a busy machine; `make floods` measures


def serving(folder: Path, **limits: Any) -> ServerProcess:
    limits = {"queue_bytes": QUEUE_BYTES, **limits}
    tables = environment(limits=limits, server={"operator_token": OPERATOR}, sessions={"connect_seconds": 600})
    return ServerProcess(folder, tables)


def figure(rest: Rest, name: str) -> float:
    text: str = rest.call("GET", "/metrics", token=OPERATOR).body
    return next(float(line.split()[-1]) for line in text.splitlines() if line.startswith(f"{name} "))


@asynccontextmanager
async def flooded(kind: str, target: Target) -> AsyncIterator[None]:
    flooding = asyncio.ensure_future(flood(kind, target))
    try:
        yield
    finally:
        flooding.cancel()
        with suppress(asyncio.CancelledError):
            await flooding


async def until_done(target: Target, acts: int) -> None:
    async with asyncio.timeout(60):
        while target.done < acts:
            await asyncio.sleep(0.01)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with serving(tmp_path_factory.mktemp("floods")) as found:
        yield found


@pytest.mark.parametrize("kind", KINDS)
def test_two_people_talk_on_beside_a_flood(kind: str, server: ServerProcess) -> None:
    async def main() -> None:
        async with flooded(kind, target):
            await until_done(target, 1)
            assert max(await talk(server.port, tokens, 100, 100.0, most_waiting=20)) < PATIENCE_SECONDS
            await until_done(target, ACTS.get(kind, CONNECTIONS))
            assert max(await talk(server.port, tokens, 20, 100.0)) < PATIENCE_SECONDS

    rest = Rest(server.port)
    tokens = open_room(rest, 2 + CONNECTIONS)
    target = Target(server.port, CONNECTIONS, 2_000, tokens[2:])
    before = resident_bytes(server.pid)
    asyncio.run(main())
    assert resident_bytes(server.pid) - before < 32 * MEBI
    assert len(server.log.splitlines()) < 10


@pytest.mark.parametrize("seconds", [0.1, 300], ids=["ended", "control"])
def test_who_never_says_who_he_is_is_ended(seconds: float, tmp_path: Path) -> None:
    """A connection that is ended comes again, which is how its end is seen."""

    async def main() -> None:
        async with flooded("handshakes", target):
            await until_done(target, 11 if seconds < 1 else 10)
            await talk(server.port, tokens, 50, 100.0)

    with serving(tmp_path, identify_seconds=seconds) as server:
        tokens = open_room(Rest(server.port), 2)
        target = Target(server.port, 10, 1_000)
        asyncio.run(main())
        assert (target.came > 10) == (seconds < 1)


@pytest.mark.parametrize(("queue_bytes", "closed"), [(QUEUE_BYTES, 20), (64 * MEBI, 0)], ids=["bounded", "control"])
def test_those_who_stop_reading_cost_their_queue(tmp_path: Path, queue_bytes: int, closed: int) -> None:
    """8 MB wait for each of them; the control is a queue in which that fits."""

    async def main() -> None:
        async with flooded("stopped readers", target), asyncio.timeout(60):
            await until_done(target, 20)
            await talk(server.port, tokens, 2_000, 1_000.0, "x" * 3_900, most_waiting=20)
            while figure(rest, "anonchat_slow_connections_total") < closed:
                await asyncio.sleep(0.1)

    with serving(tmp_path, queue_bytes=queue_bytes) as server:
        rest = Rest(server.port)
        tokens = open_room(rest, 22)
        target = Target(server.port, 20, 1_000, tokens[2:])
        before = resident_bytes(server.pid)
        asyncio.run(main())
        # What waits is shared: even in the control, where 8 MB wait for each of 20, they are there once.
        assert resident_bytes(server.pid) - before < 40 * MEBI
        assert figure(rest, "anonchat_slow_connections_total") == closed


@pytest.mark.parametrize("kind", ["slow headers", "slow bodies"])
@pytest.mark.parametrize("seconds", [0.2, 60], ids=["ended", "control"])
def test_what_comes_too_slowly_is_ended(
    kind: str, seconds: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> int:
        async with running_server(settings_in(tmp_path)) as server:
            target = Target(server.port, 5, 1_000)
            async with flooded(kind, target), asyncio.timeout(60):
                while target.came <= 5 and target.done < 500:
                    await asyncio.sleep(0.01)
            return target.came

    monkeypatch.setattr(app, "HEADER_SECONDS", seconds)
    monkeypatch.setattr(app, "BODY_SECONDS", seconds)
    assert (asyncio.run(main()) > 5) == (seconds < 1)
