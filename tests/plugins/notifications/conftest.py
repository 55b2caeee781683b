"""A server with notifications, and with a plugin that does to people what moderation and polls do."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from anonchat import Draft, Held, PluginContext, Transaction, hookimpl, hookspec
from anonchat.app import Server
from anonchat.testing import running_server, settings_in
from anonchat.testing.clocks import SettableClock
from anonchat.testing.people import OpenRoom, Person, open_room


class Offered:
    """The hooks that notifications implements, as polls and moderation offer them."""

    @hookspec
    async def polls_voted(
        self, room_id: str, poll_id: str, message_id: str, owner_id: str, voters: int, others: int
    ) -> None:
        """So many have voted, and so many of them have not made the poll."""

    @hookspec
    async def write_poll_closed(
        self, tx: Transaction, room_id: str, poll_id: str, message_id: str, owner_id: str
    ) -> None:
        """A poll is being closed."""

    @hookspec
    async def write_moderated(
        self, tx: Transaction, room_id: str, act: str, session_id: str, reason: str | None, until: int | None
    ) -> None:
        """Somebody is acted upon."""


class Others:
    """Closes polls, counts votes, mutes people, and holds the messages that say so."""

    @hookimpl
    def register_hookspecs(self) -> Sequence[object]:
        return [Offered]

    @hookimpl
    async def setup(self, ctx: PluginContext) -> None:
        self.ctx = ctx

    @hookimpl
    async def filter_message(self, draft: Draft) -> Held | None:
        return Held(None, "waits") if draft.content["text"].startswith("hold ") else None

    async def open_poll(self, owner: Person, text: str) -> str:
        """The id of the message of a new poll."""
        session = await self.ctx.sessions.get(owner.session_id)
        assert session is not None
        return (await self.ctx.messages.send(session, {"type": "poll", "text": text})).message_id

    async def close_poll(self, room: OpenRoom, owner: Person, message_id: str) -> None:
        poll = {"room_id": room.id, "poll_id": "p", "message_id": message_id, "owner_id": owner.session_id}
        await self.ctx.db.transaction(lambda tx: self.ctx.hooks.write(tx, "write_poll_closed", **poll))

    async def count_votes(self, room: OpenRoom, owner: Person, message_id: str, others: int) -> None:
        """So many others have voted, and the owner, too."""
        poll = {"room_id": room.id, "poll_id": "p", "message_id": message_id, "owner_id": owner.session_id}
        self.ctx.hooks.observe("polls_voted", **poll, voters=others + 1, others=others)

    async def act(
        self, room: OpenRoom, act: str, person: Person, until: int | None = None, *, fails: bool = False
    ) -> None:
        """Act on somebody; with `fails` the transaction of the act is undone."""
        told: dict[str, Any] = {"room_id": room.id, "act": act, "session_id": person.session_id, "reason": "Shouting."}

        async def work(tx: Transaction) -> None:
            await self.ctx.hooks.write(tx, "write_moderated", **told, until=until)
            if fails:
                raise ValueError(act)

        await self.ctx.db.transaction(work)


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock()


@pytest.fixture
def others() -> Others:
    return Others()


@pytest.fixture
def options() -> dict[str, Any]:
    """The settings of the plugin; a test may ask for others by parametrizing this."""
    return {}


@pytest.fixture
async def server(
    tmp_path: Path, clock: SettableClock, others: Others, options: dict[str, Any]
) -> AsyncIterator[Server]:
    plugins = {"enabled": ("notifications",), "options": {"notifications": options}}
    async with running_server(settings_in(tmp_path, plugins=plugins), clock, plugins={"others": others}) as running:
        yield running


@pytest.fixture
async def room(server: Server) -> OpenRoom:
    return await open_room(server)


@pytest.fixture
async def alice(room: OpenRoom) -> AsyncIterator[Person]:
    async with room.enter("Alice") as person:
        yield person


@pytest.fixture
async def bob(room: OpenRoom) -> AsyncIterator[Person]:
    async with room.enter("Bob") as person:
        yield person


@pytest.fixture
async def zoe(room: OpenRoom) -> AsyncIterator[Person]:
    """Return a moderator."""
    async with room.enter("Zoe", moderator=True) as person:
        yield person
