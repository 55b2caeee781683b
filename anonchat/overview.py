"""What the operator may see of all rooms: how many, how large, how long. Not what they are about, nor a way into them."""

from __future__ import annotations

from typing import Any

from anonchat.clock import Clock, iso, iso_or_none
from anonchat.cursors import cursor_of, parse_cursor
from anonchat.models import Room
from anonchat.storage import Database
from anonchat.store import rooms as statements

NEWEST = (2**62, "")


class Overview:
    """Numbers about the rooms and the storage."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def rooms(self, cursor: str | None, limit: int) -> dict[str, Any]:
        """Rooms that have not ended, newest first. Costs five queries; counts the messages of the rooms of the page."""
        before, before_id = parse_cursor(cursor, NEWEST)
        page = {"before": before, "before_id": before_id, "limit": limit + 1}
        rows = await self._database.fetch_all(statements.SELECT_LIVING, page)
        rooms = [statements.room_of(row) for row in rows[:limit]]
        ids = [room.id for room in rooms]
        seated = await self._database.fetch_all(statements.COUNT_SEATED_IN, {"rooms": ids, "now": self._clock.now()})
        written = await self._database.fetch_all(statements.COUNT_MESSAGES_IN, {"rooms": ids})
        people = {row["room_id"]: row["seated"] for row in seated}
        messages = {row["room_id"]: row["messages"] for row in written}
        total = await self._database.fetch_one(statements.COUNT_LIVING)
        return {
            "rooms": [_shown(room, people.get(room.id, 0), messages.get(room.id, 0)) for room in rooms],
            "total": total[0] if total is not None else 0,
            "nextCursor": cursor_of(rooms[-1].created_at, rooms[-1].id) if len(rows) > limit else None,
        }

    async def database_bytes(self) -> int:
        """What the database takes where it is stored."""
        return await self._database.size()


def _shown(room: Room, people: int, messages: int) -> dict[str, Any]:
    """A room is named only where everybody may read its name."""
    return {
        "title": room.title if room.is_public else None,
        "isPublic": room.is_public,
        "isOpen": room.is_open,
        "actualParticipants": people,
        "maxParticipants": room.max_participants,
        "messages": messages,
        "createdAt": iso(room.created_at),
        "expiresAt": iso_or_none(room.expires_at),
        "retentionSeconds": room.retention_seconds,
    }
