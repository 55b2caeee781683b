"""What an answer or an event must look like, so that the rest of the client can rely on it: only what it reads.

A server may always send more; what is unknown here fits.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from anonchat.client.checks.basics import (
    Check,
    each,
    mapping,
    message,
    nullable,
    number,
    record,
    text,
    time,
    truth,
    user,
    whole,
)
from anonchat.client.checks.plugins import PLUGIN_EVENTS
from anonchat.client.errors import NotOurs


def fits(event: str, data: Mapping[str, Any]) -> bool:
    """Whether an event of the server is as the protocol has it."""
    check = _EVENTS.get(event) or PLUGIN_EVENTS.get(event)
    return check is None or check(data)


def require(what: str, check: Check, answer: Mapping[str, Any]) -> None:
    """Raises `NotOurs`, naming `what`, if an answer does not fit."""
    if not check(answer):
        raise NotOurs(f"{what} is not as expected")


_room = {"title": text, "isOpen": truth, "expiresAt": time}
_counted = record({"version": whole, "total": whole})


def _presence(data: Any) -> bool:
    return _counted(data) and (data.get("event") not in ("join", "leave", "change") or user(data.get("user")))


_EVENTS: Mapping[str, Check] = {
    "identified": record(
        {"sessionId": text, "username": text, "room": record({"title": text}, _room)},
        {"role": text, "anonymousId": text},
    ),
    "history_chunk": record({"messages": each(message), "hasMore": truth, "epoch": text, "seq": whole}),
    "replay": record(
        {"events": each(record({"event": text, "data": mapping, "seq": whole})), "epoch": text, "to": whole}
    ),
    "message": message,
    "message_edited": record({"message": message}),
    "message_deleted": record({"messageId": text}),
    "messages_removed": record({}, {"messageIds": each(text), "throughSeq": whole}),
    "presence_state": record({"users": each(user), "total": whole, "version": whole}),
    "presence": _presence,
    "presence_removed": record({"sessionId": text}),
    "typing": record({"sessionId": text, "username": text, "typing": truth}),
    "room_updated": record({}, {"room": record({}, _room)}),
    "room_ttl_warning": record({"remainingSeconds": number}),
    "room_ended": record({}, {"deleted": mapping}),
    "kicked": record({}, {"coolOffSeconds": number}),
}

CREATED = record({"roomId": text, "inviteToken": text, "moderatorToken": text, "joinUrl": text, "moderatorUrl": text})
JOINED = record(
    {"sessionId": text, "anonymousId": text, "role": text, "websocketUrl": text, "sessionToken": text},
    {"username": text},
)
ROOM = record(
    {
        "title": text, "actualParticipants": whole, "maxParticipants": whole,
        "retentionSeconds": nullable(number),
    },
    {"description": text},
)  # fmt: skip
TIME_REMAINING = record({"remainingSeconds": nullable(number)})
