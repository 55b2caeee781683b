"""What a database takes in: stored messages and joins a second, on SQLite and on Postgres, both with every commit on the disk.

    python benchmarks/storage.py [rounds] [seconds]

The services of one node run in this process, without sockets; the databases take turns, so that whatever else the machine
does meets both alike. Messages are kept in flight in one room, and in many; joins come to one room, and to many. Told are
medians over the rounds. Postgres runs on this machine, on the same processors and the same disk.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path

from anonchat.app import Server
from anonchat.backends import migrations_of
from anonchat.errors import ChatError
from anonchat.models import Draft, Session
from anonchat.plugins import Plugins
from anonchat.rooms import CreatedRoom, NewRoom
from anonchat.seats import Applicant
from anonchat.testing import running_server, settings_in
from anonchat.testing.databases import VARIABLE, database_in, make_template
from anonchat.testing.postgres import PostgresServer

IN_FLIGHT = 500
ROOMS = 50
PLACES = 100_000
DURABLE = ("fsync=on", "full_page_writes=on", "autovacuum=on")

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
            "messages, 1 room": lambda number: self._say(self._sessions[0]),
            f"messages, {ROOMS} rooms": lambda number: self._say(self._sessions[number % ROOMS]),
            "joins, 1 room": lambda number: self._join(self._rooms[0]),
            f"joins, {ROOMS} rooms": lambda number: self._join(self._rooms[number % ROOMS]),
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


async def measure(urls: Mapping[str, str], rounds: int, seconds: float) -> Mapping[str, Mapping[str, float]]:
    """What is done -> database -> how often a second. The first round warms up and is not counted."""
    found: dict[str, dict[str, list[float]]] = {}
    async with AsyncExitStack() as stack:
        loads = {}
        for name, url in urls.items():
            rooms = {"max_participants": PLACES}
            settings = settings_in(Path(), storage={"database": url}, rooms=rooms)
            loads[name] = Load(await stack.enter_async_context(running_server(settings)))
            await loads[name].prepare()
        for number in range(rounds + 1):
            for name, load in loads.items():
                for what, act in load.acts().items():
                    figure = await rate(act, seconds)
                    if number:
                        found.setdefault(what, {}).setdefault(name, []).append(figure)
    return {what: {name: statistics.median(all_) for name, all_ in one.items()} for what, one in found.items()}


def main() -> None:
    """Start a Postgres, measure and report."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 2.0
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = stack.enter_context(PostgresServer(*DURABLE))
        urls = {"sqlite": database_in(folder)}
        os.environ[VARIABLE] = server.url()
        make_template(server.url(), migrations_of(Plugins(())))
        urls["postgresql"] = database_in(folder)
        found = asyncio.run(measure(urls, rounds, seconds))
    print(f"{'a second':22} {'sqlite':>10} {'postgresql':>11} {'of sqlite':>10}")
    for what, figures in found.items():
        sqlite, postgres = figures["sqlite"], figures["postgresql"]
        print(f"{what:22} {sqlite:10,.0f} {postgres:11,.0f} {postgres / sqlite:10.2f}")


if __name__ == "__main__":
    main()
