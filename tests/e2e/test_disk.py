"""A disk that is full, fails or is slow costs a coded error to who sends, never a false ack, and heals (promises U4, U6)."""

from __future__ import annotations

import asyncio
import errno
import os
import random
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from anonchat.chaos.crowd import Crowd
from anonchat.testing.clients import Rest
from anonchat.testing.processes import ServerProcess

from .disk import Disk, needs_compiler
from .life import ENVIRONMENT

FULL, FAILING = f"w {errno.ENOSPC} 0", f"s {errno.EIO} 0"
SERVE = (sys.executable, "-P", "-m", "anonchat", "serve", "--room")
SEED = 20_261_121
RATE = 200.0
SLOW_SECONDS = 0.5
PATIENCE_SECONDS = 60
IN_FLIGHT_SECONDS = 0.5
PLAIN = ENVIRONMENT | {"ANONCHAT_PLUGINS__ENABLED": "[]"}

pytestmark = [pytest.mark.sqlite, needs_compiler]


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    return Disk(tmp_path)


@pytest.fixture
async def crowd(disk: Disk) -> AsyncIterator[Crowd]:
    with ServerProcess(disk.folder, PLAIN | disk.environment()) as server:
        yield Crowd(server, random.Random(SEED), RATE)
        assert "Traceback" not in server.log


def refusals(crowd: Crowd, code: str) -> int:
    return sum(sender.account.refusals[code] for sender in crowd.senders)


async def until_ready(rest: Rest, status: int) -> None:
    """What is told may be a second old."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while (await rest.acall("GET", "/health/ready")).status != status:
            await asyncio.sleep(0.05)


@pytest.mark.gen_test
@pytest.mark.parametrize(
    ("fault", "code"),
    [(FULL, "storage_full"), (FAILING, "storage_unavailable")],
    ids=["full", "failing"],
)
async def test_a_disk_that_does_not_take_writes(crowd: Crowd, disk: Disk, fault: str, code: str) -> None:
    rest = Rest(crowd.server.port)
    async with crowd.talking():
        for _ in range(3):
            await crowd.progress()
            disk.become(fault)
            seen = refusals(crowd, code)
            await crowd.until(lambda seen=seen: refusals(crowd, code) > seen)  # type: ignore[misc]
            # No ack comes as long as this lasts, but what is there can be read; and those who ask are told.
            await asyncio.sleep(
                IN_FLIGHT_SECONDS
            )  # what was acknowledged before the first refusal may be heard after it
            acked = [len(sender.account.acked) for sender in crowd.senders]
            await until_ready(rest, 503)
            assert len(await crowd.stored()) >= sum(acked)
            assert [len(sender.account.acked) for sender in crowd.senders] == acked
            disk.become()
            await crowd.progress()
            await until_ready(rest, 200)
        await crowd.finish()
    ledger = await crowd.ledger()
    assert ledger.is_whole, ledger
    assert ledger.acked == ledger.sent


def test_a_start_on_a_full_disk_says_so(disk: Disk) -> None:
    """A database that is there is served, since it can be read, and without a first room; a new one is refused."""
    environ = PLAIN | disk.environment()
    disk.become(FULL)
    done = subprocess.run(
        (*SERVE, "--port", "0"), cwd=disk.folder, env=os.environ | environ, capture_output=True, text=True, timeout=120
    )
    assert (done.returncode, done.stdout, "is full: make room" in done.stderr) == (2, "", True)
    assert "Traceback" not in done.stderr
    disk.become()
    with ServerProcess(disk.folder, environ) as server:
        server.stop()
        disk.become(FULL)
        with ServerProcess(disk.folder, environ, SERVE) as full:
            rest = Rest(full.port)
            assert rest.call("POST", "/api/rooms", {"title": "Room"}).body["code"] == "storage_full"
            disk.become()
            assert rest.call("POST", "/api/rooms", {"title": "Room"}).status == 201
            assert full.stop() == 0
            assert "Traceback" not in full.log


@pytest.mark.gen_test
async def test_a_slow_disk_holds_up_nothing_but_acks(crowd: Crowd, disk: Disk) -> None:
    rest, loop = Rest(crowd.server.port), asyncio.get_running_loop()
    async with crowd.talking():
        await crowd.progress()
        disk.become(f"s 0 {SLOW_SECONDS * 1_000:.0f}")
        began = loop.time()
        waits = []
        for _ in range(20):
            asked = loop.time()
            assert (await rest.acall("GET", "/health")).status == 200
            waits.append(loop.time() - asked)
        await crowd.progress()
        slowed = [seconds for sender in crowd.senders for sent, seconds in sender.account.answers if sent > began]
        disk.become()
        await crowd.finish()
    assert min(slowed) >= SLOW_SECONDS, "the disk was not slow, so this proves nothing"
    assert sorted(waits)[len(waits) // 2] < SLOW_SECONDS / 2
    assert (await crowd.ledger()).is_whole
