"""Whatever happens between nodes, Redis and Postgres: what is promised about delivery holds, and all heals by itself.

The nodes are processes that share nothing but Postgres and Redis, each reached by a line of our own that can break. People
are a third process, with a client that is not ours; what they wrote down is compared with the database.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from anonchat.testing.postgres import PostgresServer
from anonchat.testing.redis import RedisServer

from .cluster import Cluster, Crowd, cluster, crowd
from .faults import KILLS, PEOPLE, POSTGRES, REDIS, Fault, kill_subscriptions, often, people_are_cut, postgres_dies
from .ledgers import broken, of

SIZE = 4
HEALED_SECONDS = 30.0  # patience of a busy machine
SESSIONS = {"lease_seconds": 60, "grace_seconds": 10}
# In seconds. Redis is waited for once, for a second; Postgres for eight, in the answer and in what begins anew.
ANSWERED = {"redis": 5.0, "postgres": 24.0, "people": 5.0}


async def suffer(found: Cluster, people: Crowd, faults: Sequence[Fault], *, long: bool) -> None:
    """One fault after another under load; after each of them everything heals without a restart."""
    for fault in faults:
        assert await people.can("progress", HEALED_SECONDS), f"before: {fault.name}"
        async with fault.act(found):
            await asyncio.sleep(fault.long if long else fault.seconds)
        assert await people.can("progress", HEALED_SECONDS), f"after: {fault.name}"
        assert await found.missing(HEALED_SECONDS) == [], f"after: {fault.name}"


@pytest.mark.parametrize(
    ("what", "nodes", "faults"), [("redis", 2, REDIS), ("postgres", 2, POSTGRES), ("people", 3, PEOPLE)]
)
@pytest.mark.gen_test(timeout=600)
@pytest.mark.timeout(660)
async def test_every_promise_holds_whatever_goes_wrong(
    what: str,
    nodes: int,
    faults: Sequence[Fault],
    own_redis: RedisServer,
    own_postgres: PostgresServer,
    folder: Path,
    is_soak: bool,
) -> None:
    async with (
        cluster(3 if is_soak else nodes, own_postgres, own_redis, folder, sessions=SESSIONS) as found,
        crowd(found, 6 if is_soak else SIZE) as people,
    ):
        for _ in range(3 if is_soak else 1):
            await suffer(found, people, faults, long=is_soak)
        assert await people.can("finish")
        entries, stored = people.entries(), found.stored()
    longest = max(entry["took"] for entry in of(entries, "acked", "refused"))
    print(f"{len(stored)} messages, {len([*of(entries, 'refused')])} refusals, the slowest answer took {longest:.1f} s")
    assert broken(entries, stored, most_seconds=ANSWERED[what]) == []
    assert [entry for entry in of(entries, "presence") if entry["event"] == "leave"] == [], "U5: nobody has left"
    if what == "redis":
        assert [*of(entries, "refused", "cut")] == [], "nobody notices that Redis is away"


# --- the controls

MOST_SECONDS = 5.0  # for an answer


@asynccontextmanager
async def nothing_happens(_: Cluster) -> AsyncIterator[None]:
    yield


async def broken_by(found: Cluster, faults: Sequence[Fault], **habits: Any) -> set[str]:
    """The promises that a crowd saw broken."""
    async with crowd(found, SIZE, **habits) as people:
        for fault in faults:
            await people.can("progress", 2)
            async with fault.act(found):
                await asyncio.sleep(fault.seconds)
            await people.can("progress", 2)
        await people.can("finish", 3)
        return {one.partition(":")[0] for one in broken(people.entries(), found.stored(), most_seconds=MOST_SECONDS)}


NOTHING = Fault("nothing happens", nothing_happens, 0.5, 0)
CUT_SUBSCRIPTIONS = Fault("subscriptions are killed", often(kill_subscriptions, KILLS), 0, 0)
KILLED = Fault("Postgres is killed", postgres_dies, 0.5, 0)
UNHEARD = Fault("acknowledgements are lost", people_are_cut, 0.5, 0)


@pytest.mark.parametrize(
    ("fault", "happens", "habits", "promise"),
    [
        (("early_ack",), KILLED, {}, "D1"),
        (("swapped_messages",), NOTHING, {}, "D3"),
        (("unfilled_gaps",), CUT_SUBSCRIPTIONS, {}, "D4"),
        (("swallowed_refusals",), KILLED, {"patience": 2.0}, "D5"),
        ((), UNHEARD, {"doubles": True}, "D2"),
        (("late_answers", str(MOST_SECONDS + 0.2)), NOTHING, {}, "U4"),
    ],
)
@pytest.mark.gen_test
async def test_a_broken_promise_is_found(
    fault: Sequence[str],
    happens: Fault,
    habits: dict[str, Any],
    promise: str,
    own_redis: RedisServer,
    own_postgres: PostgresServer,
    folder: Path,
) -> None:
    """The controls: nodes that acknowledge too early or too late, tell things in a wrong order, fill no gaps, or refuse in
    silence, and clients with a new key each time.
    """
    async with cluster(2, own_postgres, own_redis, folder, fault, sessions=SESSIONS) as found:
        assert promise in await broken_by(found, [happens], **habits)
