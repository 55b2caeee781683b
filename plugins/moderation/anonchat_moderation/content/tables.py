"""The table of what a room has chosen, and its statements."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Integer, Table, Text, bindparam, select, update

from anonchat import insert_or_ignore, one_of
from anonchat_moderation.tables import metadata

# No row: as the room was made, or the server's default. `slow_mode_seconds` None: as the preset has it. `rules` holds
# what differs from the preset, as JSON. `panic_at` is set while the panic lasts; the last three count what became of
# messages in it: refused since too many waited, dropped and released by hand.
rooms = Table(
    "moderation_rooms",
    metadata,
    Column("room_id", Text, ForeignKey("rooms.id", ondelete="CASCADE"), primary_key=True),
    Column("preset", Text, nullable=False),
    Column("slow_mode_seconds", Integer),
    Column("rules", Text, nullable=False),
    Column("panic_at", BigInteger),
    Column("refused", Integer, nullable=False),
    Column("dropped", Integer, nullable=False),
    Column("released", Integer, nullable=False),
)

_ROOM = rooms.c.room_id == bindparam("room")

SELECT_ROOMS = select(rooms).where(one_of(rooms.c.room_id, "rooms"))
INSERT_ROOM = insert_or_ignore(rooms, rooms.c.room_id)
# Nobody else changes the row until the end of the transaction.
LOCK_ROOM = update(rooms).where(_ROOM).values(preset=rooms.c.preset).returning(rooms)
UPDATE_RULES = (
    update(rooms)
    .where(_ROOM)
    .values(preset=bindparam("new_preset"), slow_mode_seconds=bindparam("new_seconds"), rules=bindparam("new_rules"))
)
START_PANIC = (
    update(rooms)
    .where(_ROOM, rooms.c.panic_at.is_(None))
    .values(panic_at=bindparam("now"), refused=0, dropped=0, released=0)
)
END_PANIC = update(rooms).where(_ROOM).values(panic_at=None, refused=0, dropped=0, released=0)
COUNT = (
    update(rooms)
    .where(_ROOM, rooms.c.panic_at.is_not(None))
    .values(
        refused=rooms.c.refused + bindparam("more_refused"),
        dropped=rooms.c.dropped + bindparam("more_dropped"),
        released=rooms.c.released + bindparam("more_released"),
    )
)
