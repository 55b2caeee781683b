"""The recent history in memory says exactly what the database says, whatever happens in the room."""

from __future__ import annotations

import asyncio
import itertools
import random
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anonchat.app import Server
from anonchat.delivery.active import ActiveRoom
from anonchat.delivery.history import read_page, read_replay
from anonchat.errors import ChatError
from anonchat.models import Message, Receipt, Room, Session
from anonchat.people.seats import Applicant
from anonchat.rooms.rooms import NewRoom
from anonchat.store.tables import messages
from anonchat.testing import running_server, settings_in
from anonchat.testing.clocks import SettableClock

PAGE, REPLAY = 5, 12


class People:
    """Two sessions of one room and what they have written, acting through the services of a running server."""

    def __init__(self, server: Server, clock: SettableClock, chance: random.Random) -> None:
        self.server = server
        self.clock = clock
        self.chance = chance
        self.numbers = itertools.count()
        self.written: list[tuple[Session, str]] = []

    async def come(self) -> None:
        created = await self.server.rooms.create(NewRoom("Room", retention_seconds=60))
        self.room: Room = created.room
        self.invite = created.invite_token
        self.sessions = [await self._join(f"Person {number}") for number in ("one", "two")]
        self.active: ActiveRoom = await self.server.active.open(self.room.id)

    async def _join(self, name: str) -> Session:
        applicant = Applicant(name, "participant", "network")
        return (await self.server.seats.join(self.room, applicant, self.invite))[0]

    async def send(self) -> None:
        session = self.chance.choice(self.sessions)
        done: asyncio.Future[Receipt | ChatError] = asyncio.get_running_loop().create_future()
        reply = self.chance.choice([None, *(message_id for _, message_id in self.written[-2:])])
        data = {"text": f"text {next(self.numbers)}", "client_msg_id": str(next(self.numbers)), "reply_to_id": reply}
        await self.server.intake.send(session, data, done.set_result)
        outcome = await done
        if isinstance(outcome, Receipt):
            self.written.append((session, outcome.message_id))
        else:
            assert outcome.code == "message_not_found"  # the message that it replies to was deleted

    async def edit(self) -> None:
        await self._change(lambda session, message_id: self.server.messages.edit(session, message_id, "changed"))

    async def delete(self) -> None:
        await self._change(self.server.messages.delete)

    async def _change(self, act: Callable[[Session, str], Awaitable[object]]) -> None:
        if not self.written:
            return
        try:
            await act(*self.chance.choice(self.written[-8:]))
        except ChatError as error:
            if error.code not in {"message_not_found", "edit_window_over", "forbidden"}:
                raise

    async def forget(self) -> None:
        session = self.sessions.pop(self.chance.randrange(2))
        await self.server.sessions.leave(session, forget=True)
        self.sessions.append(await self._join(f"Person {next(self.numbers)} again"))

    async def retain(self) -> None:
        self.clock.advance(self.chance.choice([10, 70]))
        await self.server.retention.run()

    async def update(self) -> None:
        room = await self.server.rooms.find(self.room.id)
        await self.server.rooms.update(room, {"title": f"Room {next(self.numbers)}"})

    def check_size(self) -> None:
        """What is counted along the way is what is there."""
        counted = self.active.recent.size
        self.active.recent._measure()
        assert counted == self.active.recent.size == self.server.active._remembered

    async def compare(self) -> None:
        """Memory and database tell the same, at every position from which one could come back."""
        relay, journal, room_id = self.server.relay, self.server.journal, self.room.id
        page = await journal.read(lambda tx: read_page(tx, room_id, PAGE))
        await relay.gaps.reach(self.active, page.seq)
        assert orjson.dumps(await self.server.active.newest(self.active)) == orjson.dumps(page)
        self.check_size()
        for since in range(max(0, page.seq - REPLAY - 2), page.seq + 2):
            told = self.active.recent.since(since)
            stored = await journal.read(lambda tx, since=since: read_replay(tx, room_id, since, REPLAY))  # type: ignore[misc]
            if told is not None:
                assert orjson.dumps(told) == orjson.dumps(stored)
            elif stored is not None:
                assert stored.through - stored.since > 0


ACTS = ["send", "send", "send", "edit", "edit", "delete", "forget", "retain", "update"]


async def live(acts: list[str], seed: int) -> None:
    clock = SettableClock()
    with tempfile.TemporaryDirectory() as folder:
        configured = settings_in(Path(folder), rooms={"history_page": PAGE, "replay_events": REPLAY})
        async with running_server(configured, clock) as server:
            people = People(server, clock, random.Random(seed))
            await people.come()
            for act in acts:
                await getattr(people, act)()
                await people.compare()
            await server.active.close(people.active)


@settings(max_examples=20, deadline=None, derandomize=True)
@given(acts=st.lists(st.sampled_from(ACTS), max_size=40), seed=st.integers(0, 1_000))
def test_memory_equals_database(acts: list[str], seed: int) -> None:
    asyncio.run(live(acts, seed))


def test_a_stale_memory_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: a memory that forgets to apply edits is caught."""
    monkeypatch.setattr("anonchat.delivery.history._CHANGES", {})
    with pytest.raises(AssertionError):
        asyncio.run(live(["send", "send", "edit", "delete"], 1))


def test_a_row_of_a_message_begins_with_its_fields() -> None:
    """`message_of` takes them by place."""
    assert tuple(messages.c.keys())[: len(Message._fields)] == Message._fields
