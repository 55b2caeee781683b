"""What an answer or an event must look like, so that the rest of the client can rely on it: only what it reads.

A server may always send more; what is unknown here fits.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from anonchat.client.errors import NotOurs
from anonchat.client.times import moment

Check = Callable[[Any], bool]


def fits(event: str, data: Mapping[str, Any]) -> bool:
    """Whether an event of the server is as the protocol has it."""
    check = _EVENTS.get(event)
    return check is None or check(data)


def require(what: str, check: Check, answer: Mapping[str, Any]) -> None:
    """Raises `NotOurs`, naming `what`, if an answer does not fit."""
    if not check(answer):
        raise NotOurs(f"{what} is not as expected")


# --- of which everything is made


def record(needed: Mapping[str, Check], optional: Mapping[str, Check] | None = None) -> Check:
    """A mapping with all that is `needed`; what is `optional` may be missing or null."""
    maybe = optional or {}

    def check(value: Any) -> bool:
        return (
            isinstance(value, Mapping)
            and all(name in value and fit(value[name]) for name, fit in needed.items())
            and all(value.get(name) is None or fit(value[name]) for name, fit in maybe.items())
        )

    return check


def _nullable(check: Check) -> Check:
    return lambda value: value is None or check(value)


def _each(check: Check) -> Check:
    return lambda value: isinstance(value, list) and all(map(check, value))


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _truth(value: Any) -> bool:
    return isinstance(value, bool)


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _number(value: Any) -> bool:
    """Python's JSON also reads NaN and Infinity, which are nobody's duration."""
    return _whole(value) or (isinstance(value, float) and math.isfinite(value))


def _time(value: Any) -> bool:
    try:
        return isinstance(value, str) and moment(value) is not None
    except (ValueError, OverflowError):
        return False


_mapping = record({})
_user = record({"sessionId": _text, "username": _text, "role": _text})
_message = record(
    {
        "id": _text, "seq": _whole, "authorSessionId": _text, "authorUsername": _text, "createdAt": _time,
        "content": _mapping,
    },
    {"changedSeq": _whole, "replyToId": _text, "anonymousId": _text, "authorRole": _text},
)  # fmt: skip
_room = {"title": _text, "isOpen": _truth, "expiresAt": _time}
_counted = record({"version": _whole, "total": _whole})


def _presence(data: Any) -> bool:
    return _counted(data) and (data.get("event") not in ("join", "leave", "change") or _user(data.get("user")))


_EVENTS: Mapping[str, Check] = {
    "identified": record(
        {"sessionId": _text, "username": _text, "room": record({"title": _text}, _room)},
        {"role": _text, "anonymousId": _text},
    ),
    "history_chunk": record({"messages": _each(_message), "hasMore": _truth, "epoch": _text, "seq": _whole}),
    "replay": record(
        {"events": _each(record({"event": _text, "data": _mapping, "seq": _whole})), "epoch": _text, "to": _whole}
    ),
    "message": _message,
    "message_edited": record({"message": _message}),
    "message_deleted": record({"messageId": _text}),
    "messages_removed": record({}, {"messageIds": _each(_text), "throughSeq": _whole}),
    "presence_state": record({"users": _each(_user), "total": _whole, "version": _whole}),
    "presence": _presence,
    "presence_removed": record({"sessionId": _text}),
    "typing": record({"sessionId": _text, "username": _text, "typing": _truth}),
    "room_updated": record({}, {"room": record({}, _room)}),
    "room_ttl_warning": record({"remainingSeconds": _number}),
    "room_ended": record({}, {"deleted": _mapping}),
    "kicked": record({}, {"coolOffSeconds": _number}),
}

CREATED = record(
    {"roomId": _text, "inviteToken": _text, "moderatorToken": _text, "joinUrl": _text, "moderatorUrl": _text}
)
JOINED = record(
    {"sessionId": _text, "anonymousId": _text, "role": _text, "websocketUrl": _text, "sessionToken": _text},
    {"username": _text},
)
ROOM = record(
    {
        "title": _text, "actualParticipants": _whole, "maxParticipants": _whole,
        "retentionSeconds": _nullable(_number),
    },
    {"description": _text},
)  # fmt: skip
TIME_REMAINING = record({"remainingSeconds": _nullable(_number)})
