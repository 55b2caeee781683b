"""The rooms with a connection on this node: what was said last, in memory, and events that came before their turn."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterator
from typing import Protocol

import orjson

from anonchat.delivery.history import Page, Recent, Replay, read_page, read_replay
from anonchat.delivery.journal import Journal
from anonchat.models import Event
from anonchat.observability.metrics import Metrics
from anonchat.storage.roles import Bus

EARLY = 5_000  # events of a room that may wait for a missing one
REMEMBERED_BYTES = 32 * 1024 * 1024  # of JSON, that all active rooms together keep in memory


class ActiveRoom:
    """One of them. `recent` stands at the position that this node has delivered."""

    __slots__ = ("early", "filling", "id", "members", "recent", "timer")

    def __init__(self, room_id: str, recent: Recent, early: dict[int, Event]) -> None:
        self.id = room_id
        self.recent = recent
        self.members = 0
        self.early = early
        self.timer: asyncio.TimerHandle | None = None
        self.filling: asyncio.Task[None] | None = None

    def ready(self) -> Iterator[tuple[Event, bytes]]:
        """Take in, one by one, the events whose turn it is; each with its data as JSON."""
        while (event := self.early.pop(self.recent.position + 1, None)) is not None:
            packed = orjson.dumps(event.data)
            self.recent.apply(event, len(packed))
            yield event, packed

    def cancel_timer(self) -> None:
        """Stop waiting for a straggler."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None


class Watcher(Protocol):
    """Who wants to know which rooms are active."""

    async def opened(self, room_id: str) -> None:
        """It is subscribed to, and not active yet."""

    def closed(self, room_id: str) -> None: ...


class ActiveRooms:
    """Opens a room with its first connection, forgets it with its last, and bounds the memory of all of them."""

    def __init__(self, journal: Journal, bus: Bus, metrics: Metrics, *, page: int, replay: int) -> None:
        self._journal = journal
        self._bus = bus
        self._metrics = metrics
        self._page = page
        self._replay = replay
        self._rooms: OrderedDict[str, ActiveRoom] = OrderedDict()
        self._opening: dict[str, asyncio.Task[None]] = {}
        self._arriving: dict[str, dict[int, Event]] = {}
        self._remembered = 0
        self._watcher: Watcher | None = None

    def watch(self, watcher: Watcher) -> None:
        """Have `watcher` told which rooms become active and cease to be."""
        self._watcher = watcher

    def get(self, room_id: str) -> ActiveRoom | None:
        """The room, if it is active."""
        return self._rooms.get(room_id)

    def position(self, room_id: str) -> int:
        """The last seq that this node has delivered in an active room; 0 in another."""
        room = self._rooms.get(room_id)
        return room.recent.position if room else 0

    def is_heard(self, room_id: str) -> bool:
        """Whether what happens in a room is heard, since it is active or about to be."""
        return room_id in self._rooms or room_id in self._opening

    def ids(self) -> list[str]:
        """All active rooms."""
        return list(self._rooms)

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
        early = self._arriving[room_id] = {}
        try:
            await self._bus.subscribe(channel_of(room_id))
            if self._watcher is not None:
                await self._watcher.opened(room_id)
            page = await self.read_page(room_id)
            late = {seq: event for seq, event in early.items() if seq > page.seq}
            room = self._rooms[room_id] = ActiveRoom(room_id, self.read_recent(page), late)
        finally:
            del self._arriving[room_id], self._opening[room_id]
            if room_id not in self._rooms:
                await self._let_go(room_id)
        before = room.recent.size
        for _ in room.ready():
            """Nobody is here to be told; memory takes them in."""
        self.grown(room, room.recent.size - before)
        self._metrics.rooms_active.set(len(self._rooms))

    def keep(self, event: Event) -> ActiveRoom | None:
        """Put a durable event where it waits for its turn; answers the room, if it is open."""
        room = self._rooms.get(event.room_id)
        early = room.early if room is not None else self._arriving.get(event.room_id)
        is_new = event.seq is not None and (room is None or event.seq > room.recent.position)
        is_next = room is not None and event.seq == room.recent.position + 1
        # What finds no place is read from the database.
        if early is not None and is_new and (is_next or len(early) < EARLY):
            early[event.seq or 0] = event
        return room

    async def close(self, room: ActiveRoom) -> None:
        """The opposite of `open`: the last one out drops the memory of the room."""
        room.members -= 1
        if room.members > 0 or self._rooms.get(room.id) is not room:
            return
        del self._rooms[room.id]
        self._remembered -= room.recent.size
        room.cancel_timer()
        self._metrics.rooms_active.set(len(self._rooms))
        await self._let_go(room.id)

    async def _let_go(self, room_id: str) -> None:
        if self._watcher is not None:
            self._watcher.closed(room_id)
        await self._bus.unsubscribe(channel_of(room_id))
        if room_id in self._rooms or room_id in self._opening:  # somebody came meanwhile
            await self._bus.subscribe(channel_of(room_id))

    # --- memory

    async def read_page(self, room_id: str) -> Page:
        """The newest messages, from the database."""
        return await self._journal.read(lambda tx: read_page(tx, room_id, self._page))

    async def read_replay(self, room_id: str, since: int) -> Replay | None:
        """What happened after `since`, from the database; None if it is too much or no position of this room."""
        return await self._journal.read(lambda tx: read_replay(tx, room_id, since, self._replay))

    async def newest(self, room: ActiveRoom) -> Page:
        """The newest messages, at a position that this node has delivered or is about to."""
        page = room.recent.newest()
        if page is None:
            page = await self.read_page(room.id)
            before = room.recent.size
            room.recent.rebase(page)
            self.grown(room, room.recent.size - before)
        return page

    async def since(self, room: ActiveRoom, seq: int) -> Replay | None:
        """What happened after `seq`, from memory where it reaches that far."""
        return room.recent.since(seq) or await self.read_replay(room.id, seq)

    def read_recent(self, page: Page) -> Recent:
        """The memory of a room that begins with this page."""
        recent = Recent(page, self._page, self._replay)
        self._remembered += recent.size
        return recent

    def start_over(self, room: ActiveRoom, page: Page) -> None:
        """Let a room begin anew at a page that was read from the database."""
        self._remembered -= room.recent.size
        room.recent = self.read_recent(page)
        room.early = {seq: event for seq, event in room.early.items() if seq > page.seq}

    def grown(self, room: ActiveRoom, by: int) -> None:
        """The room's memory has grown; the rooms that were silent for longest pay for it, if need be."""
        if self._rooms.get(room.id) is not room:
            return  # it was closed meanwhile
        self._remembered += by
        self._rooms.move_to_end(room.id)
        for idlest in list(self._rooms.values()) if self._remembered > REMEMBERED_BYTES else ():
            if self._remembered <= REMEMBERED_BYTES * 7 // 8:  # not to be here again at the next event
                return
            self._remembered -= idlest.recent.size
            empty = Page((), True, idlest.recent.position)
            idlest.recent = Recent(empty, self._page, self._replay, whole=False)


def channel_of(room_id: str) -> str:
    """The channel of the bus that carries a room's events."""
    return f"room:{room_id}:messages"


def room_in(channel: str) -> str:
    """The opposite of `channel_of`."""
    return channel.split(":")[1]
