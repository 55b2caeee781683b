"""What two nodes cost each other: the time from a send on one to its receipt on the other, and publications a second.

    python -m benchmarks.nodes [seconds]

Two servers in processes of their own share a Postgres and a Redis, all on this machine. Somebody writes on one node, at a
steady pace; each message is acknowledged, stored (every commit on the disk) and heard on the other node. Publications are those
of one bus that another hears, with nothing else in between.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import cast

from anonchat.backends import migrations_of, open_backend
from anonchat.clock import Clock
from anonchat.plugins import Plugins
from anonchat.storage import Bus
from anonchat.testing.databases import BETWEEN_NODES, VARIABLE, make_template
from anonchat.testing.people import OpenRoom, Person, open_room
from anonchat.testing.postgres import PostgresServer
from anonchat.testing.processes import ServerProcess, environment
from anonchat.testing.redis import RedisServer

SECONDS = 5.0
PACES = (50, 500)  # messages a second
PUBLICATIONS = 50_000
TURN = 100  # publications in one turn of the event loop
DURABLE = ("fsync=on", "full_page_writes=on", "autovacuum=on")
PAYLOAD = b"x" * 300


async def measure_latency(room: OpenRoom, there: OpenRoom, pace: int, seconds: float) -> list[float]:
    """Milliseconds from each send to its receipt on the other node."""
    async with room.enter(f"Alice {pace}") as alice, there.enter(f"Bob {pace}") as bob:
        sent: dict[str, float] = {}
        hearing = asyncio.create_task(_hear(bob, sent, round(pace * seconds)))
        acks = asyncio.create_task(_drain(alice))
        began = time.perf_counter()
        for number in range(round(pace * seconds)):
            await asyncio.sleep(max(0.0, began + number / pace - time.perf_counter()))
            sent[f"{pace} {number}"] = time.perf_counter()
            await alice.send("send_message", {"text": f"{pace} {number}", "clientMsgId": f"{pace}-{number}"})
        try:
            return await asyncio.wait_for(hearing, 10)
        finally:
            acks.cancel()
            await asyncio.gather(acks, return_exceptions=True)


async def _hear(bob: Person, sent: dict[str, float], count: int) -> list[float]:
    found: list[float] = []
    while len(found) < count:
        heard = await bob.read()
        if heard is not None and heard.event == "message":
            found.append((time.perf_counter() - sent[heard.data["content"]["text"]]) * 1_000)
    return found


async def _drain(alice: Person) -> None:
    while await alice.read() is not None:
        """Acknowledgements and what one says oneself."""


async def measure_publications(url: str) -> float:
    """Publications a second, from the first to the receipt of the last."""
    done = asyncio.Event()
    heard = 0

    def receive(_channel: str, _payload: bytes) -> None:
        nonlocal heard
        heard += 1
        if heard == PUBLICATIONS:
            done.set()

    one, other = (cast("Bus", open_backend("bus", url, Clock())) for _ in range(2))
    await one.start(_ignore)
    await other.start(receive)
    try:
        await other.subscribe("room:1:messages")
        began = time.perf_counter()
        for number in range(PUBLICATIONS):
            one.publish("room:1:messages", PAYLOAD)
            if number % TURN == 0:
                while number - heard > 10 * TURN:  # noqa: ASYNC110 - as many as are under way
                    await asyncio.sleep(0)
        await asyncio.wait_for(done.wait(), 60)
        return PUBLICATIONS / (time.perf_counter() - began)
    finally:
        await one.close()
        await other.close()


def _ignore(_channel: str, _payload: bytes) -> None:
    """The one that publishes hears nobody."""


async def measure(folder: Path, redis: RedisServer, seconds: float) -> None:
    """Print the figures."""
    variables = environment()
    with ServerProcess(folder, variables) as one, ServerProcess(folder, variables) as other:
        room = await open_room(one)  # type: ignore[arg-type]
        there = OpenRoom(other, room.id, room.invite_token, room.moderator_token)  # type: ignore[arg-type]
        for pace in PACES:
            found = sorted(await measure_latency(room, there, pace, seconds))
            p50, p99 = statistics.median(found), found[int(len(found) * 0.99)]
            print(
                f"from node to node at {pace} messages a second: p50 {p50:.1f} ms, p99 {p99:.1f} ms ({len(found)} messages)"
            )
    rates = [await measure_publications(redis.url("benchmark:")) for _ in range(3)]
    print(f"publications: {statistics.median(rates):,.0f} a second, sent by one process and heard by itself")


def main() -> None:
    """Start everything, measure, and throw everything away."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else SECONDS
    with ExitStack() as stack:
        postgres = stack.enter_context(PostgresServer(*DURABLE))
        redis = stack.enter_context(RedisServer())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        os.environ |= {VARIABLE: postgres.url(), BETWEEN_NODES: redis.url().partition("?")[0]}
        make_template(postgres.url(), migrations_of(Plugins(())))
        asyncio.run(measure(folder, redis, seconds))


if __name__ == "__main__":
    main()
