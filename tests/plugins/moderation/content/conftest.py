"""Rooms on a real server with moderation, and a clock that stands still."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from anonchat.app import Server
from anonchat.testing import running_server, settings_in
from anonchat.testing.clocks import SettableClock
from anonchat.testing.people import Heard, OpenRoom, Person, open_room

Moderated = Callable[..., AbstractAsyncContextManager[Server]]
OFF = {kind: {"action": "allow"} for kind in ("flooding", "words", "links", "shouting", "repeats", "newcomers")}


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock()


@pytest.fixture
def moderated(tmp_path: Path, clock: SettableClock) -> Moderated:
    """Starts a server; its arguments are those of ``[plugins.moderation]``."""

    @asynccontextmanager
    async def start(**options: Any) -> AsyncIterator[Server]:
        plugins = {"enabled": ("moderation",), "options": {"moderation": options}}
        async with running_server(settings_in(tmp_path, plugins=plugins), clock) as server:
            yield server

    return start


class House:
    """A room with a moderator in it. `rules` sets rules of the room, all others being off."""

    def __init__(self, server: Server, clock: SettableClock, room: OpenRoom, olga: Person) -> None:
        self.server = server
        self.clock = clock
        self.room = room
        self.olga = olga

    def enter(self, username: str, **body: Any) -> AbstractAsyncContextManager[Person]:
        return self.room.enter(username, **body)

    async def rules(self, **rules: Mapping[str, Any]) -> Heard:
        return await self.olga.ask("set_moderation", {"slowModeSeconds": 0, "rules": {**OFF, **rules}})

    async def press(self, event: str, **data: Any) -> Mapping[str, Any]:
        """What the moderator does, and its answer."""
        answer = await self.olga.ask(event, data)
        assert answer.event != "error", answer
        return answer.data


@pytest.fixture
async def house(moderated: Moderated, clock: SettableClock) -> AsyncIterator[House]:
    async with moderated() as server:
        room = await open_room(server, maxParticipants=300)
        async with room.enter("Olga", moderator=True) as olga:
            yield House(server, clock, room, olga)


async def heard_by(person: Person) -> list[Heard]:
    """All that somebody has heard up to now, and not been asked for."""
    number = await person.send("heartbeat")
    heard: list[Heard] = []
    while (frame := await person.read()) is not None and frame.id != number:
        heard.append(frame)
    return heard


def texts(heard: list[Heard]) -> list[str]:
    """What was said."""
    return [frame.data["content"]["text"] for frame in heard if frame.event == "message"]
