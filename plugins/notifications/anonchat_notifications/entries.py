"""What somebody is notified of: the rows that a message makes, and how a row looks on the wire."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from typing import Any

from anonchat import Message, Row, Transaction, iso
from anonchat_notifications import statements
from anonchat_notifications.schemas import MENTION, POLL_OPENED, REPLY, ROOM

EXCERPT = 200  # characters of a message that a notification shows
PLACE_DIGITS = 20  # hexadecimal, with which an id begins
PLACES = 2**24  # of each seq: the first is for what the seq is about, the others for what has none

NewRow = Mapping[str, Any]
"""A row under the names of its columns, which is to be inserted."""


def new_row(place: int, now: int, room_id: str, kind: str, **more: Any) -> NewRow:
    """A row that is to be inserted. Ids sort by `place`, see `place_of` and `next_place`."""
    empty = {"session_id": None, "message_id": None, "actor_id": None, "act": None, "until": None, "voters": None}
    entry_id = f"{place:0{PLACE_DIGITS}x}{secrets.token_hex(8)}"
    return {"id": entry_id, "room_id": room_id, "type": kind, "created_at": now, **empty, **more}


def place_of(message: Message) -> int:
    """Where in its room's order a message stands. No clock is in it, for it may be set back."""
    return (message.seq or 0) * PLACES


async def next_place(tx: Transaction, room_id: str, session_id: str | None = None) -> int:
    """Where what has no seq stands now: after the last of the room, and after all that the recipient has."""
    row = await tx.fetch_one(statements.SELECT_NEWEST, {"room": room_id, "session_id": session_id})
    if row is None:
        return 0  # the room is gone, and nothing will be written
    newest: str = max(row["own"] or "0", row["shared"] or "0")
    return max(int(row["seq"]) * PLACES, int(newest[:PLACE_DIGITS], 16)) + 1


def concerns(message: Message) -> bool:
    """Whether a message may notify somebody. Most do not, so this comes before anything that costs."""
    content = message.content
    return (
        message.reply_to_id is not None
        or "mentionIds" in content
        or "mentionsRoom" in content
        or content.get("type") == "poll"
    )


def personal(message: Message, authors: Mapping[str, str], now: int) -> Iterator[NewRow]:
    """For those whom a message mentions and, where it does not, for the author that it answers; never for its own."""
    about = {"message_id": message.id, "actor_id": message.session_id}
    reasons = [(recipient, MENTION) for recipient in message.content.get("mentionIds", ())]
    if (author := authors.get(message.reply_to_id or "")) is not None:
        reasons.append((author, REPLY))
    for recipient, kind in reasons:
        if recipient != message.session_id:
            yield new_row(place_of(message), now, message.room_id, kind, session_id=recipient, **about)


def shared(message: Message, now: int) -> Iterator[NewRow]:
    """For everybody."""
    about = {"message_id": message.id, "actor_id": message.session_id}
    if "mentionsRoom" in message.content:
        yield new_row(place_of(message), now, message.room_id, ROOM, **about)
    if message.content.get("type") == "poll":
        yield new_row(place_of(message), now, message.room_id, POLL_OPENED, **about)


def entry_wire(row: Row | NewRow, message: Message | None, *, is_read: bool = False) -> dict[str, Any] | None:
    """A notification on the wire; None if its message is gone. What it shows is the message's present state."""
    wire = {"id": row["id"], "type": row["type"], "createdAt": iso(row["created_at"]), "read": is_read}
    if row["message_id"] is not None:
        if message is None or message.deleted_at is not None:
            return None
        wire["message"] = _summary(message)
    if row["voters"] is not None:
        wire["voters"] = row["voters"]
    if row["act"] is not None:
        wire |= {"act": row["act"], "until": None if row["until"] is None else iso(row["until"])}
    return wire


def _summary(message: Message) -> dict[str, Any]:
    text = message.content.get("text", "")
    return {
        "id": message.id,
        "seq": message.seq,
        "authorUsername": message.username,
        "anonymousId": message.anonymous_id,
        "authorSessionId": message.session_id,
        "contentType": message.content.get("type"),
        "excerpt": text if len(text) <= EXCERPT else f"{text[:EXCERPT].rstrip()}…",
    }
