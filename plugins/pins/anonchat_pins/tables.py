"""The plugin's table and its statements, built once. A pin dies with its message, at the latest with its room."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    MetaData,
    Table,
    Text,
    bindparam,
    delete,
    func,
    insert,
    select,
)

from anonchat import messages_table

metadata = MetaData()

# `seq` is that of the event that told the pin: the room's own order, so two pins are never of the same time.
pins = Table(
    "pins_pinned",
    metadata,
    Column("message_id", Text, ForeignKey("messages.id", ondelete="CASCADE"), primary_key=True),
    Column("room_id", Text, ForeignKey("rooms.id", ondelete="CASCADE"), nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("pinned_at", BigInteger, nullable=False),
    Column("pinned_by", Text, nullable=False),
    Index("pins_pinned_room", "room_id", "seq", unique=True),
)

_OF_ROOM = pins.c.room_id == bindparam("room")
_OF_MESSAGE = pins.c.message_id == bindparam("message")

SELECT_VISIBLE = select(messages_table.c.id).where(
    messages_table.c.id == bindparam("message"),
    messages_table.c.room_id == bindparam("room"),
    messages_table.c.seq.is_not(None),
    messages_table.c.deleted_at.is_(None),
)
SELECT_PIN = select(pins).where(_OF_ROOM, _OF_MESSAGE)
SELECT_PINS = select(pins).where(_OF_ROOM).order_by(pins.c.seq).limit(bindparam("limit"))
COUNT_PINS = select(func.count().label("pins")).where(_OF_ROOM)
INSERT_PIN = insert(pins)
DELETE_PIN = delete(pins).where(_OF_ROOM, _OF_MESSAGE)
