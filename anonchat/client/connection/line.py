"""One WebSocket, from its handshake to its end."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.iostream import StreamClosedError
from tornado.websocket import WebSocketClientConnection, WebSocketError, websocket_connect

from anonchat.client.connection.backoff import Ending
from anonchat.client.errors import ChatRefused, NotOurs, NotReachable

FRAME_BYTES = 64 * 1024 * 1024
"""The largest frame that is taken in: a replay of 300 messages of 4,000 characters is 5 MB."""

NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
"""As JSON escapes it; behind an odd number of backslashes it is one of those that is escaped."""


class Frame(NamedTuple):
    """One event on the wire. `id` is that of the frame it answers."""

    event: str
    data: Mapping[str, Any]
    seq: int | None = None
    id: str | int | None = None


class Line:
    """An open WebSocket. It must be closed by `close`."""

    def __init__(self, socket: WebSocketClientConnection) -> None:
        self._socket = socket

    @classmethod
    async def open(cls, url: str, seconds: float) -> Line:
        """Dial. Raises `NotReachable`."""
        request = HTTPRequest(url, connect_timeout=seconds, request_timeout=seconds)
        try:
            connecting = websocket_connect(request, max_message_size=FRAME_BYTES)
            try:
                socket = await asyncio.shield(connecting)
            except asyncio.CancelledError:
                asyncio.ensure_future(connecting).add_done_callback(_hang_up)
                raise
        except HTTPClientError as error:
            wait = error.response.headers.get("Retry-After", "") if error.response is not None else ""
            retry_after = float(wait) if wait.isdecimal() else None
            raise NotReachable(f"the server refuses the connection ({error.message})", retry_after) from error
        except (OSError, StreamClosedError, WebSocketError, ValueError, KeyError) as error:
            raise NotReachable(f"the server cannot be reached ({error})") from error
        # Tornado leaves Nagle's algorithm on: a frame would wait until the one before has arrived and that is known here.
        if socket.protocol is not None:  # else it was closed at once
            socket.protocol.set_nodelay(True)
        return cls(socket)

    def write(self, event: str, data: Mapping[str, Any]) -> None:
        """Send a frame that needs no answer, as `send` does."""
        self.send(encode(event, data))

    def send(self, frame: bytes) -> bool:
        """Send what `encode` gave; False if the connection is about to end, which is told by `read`."""
        try:
            written = self._socket.write_message(frame)
        except WebSocketError:
            return False
        written.add_done_callback(_look)
        return True

    async def read(self) -> Frame | None:
        """The next frame, None at the end. Raises `NotOurs`."""
        text = await self._socket.read_message()
        return None if text is None else decode(text)

    def ending(self) -> Ending:
        """How it ended, once `read` has given None."""
        code = self._socket.close_code
        return Ending(code, self._socket.close_reason or ("" if code else "connection lost"))

    def close(self) -> None:
        """Say good-bye. A peer that does not answer is cut off after a few seconds."""
        self._socket.close(1000)


def encode(event: str, data: Mapping[str, Any], id: str | None = None) -> bytes:
    """A frame for the server. Raises `ChatRefused` for what no JSON of the protocol can hold.

    The server does not get as far as the id of such a frame, so that its answer would reach nobody.
    """
    frame: dict[str, Any] = {"event": event, "data": data}
    if id is not None:
        frame["id"] = id
    try:
        text = json.dumps(frame, ensure_ascii=False, allow_nan=False)
        encoded = text.encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise ChatRefused("validation_failed", f"This cannot be sent: {error}.") from error
    if NUL.search(text):
        raise ChatRefused("validation_failed", "The NUL character cannot be sent.")
    return encoded


def decode(text: str | bytes) -> Frame:
    """A frame of the server. Raises `NotOurs`."""
    try:
        frame = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise NotOurs("an event is no JSON") from error
    if not isinstance(frame, dict) or not isinstance(frame.get("event"), str):
        raise NotOurs("an event is not as expected")
    data, seq = frame.get("data", {}), frame.get("seq")
    if not isinstance(data, dict) or not (seq is None or type(seq) is int):
        raise NotOurs("an event is not as expected")
    return Frame(frame["event"], data, seq, frame.get("id"))


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


def _hang_up(connected: asyncio.Future[WebSocketClientConnection]) -> None:
    """Nobody waits for this connection any more."""
    if not connected.cancelled() and connected.exception() is None:
        connected.result().close()


def _look(written: asyncio.Future[None]) -> None:
    """Take note of how a write ended: that the connection is lost is told by `read`."""
    if not written.cancelled():
        written.exception()
