"""Carries events to the members of rooms on this node, each once and in order, whatever the bus loses.

Every durable event has the room's seq. What arrives early waits a moment for what is missing; what does not come is
read from the database. Once a second the positions of all active rooms are compared with the database in one query,
which finds a lost *last* event too.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson
import structlog

from anonchat.errors import ChatError
from anonchat.history import Page, Recent, Replay, read_page, read_replay
from anonchat.hub import Hub
from anonchat.journal import Journal
from anonchat.metrics import Metrics
from anonchat.models import Event
from anonchat.storage import Bus, Row
from anonchat.store import events as statements

log = structlog.get_logger("anonchat.relay")

STRAGGLER_SECONDS = 0.05  # how long an early event waits for the ones before it
REMEMBERED = 100_000  # messages and events that all active rooms together keep in memory
REACH_ATTEMPTS = 5
EARLY = 1_000  # events of a room that may wait for a missing one; beyond that the database is asked at once

Listener = Callable[[Event], None]


class ActiveRoom:
    """A room with a connection on this node: its recent history, and events that came before their turn."""

    __slots__ = ("early", "filling", "id", "members", "recent", "timer")

    def __init__(self, room_id: str, recent: Recent) -> None:
        self.id = room_id
        self.recent = recent
        self.members = 0
        self.early: dict[int, Event] = {}
        self.timer: asyncio.TimerHandle | None = None
        self.filling: asyncio.Task[None] | None = None


class Relay:
    """From the journal and the bus to the hub."""

    def __init__(self, journal: Journal, bus: Bus, hub: Hub, metrics: Metrics, *, page: int, replay: int) -> None:
        self._journal = journal
        self._bus = bus
        self._hub = hub
        self._metrics = metrics
        self._page = page
        self._replay = replay
        self._rooms: OrderedDict[str, ActiveRoom] = OrderedDict()
        self._opening: dict[str, asyncio.Task[None]] = {}
        self._arriving: dict[str, dict[int, Event]] = {}
        self._remembered = 0
        self._listeners: list[Listener] = []

    def listen(self, listener: Listener) -> None:
        """Have `listener` called, in order, with every event that this node delivers."""
        self._listeners.append(listener)

    # --- what comes in

    def committed(self, published: Sequence[Event]) -> None:
        """Events of one commit of this node."""
        for event in published:
            if self._bus.shared:
                packed = orjson.dumps((event.name, event.data, event.seq, event.message_id))
                self._bus.publish(_channel(event.room_id), packed)
            self._arrived(event)

    def received(self, channel: str, payload: bytes) -> None:
        """An event of another node."""
        room_id = channel.split(":")[1]
        name, data, seq, other = orjson.loads(payload)
        if other is not None and seq is None:
            self._hub.deliver(room_id, name, data, skip=other, droppable=True)
        else:
            self._arrived(Event(room_id, name, data, seq, other))

    def broadcast(self, room_id: str, name: str, data: Mapping[str, Any], *, skip: str | None = None) -> None:
        """Send what is not durable (presence, typing) to a room, but for the session `skip`. May get lost."""
        self._hub.deliver(room_id, name, data, skip=skip, droppable=True)
        if self._bus.shared:
            self._bus.publish(_channel(room_id), orjson.dumps((name, data, None, skip)))

    def _arrived(self, event: Event) -> None:
        if event.seq is None:
            self._tell(event)
        elif (room := self._rooms.get(event.room_id)) is not None:
            if event.seq > room.recent.position:
                room.early[event.seq] = event
                self._deliver_ready(room)
        elif (arriving := self._arriving.get(event.room_id)) is not None:
            arriving[event.seq] = event

    # --- order

    def _deliver_ready(self, room: ActiveRoom) -> None:
        while (event := room.early.pop(room.recent.position + 1, None)) is not None:
            self._deliver(room, event)
        if not room.early:
            if room.timer is not None:
                room.timer.cancel()
                room.timer = None
        elif len(room.early) > EARLY:
            self._fill(room)
        elif room.timer is None:
            room.timer = asyncio.get_running_loop().call_later(STRAGGLER_SECONDS, self._fill, room)

    def _deliver(self, room: ActiveRoom, event: Event) -> None:
        before = len(room.recent)
        room.recent.apply(event)
        self._remembered += len(room.recent) - before
        self._rooms.move_to_end(room.id)
        if event.name != "gone":
            self._tell(event)
        if self._remembered > REMEMBERED:
            self._forget_idlest(room)

    def _tell(self, event: Event) -> None:
        self._hub.deliver(event.room_id, event.name, event.data, seq=event.seq)
        for listener in self._listeners:
            listener(event)

    def _forget_idlest(self, active: ActiveRoom) -> None:
        """Give up the memory of the room that was silent for longest; the database is read when it is asked for."""
        idlest = next((room for room in self._rooms.values() if room is not active and len(room.recent)), active)
        self._remembered -= len(idlest.recent)
        idlest.recent = Recent(Page((), True, idlest.recent.position), self._page, self._replay, whole=False)

    # --- gaps

    def _fill(self, room: ActiveRoom) -> None:
        room.timer = None
        if room.filling is None and self._rooms.get(room.id) is room:
            room.filling = asyncio.create_task(self._fill_gap(room))

    async def _fill_gap(self, room: ActiveRoom) -> None:
        try:
            position = room.recent.position
            missed = await self._journal.read(lambda tx: read_replay(tx, room.id, position, self._replay))
        except ChatError:
            return  # the storage is away; the next comparison tries again
        finally:
            room.filling = None
        if missed is None:
            await self._start_over(room)
            return
        for item in missed.events:
            if item["seq"] > room.recent.position:
                room.early[item["seq"]] = _of_item(room.id, item)
        self._metrics.gaps.inc(len(missed.events))
        self._deliver_ready(room)

    async def _start_over(self, room: ActiveRoom) -> None:
        """More was lost than can be told one by one: every member reads the room anew."""
        log.warning("a room lost more than can be replayed; its members start over")
        page = await self._journal.read(lambda tx: read_page(tx, room.id, self._page))
        self._remembered -= len(room.recent)
        room.recent = self._recent(page)
        room.early = {seq: event for seq, event in room.early.items() if seq > page.seq}
        self._hub.deliver(room.id, "resync", {"reason": "too_much_was_lost"})
        self._deliver_ready(room)

    async def compare(self) -> None:
        """Compare the positions of all active rooms with the database, and fill what is missing."""
        if not self._rooms:
            return
        rows = await self._journal.fetch_all(statements.SELECT_SEQS, {"rooms": list(self._rooms)})
        behind = [row for row in rows if self._is_behind(row)]
        if behind:
            await asyncio.sleep(STRAGGLER_SECONDS)  # what was committed just before that read is on its way
        for row in behind:
            if self._is_behind(row):
                self._fill(self._rooms[row["id"]])

    def _is_behind(self, row: Row) -> bool:
        room = self._rooms.get(row["id"])
        return room is not None and row["seq"] > room.recent.position

    # --- members

    async def open(self, room_id: str) -> ActiveRoom:
        """Make a room active, or keep it so: subscribed first, then read. To be followed by `close`, once."""
        while (room := self._rooms.get(room_id)) is None:
            task = self._opening.get(room_id)
            if task is None:
                task = self._opening[room_id] = asyncio.create_task(self._activate(room_id))
            await asyncio.shield(task)
        room.members += 1
        return room

    async def _activate(self, room_id: str) -> None:
        arriving = self._arriving[room_id] = {}
        try:
            await self._bus.subscribe(_channel(room_id))
            page = await self._journal.read(lambda tx: read_page(tx, room_id, self._page))
            room = self._rooms[room_id] = ActiveRoom(room_id, self._recent(page))
        finally:
            del self._arriving[room_id], self._opening[room_id]
        room.early = {seq: event for seq, event in arriving.items() if seq > page.seq}
        self._deliver_ready(room)
        self._metrics.rooms_active.set(len(self._rooms))

    async def close(self, room: ActiveRoom) -> None:
        """The opposite of `open`: the last one out drops the memory of the room."""
        room.members -= 1
        if room.members > 0 or self._rooms.get(room.id) is not room:
            return
        del self._rooms[room.id]
        self._remembered -= len(room.recent)
        if room.timer is not None:
            room.timer.cancel()
        self._metrics.rooms_active.set(len(self._rooms))
        await self._bus.unsubscribe(_channel(room.id))

    async def newest(self, room: ActiveRoom) -> Page:
        """The newest messages at a position that this node has delivered or is about to."""
        page = room.recent.newest()
        if page is None:
            page = await self._journal.read(lambda tx: read_page(tx, room.id, self._page))
            room.recent.rebase(page)
        return page

    async def since(self, room: ActiveRoom, seq: int) -> Replay | None:
        """What happened after `seq`; None if it is too much or `seq` is not a position of this room."""
        replay = room.recent.since(seq)
        if replay is None:
            replay = await self._journal.read(lambda tx: read_replay(tx, room.id, seq, self._replay))
        return replay

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

    def _recent(self, page: Page) -> Recent:
        recent = Recent(page, self._page, self._replay)
        self._remembered += len(recent)
        return recent


def _channel(room_id: str) -> str:
    return f"room:{room_id}:messages"


def _of_item(room_id: str, item: Mapping[str, Any]) -> Event:
    data = item["data"]
    message_id = data.get("id") or data.get("messageId")
    return Event(room_id, item["event"], data, item["seq"], message_id)
