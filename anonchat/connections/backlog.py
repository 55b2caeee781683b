"""What was said before somebody came: told in one frame when they identify, and in pages when they ask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import orjson

from anonchat.connections.coalesced import Coalesced
from anonchat.delivery.active import ActiveRoom, ActiveRooms
from anonchat.delivery.gaps import Gaps
from anonchat.delivery.history import Page, read_page, wire_of
from anonchat.delivery.hub import Wire
from anonchat.delivery.journal import Journal
from anonchat.errors import ChatError
from anonchat.plugins.dispatch import Dispatcher
from anonchat.rooms.rooms import Rooms
from anonchat.storage.roles import Statements


class Told(NamedTuple):
    """What somebody who comes is told of a room: the frame is true as of `position`, the metadata then or later."""

    position: int
    frame: bytes
    room: Mapping[str, Any]


class _Question(NamedTuple):
    active: ActiveRoom
    since: int | None
    wire: Wire


class Backlog:
    """Frames of at most `most_bytes`. All who come to a room at once, and know as much of it, share one."""

    def __init__(
        self,
        epoch: str,
        journal: Journal,
        dispatcher: Dispatcher,
        rooms: Rooms,
        active: ActiveRooms,
        gaps: Gaps,
        *,
        page: int,
        most_bytes: int,
    ) -> None:
        self._epoch = epoch
        self._journal = journal
        self._dispatcher = dispatcher
        self._rooms = rooms
        self._active = active
        self._gaps = gaps
        self._page = page
        self._most_bytes = most_bytes
        self._coalesced = Coalesced(self._tell)

    async def told(self, active: ActiveRoom, since: int | None, wire: Wire) -> Told:
        """What happened after `since`, or the newest messages where that is None, out of reach or too large.

        Read after the call, so that of what happens in between nothing is in neither. Raises `room_ended`.
        """
        return await self._coalesced.of(_Question(active, since, wire))

    async def _tell(self, question: _Question) -> Told:
        active, since, wire = question
        told = await self._missed(active, since, wire) if since is not None else None
        position, frame = told or await self._newest(active, wire)
        # Read after the position was: what changes later comes as an event, what changed before is in it.
        return Told(position, frame, await self._journal.read(lambda tx: self._described(active.id, tx)))

    async def _described(self, room_id: str, tx: Statements) -> Mapping[str, Any]:
        return await self._rooms.describe(await self._rooms.find(room_id, tx), tx)

    async def _missed(self, active: ActiveRoom, since: int, wire: Wire) -> tuple[int, bytes] | None:
        """Position and frame; None if it is out of reach, or too large to be told one by one."""
        replay = await self._active.since(active, since)
        if replay is None:
            return None
        # Told after this node got there, so that whatever plugins remember by position is not older.
        await self._gaps.reach(active, replay.through)
        events = replay.events
        if self._dispatcher.has("extend_messages"):
            events = await self._replay_with_ext(events)
        bounds = {"from": replay.since, "to": replay.through}
        frame = wire.encode("replay", {"events": events, "epoch": self._epoch, "recovered": True, **bounds})
        return (replay.through, frame) if len(frame) <= self._most_bytes else None

    async def _newest(self, active: ActiveRoom, wire: Wire) -> tuple[int, bytes]:
        """Position and frame; a page that is too large loses its oldest messages."""
        page = await self._active.newest(active)
        await self._gaps.reach(active, page.seq)
        while True:
            messages = await self._with_ext(page.messages)
            chunk = {"messages": messages, "hasMore": page.has_more, "seq": page.seq, "recovered": False}
            frame = wire.encode("history_chunk", chunk | {"epoch": self._epoch})
            if len(frame) <= self._most_bytes or len(page.messages) <= 1:
                return page.seq, frame
            page = Page(page.messages[len(page.messages) // 2 :], True, page.seq)

    async def _replay_with_ext(self, events: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
        wires = [wire for event in events if (wire := wire_of(event["event"], event["data"])) is not None]
        extended = {wire["id"]: wire for wire in await self._with_ext(wires)}
        return [_with_message(event, extended) for event in events]

    async def _with_ext(self, wires: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """Messages with `ext`, where a plugin has something to say; each is asked once for all of them."""
        if not wires or not self._dispatcher.has("extend_messages"):
            return list(wires)
        shown = [MappingProxyType(wire) for wire in wires]  # which stand in memory for all who come
        answers = await self._dispatcher.enrich("extend_messages", messages=shown)
        added = [
            {plugin: answer[wire["id"]] for plugin, answer in answers.items() if wire["id"] in answer} for wire in wires
        ]
        return [{**wire, "ext": ext} if ext else wire for wire, ext in zip(wires, added, strict=True)]

    async def page(self, room_id: str, limit: int | None, before: int | None, after: int | None) -> dict[str, Any]:
        """A page of history as `history_chunk` and REST tell it. While the storage is away the newest is that in memory."""
        wanted = limit or self._page
        try:
            page = await self._journal.read(lambda tx: read_page(tx, room_id, wanted, before=before, after=after))
        except ChatError as error:
            known = self._remembered(room_id, wanted) if before is None and after is None else None
            if known is None or error.code != "storage_unavailable":
                raise
            page = known
        if (active := self._active.get(room_id)) is not None:
            await self._gaps.reach(active, page.seq)  # so that what plugins remember is not older than the messages
        page = self._cut(page, newest=after is not None)
        messages = await self._with_ext(page.messages)
        return {"messages": messages, "hasMore": page.has_more, "epoch": self._epoch, "seq": page.seq}

    def _remembered(self, room_id: str, limit: int) -> Page | None:
        room = self._active.get(room_id)
        page = room.recent.newest() if room is not None else None
        if page is None:
            return None
        messages = page.messages[-limit:]
        return Page(messages, page.has_more or len(messages) < len(page.messages), page.seq)

    def _cut(self, page: Page, *, newest: bool) -> Page:
        """At most `most_bytes` of messages, without the oldest, or the newest where the page goes forwards."""
        messages = page.messages
        while len(messages) > 1 and len(orjson.dumps(messages)) > self._most_bytes:
            half = len(messages) // 2
            messages = messages[:half] if newest else messages[half:]
        return Page(messages, page.has_more or len(messages) < len(page.messages), page.seq)


def _with_message(event: Mapping[str, Any], extended: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any]:
    wire = wire_of(event["event"], event["data"])
    if wire is None:
        return event
    found = extended[wire["id"]]
    return {**event, "data": found if event["event"] == "message" else {"message": found}}
