"""What the operator may see of all rooms: how many, how large, how long. Not what they are about, nor a way into them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from anonchat.clock import Clock, iso, iso_or_none
from anonchat.models import Room
from anonchat.protocol.cursors import cursor_of, parse_cursor
from anonchat.storage.roles import Database
from anonchat.store import rooms as statements

NEWEST = (2**62, "0")


class Overview:
    """Numbers about the rooms and the storage."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def rooms(self, cursor: str | None, limit: int) -> dict[str, Any]:
        """Rooms that have not ended, newest first. Costs four queries; counts the messages of the rooms of the page.

        A cursor holds no id of a room, which would lead to its title: it is a time, and how many rooms of that time have
        been told.
        """
        before, skipped = _parsed(cursor)
        page = {"before": before, "skipped": skipped, "limit": limit + 1}
        rows = await self._database.fetch_all(statements.SELECT_LIVING_AT, page)
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
            "nextCursor": _cursor_after(rooms, before, skipped) if len(rows) > limit else None,
        }

    async def database_bytes(self) -> int:
        """What the database takes where it is stored."""
        return await self._database.size()


def _parsed(cursor: str | None) -> tuple[int, int]:
    before, skipped = parse_cursor(cursor, NEWEST)
    return before, parse_cursor(f"{skipped}~", NEWEST)[0]


def _cursor_after(rooms: Sequence[Room], before: int, skipped: int) -> str:
    last = rooms[-1].created_at
    told = sum(room.created_at == last for room in rooms) + (skipped if last == before else 0)
    return cursor_of(last, str(told))


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
