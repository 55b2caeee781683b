"""What is asked of a room for every message: stored, and at hand for a second, so that it costs a look-up."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from itertools import islice
from typing import Any, Generic, NamedTuple, TypeVar

from anonchat import ChatError

FRESH_MILLISECONDS = 1_000  # after which a change of another node is in force here
AHEAD_MILLISECONDS = 500  # after which what is asked for is read anew in passing, so that mostly nobody waits
ROOMS = 5_000  # of which something is at hand
TOGETHER = 500  # rooms that one query reads

Kept = TypeVar("Kept")


class _Known(NamedTuple, Generic[Kept]):
    """What was read of a room, when (milliseconds), and by which read."""

    value: Kept
    read_at: int
    number: int

    def is_fresh(self, now: int) -> bool:
        """False also where the clock was set back."""
        return self.read_at <= now < self.read_at + FRESH_MILLISECONDS


class _Reading(NamedTuple, Generic[Kept]):
    """A query that is on its way, and its rooms, once it has begun."""

    rooms: Sequence[str]
    task: asyncio.Task[Mapping[str, Kept]]


class AtHand(Generic[Kept]):
    """Something of each room, at most a second old.

    One query at a time reads all rooms of which somebody waits to know, and with them those that were asked for since the
    last: so a burst in many rooms costs few queries, and rooms in which somebody writes two a second, however many.
    """

    def __init__(self, read: Callable[[Sequence[str]], Awaitable[Mapping[str, Kept]]], now: Callable[[], int]) -> None:
        """`read(room ids)` reads what there is now; a room that has ended is missing in its answer."""
        self._read = read
        self._now = now
        self._known: OrderedDict[str, _Known[Kept]] = OrderedDict()
        self._wanted: dict[str, None] = {}  # in the order of coming
        self._asked: set[str] = set()
        self._reading: _Reading[Kept] | None = None
        self._dropped: set[str] = set()
        self.reads = 0
        """How many reads have begun."""

    def get(self, room_id: str, now: int) -> Kept | None:
        """What was read not more than a second ago."""
        known = self._known.get(room_id)
        if known is None or not known.is_fresh(now):
            return None
        self._asked.add(room_id)
        if now >= known.read_at + AHEAD_MILLISECONDS and self._running is None:
            self._begin()
        return known.value

    def latest(self, room_id: str) -> Kept | None:
        """What was read last, however long ago."""
        known = self._known.get(room_id)
        return known.value if known is not None else None

    async def of(self, room_id: str) -> Kept:
        """What holds, at most a second old. Whoever waits shares one query. Raises `room_ended`."""
        value = self.get(room_id, self._now())
        if value is not None:
            return value
        return await self._read_until(room_id, lambda known: known.is_fresh(self._now()))

    async def read(self, room_id: str, reads: int) -> Kept:
        """What holds, read when more than so many `reads` had begun: also of those who ask at once one is enough."""
        return await self._read_until(room_id, lambda known: known.number > reads)

    async def _read_until(self, room_id: str, is_good: Callable[[_Known[Kept]], bool]) -> Kept:
        while (known := self._known.get(room_id)) is None or not is_good(known):
            self._wanted[room_id] = None
            # All who wait are woken together: one after another, a hundred would take as many turns of a busy event loop.
            reading = self._running or self._begin()
            try:
                found = await asyncio.shield(reading.task)
            except ChatError:
                if room_id in reading.rooms:
                    raise
            else:
                if room_id in reading.rooms and room_id not in found:
                    raise ChatError("room_ended")
        self._wanted.pop(room_id, None)
        return known.value

    def _begin(self) -> _Reading[Kept]:
        rooms: list[str] = []
        reading = self._reading = _Reading(rooms, asyncio.ensure_future(self._read_all(rooms)))
        reading.task.add_done_callback(_heard)
        return reading

    @property
    def _running(self) -> _Reading[Kept] | None:
        return None if self._reading is None or self._reading.task.done() else self._reading

    def _next_rooms(self) -> list[str]:
        """Those that somebody waits for, the first come first, and those that were asked for."""
        rooms = list(islice(self._wanted, TOGETHER))
        for room_id in rooms:
            del self._wanted[room_id]
        rooms += islice(self._asked.difference(rooms), TOGETHER - len(rooms))
        self._asked.clear()
        return rooms

    async def _read_all(self, rooms: list[str]) -> Mapping[str, Kept]:
        """Begins a turn later, with all that was asked for in this one."""
        rooms += self._next_rooms()
        self._dropped.clear()
        self.reads += 1
        number, now = self.reads, self._now()
        found = await self._read(rooms)
        for room_id in rooms:
            if room_id not in self._dropped:
                self._known.pop(room_id, None)
                if room_id in found:
                    self._known[room_id] = _Known(found[room_id], now, number)
        while len(self._known) > ROOMS:
            self._known.popitem(last=False)
        return found

    def drop(self, room_id: str) -> None:
        """Something has changed: it is read anew, and a query that is on its way does not bring back what was before."""
        self._known.pop(room_id, None)
        self._asked.discard(room_id)
        self._dropped.add(room_id)


def _heard(task: asyncio.Task[Any]) -> None:
    """Its failure is told to who waits; of what was read ahead nobody does, and whoever needs to know reads again."""
    if not task.cancelled():
        task.exception()
