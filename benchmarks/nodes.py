"""What two nodes cost each other: the time from a send on one to its receipt on the other, and publications a second.

    python -m benchmarks.nodes [rounds] [seconds] [folder]

Two servers in processes of their own share a Postgres and a Redis, all on this machine. Somebody writes on one node, at a
steady pace; each message is acknowledged, stored (every commit on the disk) and heard on the other node. Then many write on one
node as fast as they are acknowledged, in rooms of their own, and are heard on the other: each message is a publication of that
node. The bus alone is one that publishes and another that hears, in one process, with nothing else in between. Written to
SCALING.md.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path
from typing import cast

from anonchat.clock import Clock
from anonchat.plugins.migrations import migrations_of
from anonchat.plugins.registry import Plugins
from anonchat.storage.backends import open_backend
from anonchat.storage.roles import Bus
from anonchat.testing.databases import BETWEEN_NODES, VARIABLE, make_template
from anonchat.testing.people import Heard, OpenRoom, Person, open_room
from anonchat.testing.postgres import PostgresServer
from anonchat.testing.processes import ServerProcess, environment
from anonchat.testing.redis import RedisServer
from benchmarks.charts import OWN
from benchmarks.results import quantile
from benchmarks.scaling import FOLDER, busy_before, publish
from benchmarks.scenarios.base import Aim, Measure

ROUNDS, SECONDS = 5, 5.0
PACES = (50, 500)  # messages a second
WRITERS, IN_FLIGHT = 20, 25
SETTLED_SECONDS = 30.0
OVER = "over"
PUBLICATIONS = 50_000
TURN = 100  # publications in one turn of the event loop
DURABLE = ("fsync=on", "full_page_writes=on", "autovacuum=on")
PAYLOAD = b"x" * 300
RATE, BUS = "publications", "bus"
MEASURES = [
    *(
        Measure(f"p{share} at {pace}", f"from node to node at {pace}/s, p{share}", "ms", 1, is_ratio=False)
        for pace in PACES
        for share in (50, 99)
    ),
    Measure(RATE, "publications of a node", "/s", is_ratio=False),
    Measure(BUS, "publications of the bus alone", "/s", is_ratio=False),
]
AIMS = [Aim(f"p50 at {PACES[0]}", 5, is_least=False), Aim(f"p99 at {PACES[0]}", 20, is_least=False)]


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


async def measure_flood(one: ServerProcess, other: ServerProcess, seconds: float) -> float:
    """Messages a second that are written on one node and heard on the other, each exactly once and in order."""
    async with AsyncExitStack() as stack:
        writers, readers = [], []
        for _ in range(WRITERS):
            here, there = await both_doors(one, other)
            writers.append(await stack.enter_async_context(here.enter("Alice")))
            readers.append(await stack.enter_async_context(there.enter("Bob")))
        began = time.perf_counter()
        following = [asyncio.create_task(_follow(reader)) for reader in readers]
        async with asyncio.timeout(seconds + SETTLED_SECONDS):
            written = await asyncio.gather(*(_write(writer, began + seconds) for writer in writers))
            heard = await asyncio.gather(*following)
        if heard != written:
            raise SystemExit(f"{sum(written)} messages were acknowledged, and {sum(heard)} heard on the other node.")
        return sum(written) / (time.perf_counter() - began)


async def _write(writer: Person, until: float) -> int:
    """Keep so many under way, and say at the end that it is over; returns how many were acknowledged."""
    sent = acked = 0
    while acked < sent or time.perf_counter() < until:
        while sent - acked < IN_FLIGHT and time.perf_counter() < until:
            sent += 1
            await writer.send("send_message", {"text": f"number {sent}", "clientMsgId": str(sent)})
        acked += (await _read(writer)).event == "message_ack"
    await writer.say(OVER)
    return acked + 1


async def _follow(reader: Person) -> int:
    """Hear all that is written, and return how much that is. Ends the run if something is missing or comes twice."""
    position, text = 0, ""
    while text != OVER:
        heard = await _read(reader)
        if heard.seq is not None:
            if heard.seq != position + 1:
                raise SystemExit(f"Number {heard.seq} was heard after {position}.")
            position, text = heard.seq, heard.data["content"]["text"]
    return position


async def _read(person: Person) -> Heard:
    """The next event. Ends the run where the server has closed the socket."""
    heard = await person.read()
    if heard is None:
        raise SystemExit(f"The socket was closed with {person.socket.close_code}.")
    return heard


async def both_doors(one: ServerProcess, other: ServerProcess) -> tuple[OpenRoom, OpenRoom]:
    """A new room as each node shows it."""
    room = await open_room(one)  # type: ignore[arg-type]
    return room, OpenRoom(other, room.id, room.invite_token, room.moderator_token)  # type: ignore[arg-type]


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


async def measure(one: ServerProcess, other: ServerProcess, redis: str, seconds: float) -> Mapping[str, float]:
    """The figures of one round."""
    figures: dict[str, float] = {}
    here, there = await both_doors(one, other)
    for pace in PACES:
        found = await measure_latency(here, there, pace, seconds)
        figures |= {f"p{share} at {pace}": quantile(found, share / 100) for share in (50, 99)}
    figures[RATE] = await measure_flood(one, other, seconds)
    return {**figures, BUS: await measure_publications(redis)}


def main() -> None:
    """Start everything, measure, and throw everything away. The first round warms up and is not counted."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else SECONDS
    output = Path(sys.argv[3]) if len(sys.argv) > 3 else FOLDER
    busy = busy_before()
    found: list[Mapping[str, float]] = []
    with ExitStack() as stack:
        postgres = stack.enter_context(PostgresServer(*DURABLE))
        redis = stack.enter_context(RedisServer())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        os.environ |= {VARIABLE: postgres.url(), BETWEEN_NODES: redis.url().partition("?")[0]}
        make_template(postgres.url(), migrations_of(Plugins(())))
        one, other = (stack.enter_context(ServerProcess(folder, environment())) for _ in range(2))
        for number in range(rounds + 1):
            figures = asyncio.run(measure(one, other, redis.url("benchmark:"), seconds))
            found += [figures] * (number > 0)
            print(f"\rround {number} of {rounds}", end="", flush=True, file=sys.stderr)
    publish("nodes", "Two nodes", OWN, MEASURES, AIMS, {OWN: found}, busy, output)


if __name__ == "__main__":
    main()
