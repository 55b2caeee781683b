"""Who holds which name in a room. Mentions ask for it, so the names of small rooms are kept at hand for a second."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from anonchat import PluginContext
from anonchat_notifications import statements

FRESH_MILLISECONDS = 1_000
SMALL = 500  # names of a room that are kept at hand; of a larger one only those are read that a text may mean
ROOMS = 1_000  # whose names are kept at hand


class Holder(NamedTuple):
    """A session and the name that it holds, as it writes it."""

    id: str
    username: str


Names = Mapping[str, Holder]
"""By the name in folded case."""


class Directory:
    """Names of rooms."""

    def __init__(self, ctx: PluginContext) -> None:
        self._ctx = ctx
        self._rooms: OrderedDict[str, tuple[int, Names | None]] = OrderedDict()

    async def find(self, room_id: str, marks: Sequence[Sequence[str]]) -> Names:
        """Of each mark's candidates at least the longest that somebody holds.

        Where one fits nobody who is at hand, it may be somebody who has just come, so the database is asked.
        """
        known = await self._known(room_id)
        if known is not None and all(any(name in known for name in mark) for mark in marks):
            return known
        found = await self._ctx.sessions.find_named(room_id, {name for mark in marks for name in mark})
        return {name: Holder(session.id, session.username) for name, session in found.items()}

    def forget(self, room_id: str) -> None:
        """Somebody has come to the room, or gone."""
        self._rooms.pop(room_id, None)

    async def _known(self, room_id: str) -> Names | None:
        """All names of a small room, at most a second old."""
        now = self._ctx.clock.now()
        read_at, names = self._rooms.get(room_id, (-FRESH_MILLISECONDS, None))
        if read_at <= now < read_at + FRESH_MILLISECONDS:
            return names
        rows = await self._ctx.db.fetch_all(statements.SELECT_NAMES, {"room": room_id, "limit": SMALL + 1})
        small = {row["folded"]: Holder(row["id"], row["username"]) for row in rows} if len(rows) <= SMALL else None
        self._rooms[room_id] = (now, small)
        self._rooms.move_to_end(room_id)
        if len(self._rooms) > ROOMS:
            self._rooms.popitem(last=False)
        return small
