"""What is missing between the events of a room: found, read from the database, and delivered in its place.

What comes early waits a moment for what is missing. Once a second the positions of all active rooms are compared with the
database in one query, which finds a lost *last* event too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import orjson
import structlog

from anonchat.delivery.active import ActiveRoom, ActiveRooms
from anonchat.delivery.history import Page, wire_of
from anonchat.delivery.hub import Hub
from anonchat.delivery.journal import Journal
from anonchat.errors import ChatError
from anonchat.models import Event
from anonchat.observability.metrics import Metrics
from anonchat.store import events as statements
from anonchat.store import rooms as room_statements

log = structlog.get_logger("anonchat.relay")

STRAGGLER_SECONDS = 0.05  # how long an early event waits for the ones before it
REACH_ATTEMPTS = 5

_UNKNOWN_END = {"reason": "ended", "deleted": {}}


class Gaps:
    """Fills the gaps of active rooms."""

    def __init__(
        self,
        journal: Journal,
        hub: Hub,
        rooms: ActiveRooms,
        metrics: Metrics,
        deliver: Callable[[ActiveRoom], None],
        tell: Callable[[Event], None],
    ) -> None:
        """`deliver(room)` delivers what is in its turn by now; `tell(event)` delivers an event that has no seq."""
        self._journal = journal
        self._hub = hub
        self._rooms = rooms
        self._metrics = metrics
        self._deliver = deliver
        self._tell = tell
        self._missing: set[str] = set()

    def wait(self, room: ActiveRoom) -> None:
        """Something came before its turn: what is missing may still be on its way."""
        if room.timer is None:
            room.timer = asyncio.get_running_loop().call_later(STRAGGLER_SECONDS, self.fill, room)

    def fill(self, room: ActiveRoom) -> None:
        """Read what is missing, unless that is being done; what is there is delivered afterwards."""
        room.cancel_timer()
        if room.filling is None and self._rooms.get(room.id) is room:
            room.filling = asyncio.create_task(self._fill_gap(room))

    async def _fill_gap(self, room: ActiveRoom) -> None:
        try:
            missed = await self._rooms.read_replay(room.id, room.recent.position)
            page = await self._rooms.read_page(room.id) if missed is None else None
            if self._rooms.get(room.id) is not room:
                return  # everybody has left meanwhile; who has come since then reads for themselves
            if page is not None:
                self._start_over(room, page)
            for item in missed.events if missed is not None else ():
                if item["seq"] > room.recent.position:
                    self._rooms.keep(_of_item(room.id, item))
                    self._metrics.gaps.inc()
            self._deliver(room)
        except ChatError:
            pass  # the storage is away; the next comparison tries again
        finally:
            room.filling = None

    def _start_over(self, room: ActiveRoom, page: Page) -> None:
        """More was lost than can be told one by one: every member reads the room anew."""
        if page.seq > room.recent.position:  # else what was missing has come meanwhile
            log.warning("a room lost more than can be replayed; its members start over")
            self._rooms.start_over(room, page)
            self._hub.deliver(room.id, "resync", {"reason": "too_much_was_lost"})

    async def compare(self) -> None:
        """Compare the positions of all active rooms with the database, and fill what is missing."""
        active = self._rooms.ids()
        if not active:
            self._missing.clear()
            return
        rows = await self._journal.fetch_all(statements.SELECT_SEQS, {"rooms": active})
        behind = [row for row in rows if row["seq"] > self._rooms.position(row["id"])]
        if behind:
            await asyncio.sleep(STRAGGLER_SECONDS)  # what was committed just before that read is on its way
        for row in behind:
            room = self._rooms.get(row["id"])
            if room is not None and row["seq"] > room.recent.position:
                self.fill(room)
        await self._find_ended(set(active) - {row["id"] for row in rows})

    async def _find_ended(self, missing: set[str]) -> None:
        """Tell the members of rooms that are over and did not hear it: the end is told by one event without a seq.

        Only at the second look, when whoever ended the room has had the time to tell it, with its counts.
        """
        overdue, self._missing = missing & self._missing, missing
        for room_id in overdue:
            row = await self._journal.fetch_one(room_statements.SELECT_ENDED, {"room": room_id})
            told = {"reason": row["reason"], "deleted": orjson.loads(row["deleted"])} if row else _UNKNOWN_END
            self._tell(Event(room_id, "room_ended", told))

    async def reach(self, room: ActiveRoom, position: int) -> None:
        """Wait until this node has delivered everything up to a `position` that was read from the database.

        Raises `overloaded` if it does not get there in a few attempts.
        """
        for _ in range(REACH_ATTEMPTS):
            if room.recent.position >= position:
                return
            await asyncio.sleep(0)  # what was committed is published in the turn after its answer
            if room.recent.position < position:
                self.fill(room)
            if room.filling is not None:
                await asyncio.shield(room.filling)
        if room.recent.position < position:
            raise ChatError("overloaded", retry_after_ms=1_000)


def _of_item(room_id: str, item: Mapping[str, Any]) -> Event:
    wire = wire_of(item["event"], item["data"])
    return Event(room_id, item["event"], item["data"], item["seq"], wire["id"] if wire is not None else None)
