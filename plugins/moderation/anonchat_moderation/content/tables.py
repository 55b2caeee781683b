"""The table of what a room has chosen, and its statements."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Integer,
    Table,
    Text,
    and_,
    bindparam,
    exists,
    or_,
    select,
    update,
)

from anonchat import insert_or_ignore, messages_table, one_of, rooms_table, sessions_table
from anonchat_moderation.tables import bans, metadata

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

# Of rooms that live, also where nothing is stored.
SELECT_ROOMS = (
    select(rooms_table.c.id, rooms_table.c.settings, rooms)
    .outerjoin_from(rooms_table, rooms, rooms.c.room_id == rooms_table.c.id)
    .where(one_of(rooms_table.c.id, "rooms"), rooms_table.c.ended_at.is_(None))
)
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
END_PANIC = update(rooms).where(_ROOM).values(panic_at=None)
FORGET_COUNTS = update(rooms).where(_ROOM).values(refused=0, dropped=0, released=0)
COUNT_REFUSED = (
    update(rooms).where(_ROOM, rooms.c.panic_at.is_not(None)).values(refused=rooms.c.refused + bindparam("more"))
)
# Also when the panic is over: what it has held is decided then.
COUNT_DECIDED = {
    "dropped": update(rooms).where(_ROOM).values(dropped=rooms.c.dropped + 1),
    "released": update(rooms).where(_ROOM).values(released=rooms.c.released + 1),
}

_HELD = messages_table.c.held_reason.is_not(None)
_IN_ROOM = messages_table.c.room_id == bindparam("room")
_WAITS = select(messages_table.c.id, messages_table.c.room_id, messages_table.c.session_id)
SELECT_REASON = select(messages_table.c.held_reason).where(messages_table.c.id == bindparam("message"), _IN_ROOM)
SELECT_HELD_OF = _WAITS.where(
    _IN_ROOM, messages_table.c.seq.is_(None), _HELD, one_of(messages_table.c.session_id, "sessions")
).limit(bindparam("limit"))
# Rooms in a panic where something waits for its time, for a reason.
SELECT_IN_PANIC = (
    select(rooms.c.room_id)
    .join(messages_table, messages_table.c.room_id == rooms.c.room_id)
    .where(
        rooms.c.panic_at.is_not(None),
        _HELD,
        messages_table.c.held_until.is_not(None),
        messages_table.c.held_reason == bindparam("reason"),
    )
    .distinct()
    .limit(bindparam("limit"))
)
# Of who is kept out, by the session or by its device; each by an index of its own, since it is asked of all that waits, every
# second.
_LIVE = and_(bans.c.room_id == messages_table.c.room_id, bans.c.until > bindparam("now", type_=BigInteger))
_BANNED_SESSION = exists().where(_LIVE, bans.c.session_id == messages_table.c.session_id)
_BANNED_DEVICE = exists().where(
    _LIVE,
    sessions_table.c.id == messages_table.c.session_id,
    sessions_table.c.rank < bans.c.by_rank,
    bans.c.device == sessions_table.c.device_hash,
)
SELECT_HELD_OF_BANNED = (
    _WAITS.join(rooms_table, rooms_table.c.id == messages_table.c.room_id)
    .where(
        _HELD,
        rooms_table.c.ended_at.is_(None),
        or_(_BANNED_SESSION, _BANNED_DEVICE),
    )
    .order_by(messages_table.c.held_until)
    .limit(bindparam("limit"))
)
