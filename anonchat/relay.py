"""Carries events to the members of rooms on this node, each once and in order, whatever the bus loses.

Every durable event has the room's seq. What arrives early waits a moment for what is missing; what does not come is
read from the database. Once a second the positions of all active rooms are compared with the database in one query,
which finds a lost *last* event too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson
import structlog

from anonchat.active import ActiveRoom, ActiveRooms, channel_of, room_in
from anonchat.errors import ChatError
from anonchat.history import Page, wire_of
from anonchat.hub import Hub
from anonchat.journal import Journal
from anonchat.metrics import Metrics
from anonchat.models import EVERYBODY, Audience, Event
from anonchat.storage import Bus
from anonchat.store import events as statements
from anonchat.store import rooms as room_statements

log = structlog.get_logger("anonchat.relay")

STRAGGLER_SECONDS = 0.05  # how long an early event waits for the ones before it
REACH_ATTEMPTS = 5
PATIENT = 1_000  # early events of a room above which the database is asked at once

_UNKNOWN_END = {"reason": "ended", "deleted": {}}

Listener = Callable[[Event], None]
Signalled = Callable[[str, Mapping[str, Any]], None]


class Relay:
    """From the journal and the bus to the hub."""

    def __init__(self, journal: Journal, bus: Bus, hub: Hub, rooms: ActiveRooms, metrics: Metrics) -> None:
        self._journal = journal
        self._bus = bus
        self._hub = hub
        self._rooms = rooms
        self._metrics = metrics
        self._missing: set[str] = set()
        self._listeners: list[Listener] = []
        self._signalled: dict[str, Signalled] = {}

    def listen(self, listener: Listener) -> None:
        """Have `listener` called, in order, with every event that this node delivers."""
        self._listeners.append(listener)

    def on_signal(self, name: str, signalled: Signalled) -> None:
        """Have `signalled(room_id, data)` called for what other nodes `signal` under that name."""
        self._signalled[name] = signalled

    # --- what comes in

    def committed(self, published: Sequence[Event]) -> None:
        """Events of one commit of this node."""
        for event in published:
            try:
                self._publish(event)
            except Exception:
                log.exception("an event could not be published; the others of its commit are", event_name=event.name)

    def _publish(self, event: Event) -> None:
        if event.audience is not None:
            self.broadcast(event.room_id, event.name, event.data, event.audience)
            return
        if self._bus.shared:
            packed = orjson.dumps((event.name, event.data, event.seq, event.message_id, None))
            self._bus.publish(channel_of(event.room_id), packed)
        self._arrived(event)

    def received(self, channel: str, payload: bytes) -> None:
        """An event or a signal of another node."""
        name, data, *event = orjson.loads(payload)
        if not event:
            if name in self._signalled:  # a newer node may know more of them
                self._signalled[name](room_in(channel), data)
            return
        seq, message_id, audience = event
        if audience is not None:
            room_id = room_in(channel)
            self._hub.tell(room_id, name, data, Audience(*audience), self.position(room_id))
        else:
            self._arrived(Event(room_in(channel), name, data, seq, message_id))

    def broadcast(self, room_id: str, name: str, data: Mapping[str, Any], audience: Audience = EVERYBODY) -> None:
        """Send what is not durable (typing) to a room. May get lost."""
        self.tell_here(room_id, name, data, audience)
        if self._bus.shared:
            packed = (name, data, None, None, (audience.skip, audience.only, audience.moderators, audience.arriving))
            self._bus.publish(channel_of(room_id), orjson.dumps(packed))

    def tell_here(self, room_id: str, name: str, data: Mapping[str, Any], audience: Audience = EVERYBODY) -> None:
        """Like `broadcast`, to the members on this node."""
        self._hub.tell(room_id, name, data, audience, self.position(room_id))

    def signal(self, room_id: str, name: str, data: Mapping[str, Any]) -> None:
        """Tell the other nodes with members in the room something that no client hears. May get lost."""
        if self._bus.shared:
            self._bus.publish(channel_of(room_id), orjson.dumps((name, data)))

    def active_rooms(self) -> list[str]:
        """The rooms with a connection on this node."""
        return self._rooms.ids()

    def _arrived(self, event: Event) -> None:
        if event.seq is None:
            self._tell(event)
        elif (room := self._rooms.keep(event)) is not None:
            self._deliver_ready(room)

    # --- order

    def _deliver_ready(self, room: ActiveRoom) -> None:
        before, position = room.recent.size, room.recent.position
        for event, packed in room.ready():
            self._tell(event, packed)
        if room.recent.position > position:
            self._rooms.grown(room, room.recent.size - before)
        if not room.early:
            room.cancel_timer()
        elif len(room.early) > PATIENT:
            self._fill(room)
        elif room.timer is None:
            room.timer = asyncio.get_running_loop().call_later(STRAGGLER_SECONDS, self._fill, room)

    def _tell(self, event: Event, packed: bytes | None = None) -> None:
        self._hub.deliver(event.room_id, event.name, event.data, seq=event.seq, packed=packed)
        for listener in self._listeners:
            listener(event)

    # --- gaps

    def _fill(self, room: ActiveRoom) -> None:
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
            self._deliver_ready(room)
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
            return
        rows = await self._journal.fetch_all(statements.SELECT_SEQS, {"rooms": active})
        behind = [row for row in rows if row["seq"] > self.position(row["id"])]
        if behind:
            await asyncio.sleep(STRAGGLER_SECONDS)  # what was committed just before that read is on its way
        for row in behind:
            room = self._rooms.get(row["id"])
            if room is not None and row["seq"] > room.recent.position:
                self._fill(room)
        await self._find_ended({row["id"] for row in rows})

    async def _find_ended(self, living: set[str]) -> None:
        """Tell the members of rooms that are over and did not hear it: the end is told by one event without a seq.

        Only at the second look, when whoever ended the room has had the time to tell it, with its counts.
        """
        missing = set(self._rooms.ids()) - living
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
                self._fill(room)
            if room.filling is not None:
                await asyncio.shield(room.filling)
        if room.recent.position < position:
            raise ChatError("overloaded", retry_after_ms=1_000)

    def position(self, room_id: str) -> int:
        """The last seq that this node has delivered in an active room; 0 in another."""
        room = self._rooms.get(room_id)
        return room.recent.position if room else 0


def _of_item(room_id: str, item: Mapping[str, Any]) -> Event:
    wire = wire_of(item["event"], item["data"])
    return Event(room_id, item["event"], item["data"], item["seq"], wire["id"] if wire is not None else None)
