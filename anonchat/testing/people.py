"""People for a test: they open rooms and join them over REST, and talk over real WebSockets.

::

    room = await open_room(server, title="Lunch")
    async with room.enter("Alice") as alice, room.enter("Bob") as bob:
        ack = await alice.say("Hello")
        assert (await bob.hear("message")).data["content"]["text"] == "Hello"
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson
from tornado.httpclient import AsyncHTTPClient, HTTPRequest
from tornado.websocket import WebSocketClientConnection, websocket_connect

if TYPE_CHECKING:
    from anonchat.app import Server

SECONDS = 30.0  # longest wait for anything


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to a REST request."""

    status: int
    body: Any
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Heard:
    """One event that the server sent. `id` is set on the answer to a frame of one's own."""

    event: str
    data: Mapping[str, Any]
    seq: int | None = None
    id: str | int | None = None


async def request(
    server: Server,
    method: str,
    path: str,
    body: Mapping[str, Any] | None = None,
    *,
    token: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Reply:
    """Make a REST request. `token` goes into the header `Authorization`; a JSON answer is decoded. Never raises for a status."""
    known = {"Authorization": f"Bearer {token}"} if token else {}
    reply = await AsyncHTTPClient().fetch(
        f"http://127.0.0.1:{server.port}{path}",
        method=method,
        headers={**known, **(headers or {})},
        body=orjson.dumps(body) if body is not None else None,
        allow_nonstandard_methods=True,
        raise_error=False,
        request_timeout=SECONDS,
    )
    is_json = "json" in reply.headers.get("Content-Type", "")
    return Reply(reply.code, orjson.loads(reply.body) if is_json else reply.body, dict(reply.headers))


@dataclass(slots=True)
class Person:
    """A participant with one open, identified socket. `welcome` are the events that came with it."""

    username: str
    session_id: str
    token: str
    socket: WebSocketClientConnection
    welcome: tuple[Heard, ...] = ()
    _ids: itertools.count[int] = field(default_factory=lambda: itertools.count(1))
    _heard: list[Heard] = field(default_factory=list)
    _is_over: bool = False

    async def send(self, event: str, data: Mapping[str, Any] | None = None) -> int:
        """Send one frame; returns the `id` that its answer will have."""
        frame_id = next(self._ids)
        await self.socket.write_message(orjson.dumps({"event": event, "data": data or {}, "id": frame_id}))
        return frame_id

    async def ask(self, event: str, data: Mapping[str, Any] | None = None) -> Heard:
        """Send one frame and wait for its answer, which may be an `error`."""
        return await self.answer(await self.send(event, data))

    async def answer(self, frame_id: int) -> Heard:
        """Wait for the answer to a frame that was sent. One wait at a time: a person has one pair of ears."""
        return await self._wait(lambda heard: heard.id == frame_id, f"the answer to frame {frame_id}")

    async def say(self, text: str, **data: Any) -> Heard:
        """Send a message and wait for the `message_ack`, or whatever else the answer is."""
        message = {"text": text, "clientMsgId": f"m{next(self._ids)}", **data}
        return await self.ask("send_message", message)

    async def hear(self, event: str) -> Heard:
        """The next event of that name; others stay to be heard later. Raises TimeoutError after half a minute."""
        return await self._wait(lambda heard: heard.event == event, event)

    async def heard(self, event: str) -> Sequence[Heard]:
        """What has come of an event up to now and was not heard; it stays to be heard. ``assert not await bob.heard("roll")``.

        Asks for a heartbeat, so all that was sent to this socket before is there. What an observer sends may not have been
        sent yet: wait for ``server.dispatcher.settle()`` before.
        """
        await self.ask("heartbeat")
        return [heard for heard in self._heard if heard.event == event]

    async def read(self) -> Heard | None:
        """The next event, whatever it is; None once the socket is closed (see ``socket.close_code``)."""
        text = None if self._is_over else await asyncio.wait_for(self.socket.read_message(), SECONDS)
        self._is_over = text is None
        return None if text is None else _heard(text)

    async def close(self) -> None:
        """Close the socket and wait until it is closed. The session goes on."""
        self.socket.close()
        while await self.read() is not None:
            pass

    async def _wait(self, wanted: Any, what: str) -> Heard:
        for index, heard in enumerate(self._heard):
            if wanted(heard):
                return self._heard.pop(index)
        while (heard_now := await self.read()) is not None:
            if wanted(heard_now):
                return heard_now
            self._heard.append(heard_now)
        raise ConnectionError(f"The socket was closed with {self.socket.close_code} before {what} came.")


@dataclass(frozen=True, slots=True)
class OpenRoom:
    """A room, and the two tokens that open it. Whoever joins and connects sends `headers`."""

    server: Server
    id: str
    invite_token: str
    moderator_token: str
    headers: Mapping[str, str] = field(default_factory=dict)

    async def join(self, username: str, *, moderator: bool = False, **body: Any) -> Reply:
        """Join over REST; the answer holds `sessionToken`, or says why not."""
        token = {"moderatorToken": self.moderator_token} if moderator else {"inviteToken": self.invite_token}
        joining = {"username": username, **token, **body}
        return await request(self.server, "POST", f"/api/rooms/{self.id}/join", joining, headers=self.headers)

    @asynccontextmanager
    async def enter(self, username: str, *, moderator: bool = False, **body: Any) -> AsyncIterator[Person]:
        """Join and identify; the socket is closed at the end. Raises AssertionError if the room does not let one in."""
        reply = await self.join(username, moderator=moderator, **body)
        assert reply.status == 201, reply.body
        person = await self.identify(username, reply.body["sessionId"], reply.body["sessionToken"])
        try:
            yield person
        finally:
            await person.close()

    async def end(self) -> None:
        """End it, as when its time is over."""
        await self.server.retention.end(self.id, "expired")

    async def identify(self, username: str, session_id: str, token: str, **position: Any) -> Person:
        """Open a socket for a session; `since` and `epoch` ask for what was missed. The caller closes it."""
        address = f"ws://127.0.0.1:{self.server.port}/ws"
        socket = await websocket_connect(HTTPRequest(address, headers=dict(self.headers)))
        person = Person(username, session_id, token, socket)
        await person.send("identify", {"token": token, **position})
        welcome = []
        while (heard := await person.read()) is not None:
            welcome.append(heard)
            if heard.event in ("history_chunk", "replay", "error"):
                break
        person.welcome = tuple(welcome)
        return person


async def open_room(server: Server, title: str = "A room", **body: Any) -> OpenRoom:
    """Create a room over REST. `body` are more fields of ``POST /api/rooms``."""
    reply = await request(server, "POST", "/api/rooms", {"title": title, **body})
    assert reply.status == 201, reply.body
    return OpenRoom(server, reply.body["roomId"], reply.body["inviteToken"], reply.body["moderatorToken"])


def _heard(text: str | bytes) -> Heard:
    frame = orjson.loads(text)
    return Heard(frame["event"], frame["data"], frame.get("seq"), frame.get("id"))
