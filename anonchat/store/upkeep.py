"""Statements of `doctor` and `restore`: about all rooms together."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import bindparam, func, or_, select, union_all
from sqlalchemy.sql import ClauseElement

from anonchat.store.tables import ended_rooms, messages, rooms, sessions

SELECT_NEWEST = select(func.max(rooms.c.created_at))

_OLDEST = select(func.min(messages.c.created_at)).where(messages.c.room_id == rooms.c.id).scalar_subquery()
# Rooms that should have ended before `late`, or that hold a message which should have been deleted by then.
COUNT_OVERDUE = (
    select(func.count())
    .select_from(rooms)
    .where(
        or_(
            rooms.c.expires_at < bindparam("late"),
            rooms.c.purge_at < bindparam("late"),
            bindparam("late") - rooms.c.retention_seconds * 1_000 > _OLDEST,
        )
    )
)

COUNTS: Mapping[str, ClauseElement] = {
    "rooms": select(func.count()).select_from(rooms).where(rooms.c.ended_at.is_(None)),
    "messages": select(func.count()).select_from(messages),
    "sessions": select(func.count()).select_from(sessions),
}
SELECT_ROOM_IDS = select(rooms.c.id)
# Rooms that are over: purged, or still in their grace. Of those that wait for their purge the grace is over, too.
_OVER = union_all(
    select(ended_rooms.c.id, ended_rooms.c.reason, ended_rooms.c.ended_at, ended_rooms.c.ended_at.label("purge_at")),
    select(rooms.c.id, rooms.c.end_reason.label("reason"), rooms.c.ended_at, rooms.c.purge_at).where(
        rooms.c.ended_at.is_not(None), rooms.c.id.not_in(select(ended_rooms.c.id))
    ),
).subquery()
SELECT_LAST_ENDED = select(_OVER).order_by(_OVER.c.ended_at.desc()).limit(bindparam("limit"))
