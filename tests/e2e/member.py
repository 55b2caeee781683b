"""A participant over a real connection that may break: it comes back, and sends again what was not acknowledged."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from anonchat.testing.lines import Line

from .view import View

PATIENCE_SECONDS = 5.0


async def open_socket(port: int) -> ClientConnection:
    """A connection that takes in whatever comes; by default one with 16 unread frames would not even see its end."""
    return await connect(f"ws://127.0.0.1:{port}/ws", ping_interval=None, proxy=None, max_size=None, max_queue=None)


class Cut(Exception):
    """The connection is gone."""


class Member:
    """A participant with one connection at a time, over a line of its own."""

    def __init__(self, name: str, port: int, session_id: str, token: str, new_view: Callable[[], View] = View) -> None:
        self.name = name
        self.session_id = session_id
        self.token = token
        self.line = Line(port)
        self.view = new_view()
        self.waiting: dict[str, dict[str, Any]] = {}  # clientMsgId -> data of sends without an ack
        self.acked: dict[str, str] = {}  # clientMsgId -> message id
        self.sent = 0
        self._new_view = new_view
        self._answers: dict[int, dict[str, Any]] = {}
        self._asked = 0
        self._socket: ClientConnection | None = None

    @property
    def is_connected(self) -> bool:
        """Whether there is a connection, as far as the client knows."""
        return self._socket is not None

    async def arrive(self) -> None:
        """Connect, anew or again, and send what was not acknowledged."""
        await self.vanish()
        await self.line.become()
        if self.view.is_void:
            self.view = self._new_view()
        self._socket = await open_socket(self.line.port)
        await self._tell("identify", identity(self.token, self.view))
        while await self._receive() not in {"history_chunk", "replay"}:
            pass
        for data in self.waiting.values():
            await self._tell("send_message", data)

    async def vanish(self) -> None:
        """Drop the connection without a word."""
        if self._socket is not None:
            self._socket.transport.abort()
            await self._socket.wait_closed()
            self._socket = None

    async def go(self) -> None:
        """Close the connection as one should."""
        if self._socket is not None:
            await self._socket.close()
            self._socket = None

    async def send(self, text: str, reply_to: str | None = None) -> None:
        """Send without waiting for the ack."""
        self.sent += 1
        data = {"text": text, "clientMsgId": f"{self.name}-{self.sent}"}
        if reply_to is not None:
            data["replyToId"] = reply_to
        self.waiting[data["clientMsgId"]] = data
        await self.tell("send_message", data)

    async def tell(self, event: str, data: dict[str, Any]) -> None:
        """Send an event without waiting for anything; without a connection nothing happens."""
        if self._socket is not None:
            with contextlib.suppress(Cut):
                await self._tell(event, data)

    async def settle(self) -> None:
        """Be connected, know everything that was sent to us until now, and have every ack."""
        while True:
            await self.ask("heartbeat")
            for event in self.view.wanted():
                await self.ask(event)
            if not self.waiting:
                return

    async def ask(self, event: str, data: dict[str, Any] | None = None) -> dict[str, Any]:
        """Send an event until it is answered, over as many connections as that takes; returns the answer's frame.

        Who is told to wait does so, once: in a long life an event's own limit is met.
        """
        answer = await self._ask_until_answered(event, data or {})
        if answer["data"].get("code") == "rate_limited":
            await asyncio.sleep(answer["data"]["retryAfterMs"] / 1_000)
            answer = await self._ask_until_answered(event, data or {})
        return answer

    async def _ask_until_answered(self, event: str, data: dict[str, Any]) -> dict[str, Any]:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while (answer := await self.attempt(event, data)) is None:
                pass
            return answer

    async def attempt(self, event: str, data: dict[str, Any]) -> dict[str, Any] | None:
        """Send an event over the connection that there is, or a new one; None if it breaks before the answer."""
        try:
            if self._socket is None or self.view.is_void:
                await self.arrive()
            return await self._ask_once(event, data)
        except (Cut, OSError, WebSocketException):
            await self.vanish()
            return None

    async def _ask_once(self, event: str, data: dict[str, Any]) -> dict[str, Any]:
        self._asked += 1
        asked = self._asked
        await self._tell(event, data, asked)
        while asked not in self._answers:
            await self._receive()
        return self._answers.pop(asked)

    async def _tell(self, event: str, data: dict[str, Any], number: int | None = None) -> None:
        assert self._socket is not None
        frame = {"event": event, "data": data} | ({} if number is None else {"id": number})
        try:
            await self._socket.send(json.dumps(frame))
        except WebSocketException as error:
            raise Cut from error

    async def _receive(self) -> str:
        assert self._socket is not None
        try:
            frame = json.loads(await self._socket.recv())
        except WebSocketException as error:
            raise Cut from error
        event, data = frame["event"], frame["data"]
        if "id" in frame:
            self._answers[frame["id"]] = frame
        elif event == "error":
            self._refused(data)
        if event == "message_ack":
            assert self.acked.setdefault(data["clientMsgId"], data["serverMessageId"]) == data["serverMessageId"]
        if event in {"message_ack", "message_held"}:
            self.waiting.pop(data["clientMsgId"], None)
        self.view.take(event, data, frame.get("seq"))
        return str(event)

    def _refused(self, data: dict[str, Any]) -> None:
        """A reply to what was deleted meanwhile is sent without the reply; nothing else may be refused."""
        assert data["code"] == "message_not_found", data
        self.waiting[data["clientMsgId"]].pop("replyToId")
        raise Cut


def identity(token: str, view: View) -> dict[str, Any]:
    """Data of `identify` of a client that knows `view`."""
    return {"token": token} | ({} if view.position is None else {"since": view.position, "epoch": view.epoch})


async def look(port: int, token: str, view: View) -> View:
    """What a client that knows `view` sees if it comes now, on one more socket of a session; returns `view`."""
    async with asyncio.timeout(PATIENCE_SECONDS), await open_socket(port) as socket:

        async def ask(event: str) -> None:
            await socket.send(json.dumps({"event": event, "id": event}))
            frame: dict[str, Any] = {}
            while frame.get("id") != event:
                frame = json.loads(await socket.recv())
                assert frame["event"] != "error", frame
                view.take(frame["event"], frame["data"], frame.get("seq"))

        await socket.send(json.dumps({"event": "identify", "data": identity(token, view)}))
        await ask("heartbeat")
        for event in view.wanted():
            await ask(event)
    return view
