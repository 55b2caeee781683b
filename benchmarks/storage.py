"""What one node takes in: stored messages and joins a second, on SQLite, on Postgres, and on Postgres with Redis.

    python -m benchmarks.storage [rounds] [seconds] [folder]

Every commit is on the disk. The services of one node run in this process, without sockets; the kinds of storage take turns, so
that whatever else the machine does meets all alike. Messages are kept in flight in one room, and in many; joins come to one
room, and to many. Postgres and Redis run on this machine, on the same processors and the same disk. Written to SCALING.md.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path

from anonchat.app import Server
from anonchat.errors import ChatError
from anonchat.models import Draft, Session
from anonchat.people.seats import Applicant
from anonchat.plugins.migrations import migrations_of
from anonchat.plugins.registry import Plugins
from anonchat.rooms.rooms import CreatedRoom, NewRoom
from anonchat.testing import running_server, settings_in
from anonchat.testing.databases import VARIABLE, database_in, make_template
from anonchat.testing.postgres import PostgresServer
from anonchat.testing.redis import RedisServer
from benchmarks.charts import OWN
from benchmarks.scaling import FOLDER, Rounds, busy_before, publish
from benchmarks.scenarios.base import Aim, Measure

IN_FLIGHT = 500
ROOMS = 50
PLACES = 100_000
DURABLE = ("fsync=on", "full_page_writes=on", "autovacuum=on")

MESSAGES, MESSAGES_MANY = "messages, 1 room", f"messages, {ROOMS} rooms"
JOINS, JOINS_MANY = "joins, 1 room", f"joins, {ROOMS} rooms"
MEASURES = [Measure(name, name, "/s") for name in (MESSAGES, MESSAGES_MANY, JOINS, JOINS_MANY)]
AIMS = [Aim(name, 0.5, is_least=True, of="sqlite") for name in (MESSAGES, MESSAGES_MANY)]

Act = Callable[[int], Awaitable[object]]


class Load:
    """What is done to one server."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._numbers = itertools.count()
        self._rooms: list[CreatedRoom] = []
        self._sessions: list[Session] = []

    async def prepare(self) -> None:
        """Rooms, and somebody in each of them."""
        for _ in range(ROOMS):
            new = NewRoom("Benchmark", ephemeral=False, max_participants=PLACES)
            self._rooms.append(await self._server.rooms.create(new))
            self._sessions.append(await self._join(self._rooms[-1]))

    async def _join(self, room: CreatedRoom) -> Session:
        applicant = Applicant(f"Guest {next(self._numbers)}", "participant", "network")
        return (await self._server.seats.join(room.room, applicant, room.invite_token))[0]

    def acts(self) -> Mapping[str, Act]:
        """What is measured; each act is given its number."""
        return {
            MESSAGES: lambda number: self._say(self._sessions[0]),
            MESSAGES_MANY: lambda number: self._say(self._sessions[number % ROOMS]),
            JOINS: lambda number: self._join(self._rooms[0]),
            JOINS_MANY: lambda number: self._join(self._rooms[number % ROOMS]),
        }

    async def _say(self, session: Session) -> None:
        content = {"type": "text", "text": "Somebody says what people say to each other."}
        await self._server.intake.post(Draft(session.room_id, session, str(next(self._numbers)), content, None))


async def rate(act: Act, seconds: float) -> float:
    """How often a second something is done, with `IN_FLIGHT` of it under way all the time."""
    done, until = 0, time.perf_counter() + seconds

    async def repeat(number: int) -> None:
        nonlocal done
        while time.perf_counter() < until:
            try:
                await act(number)
            except ChatError as error:
                raise SystemExit(f"The server refused: {error}") from error
            done += 1

    begun = time.perf_counter()
    await asyncio.gather(*(repeat(number) for number in range(IN_FLIGHT)))
    return done / (time.perf_counter() - begun)


async def measure(folder: Path, storages: Mapping[str, Mapping[str, str]], rounds: int, seconds: float) -> Rounds:
    """Storage -> what is done -> how often a second, of each round. The first round warms up and is not counted."""
    found: dict[str, list[dict[str, float]]] = {name: [] for name in storages}
    async with AsyncExitStack() as stack:
        loads = {}
        for name, storage in storages.items():
            settings = settings_in(folder, storage=storage, rooms={"max_participants": PLACES})
            loads[name] = Load(await stack.enter_async_context(running_server(settings)))
            await loads[name].prepare()
        for number in range(rounds + 1):
            for name, load in loads.items():
                figures = {what: await rate(act, seconds) for what, act in load.acts().items()}
                if number:
                    found[name].append(figures)
            print(f"\rround {number} of {rounds}", end="", flush=True, file=sys.stderr)
    return found


def main() -> None:
    """Start a Postgres and a Redis, measure and report."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 2.0
    output = Path(sys.argv[3]) if len(sys.argv) > 3 else FOLDER
    busy = busy_before()
    with ExitStack() as stack:
        folders = [Path(stack.enter_context(tempfile.TemporaryDirectory())) for _ in range(3)]
        server = stack.enter_context(PostgresServer(*DURABLE))
        redis = stack.enter_context(RedisServer()).url("benchmark:")
        sqlite = database_in(folders[0])
        os.environ[VARIABLE] = server.url()
        make_template(server.url(), migrations_of(Plugins(())))
        storages = {
            OWN: {"database": database_in(folders[1]), "bus": redis, "ephemeral": redis},
            "postgresql": {"database": database_in(folders[2])},
            "sqlite": {"database": sqlite},
        }
        found = asyncio.run(measure(folders[1], storages, rounds, seconds))
    publish("storage", "What one node takes in", "sqlite", MEASURES, AIMS, found, busy, output)


if __name__ == "__main__":
    main()
