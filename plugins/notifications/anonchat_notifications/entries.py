"""What somebody is notified of: how rows come to be, inside a transaction, and how they look on the wire."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from anonchat import Message, Row, Transaction, iso
from anonchat_notifications import statements
from anonchat_notifications.schemas import MENTION, POLL_OPENED, REPLY, ROOM

MOST_OF_A_MESSAGE = 20  # rows that one message makes: five mentions, a reply, and two for everybody
MOST_UNTRIMMED = 10_000  # people whose new rows are counted
EXCERPT = 200  # characters of a message that a notification shows
PLACE_DIGITS = 20  # hexadecimal, with which an id begins
PLACES = 2**24  # of each seq: the first is for what the seq is about, the others for what has none


def new_row(place: int, now: int, room_id: str, kind: str, **more: Any) -> dict[str, Any]:
    """The parameters of an insert. Ids sort by `place`, see `place_of` and `next_place`."""
    empty = {"recipient": None, "message": None, "actor": None, "act": None, "until": None, "voters": None, "told": 1}
    entry_id = f"{place:0{PLACE_DIGITS}x}{secrets.token_hex(8)}"
    return {"id": entry_id, "room": room_id, "type": kind, "now": now, **empty, **more}


def place_of(message: Message) -> int:
    """Where in its room's order a message stands. No clock is in it, for it may be set back."""
    return (message.seq or 0) * PLACES


async def next_place(tx: Transaction, room_id: str, recipient: str | None = None) -> int:
    """Where what has no seq stands now: after the last of the room, and after all that the recipient has."""
    row = await tx.fetch_one(statements.SELECT_NEWEST, {"room": room_id, "recipient": recipient})
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


class Writing:
    """Writes rows in transactions, the core's and other plugins' among them. It keeps at most so many for each."""

    def __init__(self, kept_per_person: int, kept_per_room: int) -> None:
        self._kept_per_person = kept_per_person
        self._kept_per_room = kept_per_room
        self._patience = kept_per_person // 10  # rows of one person that may be too many for a while
        self._untrimmed: dict[str, int] = {}

    async def of_messages(self, tx: Transaction, messages: Sequence[Message], now: int) -> Sequence[Row]:
        """Those whom messages concern; answers what was written. At most six statements, however many messages."""
        concerning = [message for message in messages if concerns(message)]
        if not concerning:
            return ()
        replied = list({message.reply_to_id for message in concerning if message.reply_to_id is not None})
        rows = await tx.fetch_all(statements.SELECT_AUTHORS, {"messages": replied}) if replied else ()
        authors = {row["id"]: row["session_id"] for row in rows}
        await self.to_people(tx, [row for message in concerning for row in _personal(message, authors, now)])
        await self.to_everybody(tx, [row for message in concerning for row in _shared(message, now)])
        written = {"messages": [message.id for message in concerning], "limit": MOST_OF_A_MESSAGE * len(concerning)}
        return await tx.fetch_all(statements.SELECT_OF_MESSAGES, written)

    async def to_people(self, tx: Transaction, rows: Sequence[Mapping[str, Any]]) -> None:
        """Rows for one person each, who is still there and wants them, of an actor who is not muted."""
        if rows:
            await tx.execute_many(statements.INSERT_PERSONAL, rows)
            await self.trim(tx, sorted({row["recipient"] for row in rows}))

    async def to_everybody(self, tx: Transaction, rows: Sequence[Mapping[str, Any]]) -> None:
        """Rows for everybody in a room."""
        if rows:
            rooms = sorted({row["room"] for row in rows})
            await tx.execute_many(statements.INSERT_SHARED, rows)
            await tx.execute_many(
                statements.TRIM_SHARED, [{"room": room, "most": self._kept_per_room} for room in rooms]
            )

    async def trim(self, tx: Transaction, recipients: Sequence[str]) -> None:
        """Drop what is too old to be kept, of those for whom enough was written to be worth it."""
        due = [{"recipient": one, "most": self._kept_per_person} for one in recipients if self._is_due(one)]
        if due:
            await tx.execute_many(statements.TRIM_PERSONAL, due)

    def _is_due(self, recipient: str) -> bool:
        """Counted where the transaction is driven; one that is run again only counts once more."""
        count = self._untrimmed.pop(recipient, 0) + 1
        if count >= self._patience:
            return True
        if len(self._untrimmed) >= MOST_UNTRIMMED:
            self._untrimmed.clear()
        self._untrimmed[recipient] = count
        return False


def _personal(message: Message, authors: Mapping[str, str], now: int) -> Iterator[dict[str, Any]]:
    """For those whom a message mentions and, where it does not, for the author that it answers; never for its own."""
    about: dict[str, Any] = {"message": message.id, "actor": message.session_id}
    reasons = [(recipient, MENTION) for recipient in message.content.get("mentionIds", ())]
    if (author := authors.get(message.reply_to_id or "")) is not None:
        reasons.append((author, REPLY))
    for recipient, kind in reasons:
        if recipient != message.session_id:
            yield new_row(place_of(message), now, message.room_id, kind, recipient=recipient, **about)


def _shared(message: Message, now: int) -> Iterator[dict[str, Any]]:
    about: dict[str, Any] = {"message": message.id, "actor": message.session_id}
    if "mentionsRoom" in message.content:
        yield new_row(place_of(message), now, message.room_id, ROOM, **about)
    if message.content.get("type") == "poll":
        yield new_row(place_of(message), now, message.room_id, POLL_OPENED, **about)


def entry_wire(row: Row, message: Message | None) -> dict[str, Any] | None:
    """A notification on the wire; None if its message is gone. What it shows is the message's present state."""
    wire = {"id": row["id"], "type": row["type"], "createdAt": iso(row["created_at"]), "read": bool(row["is_read"])}
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
