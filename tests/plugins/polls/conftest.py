"""A room on a real server in which polls are held. The clock stands still until a test moves it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Table, func, select

from anonchat import Session
from anonchat.app import Server
from anonchat.testing import running_server, settings_in
from anonchat.testing.clocks import SettableClock
from anonchat.testing.people import Heard, OpenRoom, Person, Reply, open_room, request
from anonchat_polls import Polls
from anonchat_polls.poll import Poll, poll_of
from anonchat_polls.statements import SELECT_POLL


@dataclass
class Booth:
    """A server with polls, a room, and its moderator."""

    folder: Path
    server: Server
    clock: SettableClock
    polls: Polls
    room: OpenRoom
    moderator: Person

    @staticmethod
    def asked(**data: Any) -> dict[str, Any]:
        """Data of `create_poll`."""
        return {"question": "Tea or coffee?", "options": ["Tea", "Coffee", "Water"], **data}

    async def create(self, by: Person | None = None, **data: Any) -> str:
        """A poll, by the moderator or somebody else; returns its id."""
        answer = await (by or self.moderator).ask("create_poll", self.asked(**data))
        assert answer.event == "poll_created", answer
        poll_id: str = answer.data["pollId"]
        return poll_id

    async def vote(self, person: Person, poll_id: str, *options: int, **more: Any) -> Heard:
        """Vote for options by their numbers; returns the answer."""
        return await person.ask("vote", {"pollId": poll_id, "optionIds": [str(option) for option in options], **more})

    async def results(self, person: Person, poll_id: str) -> Mapping[str, Any]:
        """The state of a poll as somebody may see it."""
        answer = await person.ask("get_poll_results", {"pollId": poll_id})
        assert answer.event == "poll_results", answer
        return answer.data

    async def close(self, poll_id: str, by: Person | None = None) -> Heard:
        """Close a poll; returns the answer."""
        return await (by or self.moderator).ask("close_poll", {"pollId": poll_id})

    async def get(self, person: Person, path: str) -> Reply:
        """A REST request about the room's polls."""
        return await request(self.server, "GET", f"/api/rooms/{self.room.id}/polls{path}", token=person.token)

    async def until_now(self, person: Person) -> list[Heard]:
        """Everything that somebody hears before a message that the moderator says now."""
        await self.moderator.say("Now.")
        heard: list[Heard] = []
        while (one := await person.read()) is not None:
            if one.event == "message" and one.data["content"]["text"] == "Now.":
                return heard
            heard.append(one)
        raise ConnectionError("The socket was closed.")

    async def count(self, table: Table) -> int:
        """How many rows a table has."""
        row = await self.polls.ctx.db.fetch_one(select(func.count()).select_from(table))
        assert row is not None
        return int(row[0])

    async def session(self, person: Person) -> Session:
        """A person's session."""
        session = await self.polls.ctx.sessions.get(person.session_id)
        assert session is not None
        return session

    async def poll(self, poll_id: str) -> Poll:
        """A poll as it is stored."""
        row = await self.polls.ctx.db.fetch_one(SELECT_POLL, {"poll": poll_id, "room": self.room.id})
        assert row is not None
        return poll_of(row)

    @asynccontextmanager
    async def crowd(self, size: int) -> AsyncIterator[list[Person]]:
        """So many people with sockets."""
        people: list[Person] = []
        try:
            for number in range(size):
                reply = await self.room.join(f"Voter {number}")
                assert reply.status == 201, reply.body
                body = reply.body
                people.append(await self.room.identify(f"Voter {number}", body["sessionId"], body["sessionToken"]))
            yield people
        finally:
            for person in people:
                await person.close()


Opening = Callable[..., AbstractAsyncContextManager[Booth]]


@pytest.fixture
def opening(tmp_path: Path) -> Opening:
    """Return what opens a booth: keywords are settings of the plugin, `plugins` others beside it."""

    @asynccontextmanager
    async def open_booth(plugins: Mapping[str, object] | None = None, **options: Any) -> AsyncIterator[Booth]:
        clock, polls = SettableClock(), Polls()
        limits = {"sockets_per_session": 60}
        settings = settings_in(tmp_path, plugins={"options": {"polls": options}}, limits=limits)
        async with running_server(settings, clock, plugins={"polls": polls, **(plugins or {})}) as server:
            room = await open_room(server, ephemeral=False)
            async with room.enter("Maud", moderator=True) as moderator:
                yield Booth(tmp_path, server, clock, polls, room, moderator)

    return open_booth


@pytest.fixture
async def booth(opening: Opening) -> AsyncIterator[Booth]:
    async with opening() as booth:
        yield booth
