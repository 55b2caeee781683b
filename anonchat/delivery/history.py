"""What has been said: pages of it, what a returning client missed, and the recent part of active rooms in memory.

A missed event is told with the *present* state of its message; what was purged meanwhile is told as ``gone``.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from anonchat.models import Event, Message
from anonchat.protocol.schemas import message_wire
from anonchat.storage.roles import Statements
from anonchat.store import events as event_statements
from anonchat.store import messages as statements

NEWEST = 2**62  # above every seq


@dataclass(frozen=True, slots=True)
class Page:
    """Messages in order, oldest first, as they were at position `seq` of the room."""

    messages: Sequence[Mapping[str, Any]]
    has_more: bool
    seq: int


@dataclass(frozen=True, slots=True)
class Replay:
    """Exactly what happened after `since` up to `through`: one item for each seq in between."""

    events: Sequence[Mapping[str, Any]]
    since: int
    through: int


async def read_page(
    tx: Statements, room_id: str, limit: int, *, before: int | None = None, after: int | None = None
) -> Page:
    """At most `limit` messages before or after a seq (neither: the newest), and the room's position, in one snapshot."""
    position = await tx.fetch_one(event_statements.SELECT_SEQ, {"room": room_id})
    bounds: dict[str, Any] = {"room": room_id, "limit": limit + 1}
    if after is not None:
        rows = await tx.fetch_all(statements.SELECT_AFTER, bounds | {"after": after})
        kept = list(rows[:limit])
    else:
        rows = await tx.fetch_all(statements.SELECT_BEFORE, bounds | {"before": NEWEST if before is None else before})
        kept = list(reversed(rows[:limit]))
    messages = [message_wire(statements.message_of(row)) for row in kept]
    return Page(messages, len(rows) > limit, position["seq"] if position else 0)


async def read_replay(tx: Statements, room_id: str, since: int, most: int) -> Replay | None:
    """What a client at `since` missed, in three queries; None if that is more than `most` or lies in the future."""
    row = await tx.fetch_one(event_statements.SELECT_SEQ, {"room": room_id})
    through = row["seq"] if row else 0
    if not 0 <= through - since <= most:
        return None
    bounds = {"room": room_id, "after": since, "through": through}
    written = [statements.message_of(row) for row in await tx.fetch_all(statements.SELECT_BETWEEN, bounds)]
    happened = [event_statements.event_of(row) for row in await tx.fetch_all(event_statements.SELECT_EVENTS, bounds)]
    known = {message.id: message for message in written}
    wanted = [
        event.message_id for event in happened if event.name == "message_edited" and event.message_id not in known
    ]
    for row in await tx.fetch_all(statements.SELECT_MESSAGES, {"messages": wanted}) if wanted else ():
        message = statements.message_of(row)
        known[message.id] = message
    return Replay(_items(written, happened, known, since, through), since, through)


def _items(
    written: Sequence[Message], happened: Sequence[Event], known: Mapping[str, Message], since: int, through: int
) -> list[Mapping[str, Any]]:
    items: dict[int, Mapping[str, Any]] = {}
    for message in written:
        items[message.seq or 0] = {"event": "message", "data": message_wire(message), "seq": message.seq}
    for event in happened:
        data = event.data
        if event.name == "message_edited" and event.message_id is not None:
            data = {"message": message_wire(known[event.message_id])}
        items[event.seq or 0] = {"event": event.name, "data": data, "seq": event.seq}
    return [items.get(seq) or gone(seq) for seq in range(since + 1, through + 1)]


def _size_of(data: Mapping[str, Any]) -> int:
    """Bytes as JSON: a microsecond for a usual message."""
    return len(orjson.dumps(data))


def gone(seq: int) -> Mapping[str, Any]:
    """Stands for an event whose object was purged."""
    return {"event": "gone", "data": {}, "seq": seq}


class Recent:
    """The newest messages and events of one active room, in memory, always exactly as of `position`.

    Bounded by `most_events`, and by whoever looks at `size`, its bytes as JSON (Python takes about five times as much).
    Purged with what it holds. Built from a `Page` that was read from the database.
    """

    def __init__(self, page: Page, most_messages: int, most_events: int, *, whole: bool = True) -> None:
        self.position = page.seq
        self._most_messages = most_messages
        self._messages: dict[str, Mapping[str, Any]] = {}
        self._has_more = False
        self._whole = False
        self._events: deque[Event] = deque(maxlen=most_events)
        self._sizes: deque[int] = deque(maxlen=most_events)
        self._message_sizes: dict[str, int] = {}
        self.size = 0
        if whole:
            self.rebase(page)

    def rebase(self, page: Page) -> None:
        """Take the newest messages from a page that was read at the present position; another page is ignored."""
        if page.seq == self.position:
            self._messages = {wire["id"]: wire for wire in page.messages}
            self._has_more = page.has_more
            self._whole = True
            self._measure()

    def newest(self) -> Page | None:
        """The newest messages, as a fresh client gets them; None after a removal, until `rebase`."""
        return Page(list(self._messages.values()), self._has_more, self.position) if self._whole else None

    def since(self, seq: int) -> Replay | None:
        """What happened after `seq`, or None if that is no longer in memory."""
        missed = self.position - seq
        if not 0 <= missed <= len(self._events):
            return None
        newest = itertools.islice(self._events, len(self._events) - missed, None)
        return Replay([_item(event) for event in newest], seq, self.position)

    def apply(self, event: Event, size: int) -> None:
        """Take in the next event, whose data has `size` bytes as JSON; its seq is `position` + 1."""
        self.position += 1
        if len(self._sizes) == self._sizes.maxlen:
            self.size -= self._sizes[0] if self._sizes else size
        self._events.append(event)
        self._sizes.append(size)
        self.size += size
        change = _CHANGES.get(event.name)
        if event.name == "message":
            self._add(event.data, size)
        elif change is not None:
            change(self, event)

    def _add(self, wire: Mapping[str, Any], size: int) -> None:
        self._messages[wire["id"]] = wire
        self._message_sizes[wire["id"]] = size
        self.size += size
        if len(self._messages) > self._most_messages:
            oldest = next(iter(self._messages))
            del self._messages[oldest]
            self.size -= self._message_sizes.pop(oldest)
            self._has_more = True

    def _edited(self, event: Event) -> None:
        self._replace(event.data["message"])

    def _deleted(self, event: Event) -> None:
        message_id = event.data["messageId"]
        self._forget({message_id})
        for wire in self._copies(message_id):
            self._replace(tombstone(wire, event.data["deletedAt"], event.seq))

    def _forget(self, message_ids: set[str]) -> None:
        """What was told about messages that are gone, their edits and events of plugins, is gone too."""
        for index, held in enumerate(self._events):
            if held.message_id in message_ids and held.name != "message":
                self._events[index] = Event(held.room_id, "gone", {}, held.seq)

    def _removed(self, event: Event) -> None:
        self._whole = False
        ids = set(event.data.get("messageIds", ()))
        through = event.data.get("throughSeq", 0)
        self._messages = {key: wire for key, wire in self._messages.items() if key not in ids and wire["seq"] > through}
        for index, held in enumerate(self._events):
            wire = wire_of(held.name, held.data)
            purged = wire is not None and wire["seq"] <= through
            if purged or held.message_id in ids or (held.seq or 0) <= through:
                self._events[index] = Event(held.room_id, "gone", {}, held.seq)
        self._measure()

    def _copies(self, message_id: str) -> list[Mapping[str, Any]]:
        """The message as it stands on the page, else in some event; nothing if it is not in memory."""
        if message_id in self._messages:
            return [self._messages[message_id]]
        wires = (wire_of(event.name, event.data) for event in self._events)
        return [wire for wire in wires if wire is not None and wire["id"] == message_id][:1]

    def _replace(self, wire: Mapping[str, Any]) -> None:
        """Give a message its new state wherever it stands, so that no old text stays in memory."""
        if wire["id"] in self._messages:
            self._messages[wire["id"]] = wire
        for index, held in enumerate(self._events):
            if held.name == "message" and held.data["id"] == wire["id"]:
                self._events[index] = Event(held.room_id, held.name, wire, held.seq, held.message_id)
            elif held.name == "message_edited" and held.data["message"]["id"] == wire["id"]:
                self._events[index] = Event(held.room_id, held.name, {"message": wire}, held.seq, held.message_id)
        self._measure()

    def _measure(self) -> None:
        """Count `size` anew, after changes in the middle."""
        self._sizes.clear()
        self._sizes.extend(_size_of(event.data) for event in self._events)
        self._message_sizes = {message_id: _size_of(wire) for message_id, wire in self._messages.items()}
        self.size = sum(self._sizes) + sum(self._message_sizes.values())


_CHANGES = {
    "message_edited": Recent._edited,
    "message_deleted": Recent._deleted,
    "messages_removed": Recent._removed,
}


def wire_of(event: str, data: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The message that an event of the core carries as a whole, or None. What a plugin's event carries is its own."""
    if event == "message":
        return data
    return data["message"] if event == "message_edited" else None


def _item(event: Event) -> Mapping[str, Any]:
    return {"event": event.name, "data": event.data, "seq": event.seq}


def tombstone(wire: Mapping[str, Any], deleted_at: str, seq: int | None) -> dict[str, Any]:
    """What is left of a message on the wire once it is deleted."""
    kept = {key: value for key, value in wire.items() if key not in ("editedAt", "replyToId", "ext")}
    empty = {"type": "text", "text": ""}
    return kept | {"content": empty, "mentions": [], "deletedAt": deleted_at, "changedSeq": seq}
