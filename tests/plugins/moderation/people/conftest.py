"""A room full of people who come from different places, on a real server with moderation."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import orjson
import pytest
from tornado.httpclient import AsyncHTTPClient, HTTPRequest
from tornado.websocket import websocket_connect

from anonchat.app import Server
from anonchat.testing import running_server, settings_in
from anonchat.testing.clocks import SettableClock
from anonchat.testing.databases import run_sql
from anonchat.testing.people import SECONDS, Heard, OpenRoom, Person, Reply, open_room

HOME = "198.51.100.1"  # where people come from if nothing else is said


class Crowd:
    """A server, its clock, and a room with people in it. All of their sockets are closed at the end."""

    def __init__(self, server: Server, clock: SettableClock, folder: Path, room: OpenRoom) -> None:
        self.server = server
        self.clock = clock
        self.folder = folder
        self.room = room
        self.people: list[Person] = []
        self._numbers = itertools.count(1)

    async def rest(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        by: Person | None = None,
        network: str = HOME,
    ) -> Reply:
        """A request below ``/api/rooms/{roomId}``."""
        headers = {"X-Forwarded-For": network} | ({"Authorization": f"Bearer {by.token}"} if by else {})
        reply = await AsyncHTTPClient().fetch(
            f"http://127.0.0.1:{self.server.port}/api/rooms/{self.room.id}{path}",
            method=method,
            headers=headers,
            body=orjson.dumps(body) if body is not None else None,
            allow_nonstandard_methods=True,
            raise_error=False,
            request_timeout=SECONDS,
        )
        return Reply(reply.code, orjson.loads(reply.body), dict(reply.headers))

    async def join(
        self, username: str, *, moderator: bool = False, network: str = HOME, token: str | None = None, **body: Any
    ) -> Reply:
        """Join over REST, from somewhere; `token` is another one than the room's two."""
        key = "moderatorToken" if moderator else "inviteToken"
        own = self.room.moderator_token if moderator else self.room.invite_token
        return await self.rest("POST", "/join", {"username": username, key: token or own, **body}, network=network)

    async def enter(self, username: str, *, network: str = HOME, **body: Any) -> Person:
        """Join and identify."""
        reply = await self.join(username, network=network, **body)
        assert reply.status == 201, reply.body
        session_id, token = reply.body["sessionId"], reply.body["sessionToken"]
        person = await self.identify(username, session_id, token, network=network)
        assert person.welcome[1].event == "identified", person.welcome
        return person

    async def identify(
        self, username: str, session_id: str, token: str, *, network: str = HOME, **position: Any
    ) -> Person:
        """Open a socket; `welcome` of the person is all that comes before the answer to a first heartbeat."""
        address = f"ws://127.0.0.1:{self.server.port}/ws"
        socket = await websocket_connect(HTTPRequest(address, headers={"X-Forwarded-For": network}))
        person = Person(username, session_id, token, socket)
        self.people.append(person)
        await person.send("identify", {"token": token, **position})
        await person.send("heartbeat")
        welcome: list[Heard] = []
        while (heard := await person.read()) is not None and heard.event != "heartbeat_ack":
            welcome.append(heard)
        person.welcome = tuple(welcome)
        return person

    async def again(self, person: Person, *, network: str = HOME, **position: Any) -> Person:
        """Another socket of the same session."""
        return await self.identify(person.username, person.session_id, person.token, network=network, **position)

    async def owner(self, username: str = "Olga") -> Person:
        """Somebody who holds the moderator token."""
        return await self.enter(username, moderator=True)

    async def promoted(self, owner: Person, username: str, **body: Any) -> Person:
        """Somebody whom the owner has made a moderator."""
        person = await self.enter(username, **body)
        answer = await owner.ask("promote", {"targetSessionId": person.session_id})
        assert answer.event == "promote_ack", answer
        return person

    async def heard_by(self, person: Person) -> list[Heard]:
        """All that somebody has heard up to now, and not been asked for."""
        number = await person.send("heartbeat")
        heard: list[Heard] = []
        while (frame := await person.read()) is not None and frame.id != number:
            heard.append(frame)
        return heard

    async def close(self) -> None:
        """Everybody goes home."""
        for person in self.people:
            await person.close()

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        """What stands in the database, read past the server."""
        return run_sql(self.folder, statement)

    def execute(self, statement: str) -> None:
        """Change the database past the server."""
        run_sql(self.folder, statement)

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait for what a job does, for a few seconds."""
        async with asyncio.timeout(SECONDS):
            while not condition():
                await asyncio.sleep(0.05)


@asynccontextmanager
async def crowd_in(
    folder: Path, options: Mapping[str, Any] | None = None, plugins: Mapping[str, object] | None = None, **tables: Any
) -> AsyncIterator[Crowd]:
    """A crowd; `options` are the settings of moderation, `tables` others, `plugins` run beside it."""
    clock = SettableClock()
    server_settings = {"port": 0, "trusted_proxies": (ip_network("127.0.0.1"),)}
    enabled = {"enabled": ("moderation",), "options": {"moderation": dict(options or {})}}
    settings = settings_in(folder, server=server_settings, plugins=enabled, **tables)
    async with running_server(settings, clock, plugins=plugins) as server:
        crowd = Crowd(server, clock, folder, await open_room(server))
        try:
            yield crowd
        finally:
            await crowd.close()


@pytest.fixture
async def crowd(tmp_path: Path) -> AsyncIterator[Crowd]:
    """A crowd with the settings that nobody has changed."""
    async with crowd_in(tmp_path) as crowd:
        yield crowd


@pytest.fixture
def crowd_with(tmp_path: Path) -> Any:
    """A crowd with settings and plugins of one's own: ``async with crowd_with({"public_log": False}) as crowd``."""

    def opened(*arguments: Any, **named: Any) -> Any:
        return crowd_in(tmp_path, *arguments, **named)

    return opened
