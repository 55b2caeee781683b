"""Nodes that are killed or told to go: nothing is lost, and presence tells the truth (D1 to D5, U3, U5)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from anonchat.testing.postgres import PostgresServer
from anonchat.testing.redis import RedisServer

from .cluster import Cluster, Crowd, cluster, crowd
from .ledgers import Entry, broken, of

LEASE_SECONDS = 8  # so that on a busy machine, too, people come back before their node is given up
GOODBYE_SECONDS = 10
AWAY = "Person 0"  # sits on the first node, and does not come back
SESSIONS = {"lease_seconds": LEASE_SECONDS, "grace_seconds": LEASE_SECONDS}


def leaves(entries: Sequence[Entry]) -> list[Entry]:
    """Who was told to have left, in the order of the telling."""
    return [entry for entry in of(entries, "presence") if entry["event"] == "leave"]


async def told_to_have_left(people: Crowd, witnesses: int, seconds: float) -> bool:
    """Whether so many are told in time that somebody has left."""
    try:
        async with asyncio.timeout(seconds):
            while len({entry["who"] for entry in leaves(people.entries())}) < witnesses:
                await asyncio.sleep(0.05)
    except TimeoutError:
        return False
    return True


async def kill_first(found: Cluster, people: Crowd, seconds: float) -> bool:
    """Kill the first node by its id under load; whether those on the others are told of its people in time."""
    assert await people.can("progress")
    found.nodes[0].process.kill()
    return await told_to_have_left(people, 2, seconds)


@pytest.mark.gen_test(timeout=300)
@pytest.mark.timeout(330)
async def test_a_node_that_is_killed_under_load(
    own_redis: RedisServer, own_postgres: PostgresServer, folder: Path, is_soak: bool
) -> None:
    """Who stays away is told to have gone within one lease; everybody else goes on where they were, on the other node."""
    turns = 20 if is_soak else 3
    async with (
        cluster(2, own_postgres, own_redis, folder, sessions=SESSIONS) as found,
        crowd(found, 5, away=[0]) as people,
    ):
        killed = time.time()
        assert await kill_first(found, people, 3 * LEASE_SECONDS)
        for turn in range(turns):
            await found.nodes[turn % 2].start()
            assert await found.missing(30) == []
            assert await people.can("progress")
            found.nodes[1 - turn % 2].process.kill()
        assert await people.can("finish")
        entries, stored = people.entries(), found.stored()
    assert broken(entries, stored, most_seconds=10) == []
    gone = leaves(entries)
    first = {entry["who"]: entry["at"] for entry in reversed(gone)}
    assert sorted(first.values())[1] - killed < LEASE_SECONDS, "U5"  # at the second witness, too
    assert {entry["name"] for entry in gone} == {AWAY}, "whoever came back at once was never told to have left"


@pytest.mark.gen_test
async def test_a_node_that_nobody_misses(own_redis: RedisServer, own_postgres: PostgresServer, folder: Path) -> None:
    """The control: nodes that do not look at each other's leases."""
    async with (
        cluster(2, own_postgres, own_redis, folder, ["missed_by_nobody"], sessions=SESSIONS) as found,
        crowd(found, 5, away=[0]) as people,
    ):
        assert not await kill_first(found, people, 1.2 * LEASE_SECONDS)


@pytest.mark.gen_test(timeout=300)
@pytest.mark.timeout(330)
async def test_nodes_that_restart_one_after_another(
    own_redis: RedisServer, own_postgres: PostgresServer, folder: Path, is_soak: bool
) -> None:
    """SIGTERM under load: everybody is told, nothing is lost, nobody has left, and each ends in time with code 0."""
    turns = 20 if is_soak else 2
    async with (
        cluster(2, own_postgres, own_redis, folder, sessions={"lease_seconds": 20, "grace_seconds": 20}) as found,
        crowd(found, 4) as people,
    ):
        for turn in range(turns):
            assert await people.can("progress")
            began = time.monotonic()
            assert await asyncio.to_thread(found.nodes[turn % 2].process.stop) == 0
            assert time.monotonic() - began < GOODBYE_SECONDS
            assert await people.can("progress")
            await found.nodes[turn % 2].start()
        assert await people.can("finish")
        entries, stored = people.entries(), found.stored()
    assert broken(entries, stored, most_seconds=10) == []
    cuts = [entry for entry in of(entries, "cut") if entry.get("code") == 1001]
    assert len(cuts) == len([*of(entries, "going_away")]) >= 2 * turns
    assert leaves(entries) == []
