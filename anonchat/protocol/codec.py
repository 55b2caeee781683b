"""Text frames to events and back. No Tornado, no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from anonchat.errors import ChatError
from anonchat.protocol.frames import encode_frame

PROTOCOL = 1
NAME_LENGTH = 64
ID_LENGTH = 128


class Frame(NamedTuple):
    """One event of a client. `id` is the client's own and comes back on the direct answer."""

    event: str
    data: Mapping[str, Any]
    id: str | int | None


class BadFrame(ChatError):
    """A frame that cannot be handled; `frame` holds as much of it as the answer needs to be matched to it."""

    def __init__(self, message: str | None, frame: Frame | None = None) -> None:
        super().__init__("bad_frame", message)
        self.frame = frame


class NotOurs(Exception):
    """A frame that is no attempt at our protocol: the connection is closed with 4400."""


class JsonWire:
    """Events as JSON in WebSocket text frames, encoded once for all receivers."""

    def encode(
        self,
        event: str,
        data: Mapping[str, Any],
        *,
        seq: int | None = None,
        id: str | int | None = None,
        packed: bytes | None = None,
    ) -> bytes:
        """The bytes of one frame, ready to be sent. `packed` is the data as JSON, where that is at hand."""
        frame: dict[str, Any] = {"event": event, "data": data if packed is None else orjson.Fragment(packed)}
        if seq is not None:
            frame["seq"] = seq
        if id is not None:
            frame["id"] = id
        return encode_frame(orjson.dumps(frame))


def decode(message: str | bytes, depth: int) -> Frame:
    """A client's message as a `Frame`. Raises `BadFrame`, or `NotOurs` for what is no JSON object in text."""
    if isinstance(message, bytes) or not message.lstrip().startswith("{"):
        raise NotOurs
    try:
        frame = load_json(message, depth)
    except ChatError as error:
        raise BadFrame(error.message) from error
    event, data, frame_id = frame.get("event"), frame.get("data", {}), frame.get("id")
    if not _is_id(frame_id):
        raise BadFrame(f'"id" must be a number or a string of at most {ID_LENGTH} characters.')
    if not isinstance(event, str) or not event:
        raise BadFrame('A frame needs "event", the name of the event.', Frame("", {}, frame_id))
    if len(event) > NAME_LENGTH:
        raise BadFrame(f'"event" is too long: a name has at most {NAME_LENGTH} characters.', Frame("", {}, frame_id))
    if not isinstance(data, dict):
        raise BadFrame('"data" must be an object.', Frame(event, {}, frame_id))
    return Frame(event, data, frame_id)


def load_json(text: str | bytes, depth: int) -> dict[str, Any]:
    """A JSON object from outside: strict JSON, not nested deeper than `depth`, no NUL, no lone surrogate, no NaN.

    Raises `ChatError` ``bad_frame``.
    """
    try:
        value = orjson.loads(text)
    except (orjson.JSONDecodeError, RecursionError) as error:
        raise ChatError("bad_frame", f"This is not JSON as it should be: {error}.") from error
    if not isinstance(value, dict):
        raise ChatError("bad_frame", "This must be a JSON object.")
    # Counting is quick and nearly always enough; only what could be deep or hold a NUL is walked through.
    brackets = text.count("{") + text.count("[") if isinstance(text, str) else text.count(b"{") + text.count(b"[")
    escape = "\\u0000" in text if isinstance(text, str) else b"\\u0000" in text
    if brackets > depth or escape:
        _walk(value, depth)
    return value


def _walk(value: Any, depth: int) -> None:
    if isinstance(value, str):
        if "\0" in value:
            raise ChatError("bad_frame", "The NUL character cannot be sent.")
        return
    if not isinstance(value, dict | list):
        return
    if depth == 0:
        raise ChatError("bad_frame", "This is nested too deeply.")
    for part in value.values() if isinstance(value, dict) else value:
        _walk(part, depth - 1)
    if isinstance(value, dict) and any("\0" in key for key in value):
        raise ChatError("bad_frame", "The NUL character cannot be sent.")


def _is_id(value: object) -> bool:
    if isinstance(value, str):
        return len(value) <= ID_LENGTH
    return value is None or (type(value) is int and abs(value) < 2**53)


def error_data(error: ChatError, event: str | None = None, data: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Data of the event `error`."""
    told: dict[str, Any] = {"code": error.code, "message": error.message}
    if event:
        told["event"] = event
    client_msg_id = data.get("clientMsgId") if data else None
    if isinstance(client_msg_id, str):
        told["clientMsgId"] = client_msg_id[:NAME_LENGTH]
    if error.retry_after_ms is not None:
        told["retryAfterMs"] = error.retry_after_ms
    if error.errors:
        told["errors"] = error.errors
    return told
