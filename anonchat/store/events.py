"""Statements about positions and durable events."""

from __future__ import annotations

from typing import Any

import orjson
from sqlalchemy import bindparam, delete, func, insert, or_, select, update

from anonchat.models import Event
from anonchat.storage.roles import Row
from anonchat.store.sql import insert_or_ignore, one_of, upsert
from anonchat.store.tables import events, meta, rooms

# The row of the room is locked by this until the commit, so two transactions never get the same seq.
TAKE_SEQ = (
    update(rooms)
    .where(rooms.c.id == bindparam("room"), rooms.c.ended_at.is_(None))
    .values(seq=rooms.c.seq + bindparam("count"))
    .returning(rooms.c.seq)
)
TAKE_SEQS = (
    update(rooms)
    .where(one_of(rooms.c.id, "rooms"), rooms.c.ended_at.is_(None))
    .values(seq=rooms.c.seq + bindparam("count"))
    .returning(rooms.c.id, rooms.c.seq)
)
INSERT_EVENT = insert(events)
SELECT_SEQ = select(rooms.c.seq).where(rooms.c.id == bindparam("room"))
# Rooms that still live, or whose end is being carried out: those that are kept for a grace are over already.
SELECT_SEQS = select(rooms.c.id, rooms.c.seq).where(
    one_of(rooms.c.id, "rooms"), or_(rooms.c.ended_at.is_(None), rooms.c.purge_at == rooms.c.ended_at)
)
SELECT_EVENTS = (
    select(events)
    .where(
        events.c.room_id == bindparam("room"), events.c.seq > bindparam("after"), events.c.seq <= bindparam("through")
    )
    .order_by(events.c.seq)
)
# The last `messages_removed` stays: whoever comes back has to learn how far retention got.
REMOVED = "messages_removed"
SELECT_OUTDATED_EVENT = select(func.max(events.c.seq).label("through")).where(
    events.c.room_id == bindparam("room"),
    events.c.seq < bindparam("until"),
    events.c.created_at < bindparam("before"),
    events.c.event != REMOVED,
)
SELECT_OLDEST_EVENTS = (
    select(events.c.seq).where(events.c.room_id == bindparam("room")).order_by(events.c.seq).limit(bindparam("limit"))
)
DELETE_EVENTS_THROUGH = delete(events).where(
    events.c.room_id == bindparam("room"), events.c.seq <= bindparam("through")
)

SELECT_META = select(meta.c.value).where(meta.c.key == bindparam("name"))
INSERT_META = insert_or_ignore(meta, meta.c.key)
UPSERT_META = upsert(meta, [meta.c.key], ["value"])


def event_of(row: Row) -> Event:
    """An `Event` of its row; `data` is empty where the message's present state is to be filled in."""
    data: dict[str, Any] = orjson.loads(row["data"]) if row["data"] is not None else {}
    return Event(row["room_id"], row["event"], data, row["seq"], row["message_id"])
