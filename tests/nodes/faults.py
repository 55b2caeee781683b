"""What goes wrong between nodes and what they share, from its beginning to its end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import NamedTuple

import asyncpg

from anonchat.testing.databases import database_in, run_sql
from anonchat.testing.lines import Line

from .cluster import Cluster

DELAY_SECONDS = 0.05
TRICKLE = 20_000  # bytes a second
KILLS = 20
OFTEN_SECONDS = 0.1
TERMINATE = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'anonchat'"

Lines = Callable[[Cluster], list[Line]]
Act = Callable[[Cluster], AbstractAsyncContextManager[None]]


class Fault(NamedTuple):
    """`act` lasts for `seconds` in a test, and for `long` seconds in a soak."""

    name: str
    act: Act
    seconds: float
    long: float


# --- on the way


def to_redis(found: Cluster) -> list[Line]:
    """The first node's alone: the others go on hearing each other."""
    return [found.nodes[0].to_redis]


def to_postgres(found: Cluster) -> list[Line]:
    return [found.nodes[0].to_postgres]


@asynccontextmanager
async def people_are_cut(found: Cluster) -> AsyncIterator[None]:
    """What they are told gets lost for a while; then every connection of that node breaks."""
    line = found.nodes[0].from_people
    assert line is not None
    await line.become(down="dead")
    yield
    line.reset()
    await line.become()


def ways_are(lines: Lines, *, up: str = "open", down: str = "open") -> Act:
    @asynccontextmanager
    async def act(found: Cluster) -> AsyncIterator[None]:
        for line in lines(found):
            await line.become(up=up, down=down)
        yield
        for line in lines(found):
            await line.become()

    return act


def slow_down(lines: Lines, *, delay_seconds: float = 0.0, bytes_per_second: float | None = None) -> Act:
    @asynccontextmanager
    async def act(found: Cluster) -> AsyncIterator[None]:
        for line in lines(found):
            line.slow_down(delay_seconds=delay_seconds, bytes_per_second=bytes_per_second)
        yield
        for line in lines(found):
            line.slow_down()

    return act


def often(do: Callable[[Cluster], None], times: int | None = None) -> Act:
    """Again and again as long as it lasts, or so many times."""

    @asynccontextmanager
    async def act(found: Cluster) -> AsyncIterator[None]:
        async def repeat() -> None:
            count = 0
            while times is None or count < times:
                await asyncio.to_thread(do, found)
                count += 1
                await asyncio.sleep(OFTEN_SECONDS)

        repeating = asyncio.create_task(repeat())
        yield
        if times is None:
            repeating.cancel()
        await asyncio.gather(repeating, return_exceptions=times is None)

    return act


def reset(lines: Lines) -> Act:
    """Every connection, three times in a row."""

    @asynccontextmanager
    async def act(found: Cluster) -> AsyncIterator[None]:
        for _ in range(3):
            for line in lines(found):
                line.reset()
            await asyncio.sleep(OFTEN_SECONDS)
        yield

    return act


# --- in Redis


@asynccontextmanager
async def redis_dies(found: Cluster) -> AsyncIterator[None]:
    found.redis.kill()
    yield
    await asyncio.to_thread(found.redis.start)


@asynccontextmanager
async def redis_pauses(found: Cluster) -> AsyncIterator[None]:
    found.redis.pause()
    yield
    found.redis.resume()


def kill_subscriptions(found: Cluster) -> None:
    found.redis.ask("CLIENT", "KILL", "TYPE", "pubsub")


@asynccontextmanager
async def redis_forgets(found: Cluster) -> AsyncIterator[None]:
    found.redis.ask("FLUSHALL")
    yield


# --- in Postgres


@asynccontextmanager
async def postgres_dies(found: Cluster) -> AsyncIterator[None]:
    found.postgres.kill()
    yield
    await asyncio.to_thread(found.postgres.start)


@asynccontextmanager
async def postgres_restarts(found: Cluster) -> AsyncIterator[None]:
    await asyncio.to_thread(found.postgres.stop)
    yield
    await asyncio.to_thread(found.postgres.start)


def terminate_backends(found: Cluster) -> None:
    run_sql(found.folder, TERMINATE)


@asynccontextmanager
async def messages_are_locked(found: Cluster) -> AsyncIterator[None]:
    connection = await asyncpg.connect(database_in(found.folder))
    try:
        async with connection.transaction():
            await connection.execute("LOCK TABLE messages IN ACCESS EXCLUSIVE MODE")
            yield
    finally:
        await connection.close()


REDIS = (
    Fault("its answers are late", slow_down(to_redis, delay_seconds=DELAY_SECONDS), 0.5, 5),
    Fault("it trickles", slow_down(to_redis, bytes_per_second=TRICKLE), 0.5, 5),
    Fault("connections are reset", reset(to_redis), 0, 0),
    Fault("connections are half open", ways_are(to_redis, down="dead"), 1.5, 10),
    Fault("the way is a black hole", ways_are(to_redis, up="dead", down="dead"), 1.5, 10),
    Fault("subscriptions are killed", often(kill_subscriptions, KILLS), 0, 0),
    Fault("it forgets everything", redis_forgets, 0.5, 2),
    Fault("it pauses", redis_pauses, 1.5, 5),
    Fault("it is killed", redis_dies, 1, 10),
)
POSTGRES = (
    Fault("its answers are late", slow_down(to_postgres, delay_seconds=DELAY_SECONDS), 0.5, 5),
    Fault("it trickles", slow_down(to_postgres, bytes_per_second=TRICKLE), 0.5, 5),
    Fault("connections are reset", reset(to_postgres), 0, 0),
    Fault("backends are terminated", often(terminate_backends), 1, 5),
    Fault("the messages are locked", messages_are_locked, 0.5, 10),
    Fault("it is killed", postgres_dies, 0.5, 10),
    Fault("it restarts", postgres_restarts, 0, 0),
    Fault("connections are half open", ways_are(to_postgres, down="dead"), 0.5, 10),
    Fault("the way is a black hole", ways_are(to_postgres, up="dead", down="dead"), 0.5, 10),
)
PEOPLE = (
    Fault("what they are told is lost", people_are_cut, 0.5, 5),
    *[Fault("they are cut", people_are_cut, 0, 0)] * 3,
)
