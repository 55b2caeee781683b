"""The plugin's table and its statements, built once. A row dies with its message, at the latest with its room."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, ForeignKey, Index, Integer, MetaData, Table, Text, bindparam, func, insert, select

from anonchat import Message

metadata = MetaData()

rolls = Table(
    "dice_rolls",
    metadata,
    Column("message_id", Text, ForeignKey("messages.id", ondelete="CASCADE"), primary_key=True),
    Column("room_id", Text, ForeignKey("rooms.id", ondelete="CASCADE"), nullable=False),
    Column("dice", Integer, nullable=False),
    Column("total", Integer, nullable=False),
    Index("dice_rolls_room", "room_id"),
)

INSERT_ROLL = insert(rolls)
COUNT_ROLLS = select(func.count().label("rolls"), func.coalesce(func.sum(rolls.c.dice), 0).label("dice")).where(
    rolls.c.room_id == bindparam("room")
)


def row_of(message: Message) -> dict[str, Any]:
    """The row of a message that was rolled."""
    thrown = message.content["dice"]
    return {
        "message_id": message.id,
        "room_id": message.room_id,
        "dice": len(thrown["results"]),
        "total": thrown["total"],
    }
