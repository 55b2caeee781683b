"""Two plain clients of the protocol that share nothing with the server: `http.client`, and the package `websockets`.

`websockets` and `jsonschema` come with ``pip install 'anonchat[test]'``.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.message import Message
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection

    from anonchat.testing.contract import Contract

SECONDS = 60.0
FRAMES = 10_000  # that may pass while one is waited for


class Reply(NamedTuple):
    """The answer to a request. `body` is what the JSON says, or text."""

    status: int
    headers: Message
    body: Any


class Rest:
    """Requests to a server on this machine; with a `contract`, every answer is checked against OpenAPI."""

    def __init__(self, port: int, contract: Contract | None = None) -> None:
        self.port = port
        self._contract = contract

    def call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        token: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """One request, on a connection of its own. `body` is sent as JSON, or as it is if it is bytes."""
        sent = dict(headers or {})
        if token is not None:
            sent["Authorization"] = f"Bearer {token}"
        payload = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        connection = HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)
        try:
            connection.request(method, path, payload, sent)
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        is_json = "json" in (answer.headers.get_content_type())
        reply = Reply(answer.status, answer.headers, json.loads(text) if is_json and text else text.decode())
        if self._contract is not None:
            self._contract.check_answer(method, path, reply.status, reply.body, reply.headers.get_content_type())
        return reply

    async def acall(self, method: str, path: str, body: object = None, **options: Any) -> Reply:
        """`call` in a thread, for a server in this event loop."""
        return await asyncio.to_thread(self.call, method, path, body, **options)


@dataclass(slots=True)
class Socket:
    """One WebSocket. What `until` passes over is kept in `passed`."""

    raw: ClientConnection
    contract: Contract | None = None
    passed: list[dict[str, Any]] = field(default_factory=list)

    async def send(self, event: str, data: object = None, id: str | int | None = None) -> None:
        """Send one frame."""
        frame = {"event": event, "data": {} if data is None else data}
        await self.raw.send(json.dumps(frame if id is None else frame | {"id": id}))

    async def read(self) -> dict[str, Any]:
        """The next frame. Raises TimeoutError, or ConnectionClosed at the end."""
        async with asyncio.timeout(SECONDS):
            text = await self.raw.recv()
        frame: dict[str, Any] = json.loads(text)
        if self.contract is not None:
            self.contract.check_event(frame)
        return frame

    async def until(self, event: str, id: str | int | None = None) -> dict[str, Any]:
        """The next frame of that event, and with `id` the one that answers it."""
        for _ in range(FRAMES):
            frame = await self.read()
            if frame["event"] == event and (id is None or frame.get("id") == id):
                return frame
            self.passed.append(frame)
        raise TimeoutError(event)

    async def ask(self, event: str, data: object = None, id: str | int = "ask") -> dict[str, Any]:
        """Send a frame and return its answer, error or not."""
        await self.send(event, data, id)
        for _ in range(FRAMES):
            frame = await self.read()
            if frame.get("id") == id:
                return frame
            self.passed.append(frame)
        raise TimeoutError(event)

    async def ended(self) -> int | None:
        """Read to the end; returns the close code."""
        from websockets.exceptions import ConnectionClosed

        try:
            for _ in range(FRAMES):
                self.passed.append(await self.read())
        except ConnectionClosed:
            return self.raw.close_code
        raise TimeoutError("the end of the connection")


@asynccontextmanager
async def connected(
    port: int,
    *,
    path: str = "/ws",
    headers: Mapping[str, str] | None = None,
    contract: Contract | None = None,
    **options: Any,
) -> AsyncIterator[Socket]:
    """A socket before `identify`, closed at the end; `options` are those of `websockets.connect`."""
    from websockets.asyncio.client import connect

    uri = f"ws://127.0.0.1:{port}{path}"
    async with connect(
        uri, additional_headers=headers, compression=None, max_size=None, max_queue=None, proxy=None, **options
    ) as raw:
        yield Socket(raw, contract)
