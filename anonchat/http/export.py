"""``GET /api/rooms/{roomId}/export``: a room as its moderators may take it home before it is gone."""

from __future__ import annotations

from collections.abc import Sequence

from anonchat.clock import Clock, iso
from anonchat.delivery.history import read_page
from anonchat.delivery.journal import Journal
from anonchat.http.answers import Export
from anonchat.plugins.declarations import Answer, Request, Route
from anonchat.plugins.dispatch import Dispatcher
from anonchat.protocol.schemas import ExportQuery
from anonchat.rooms.rooms import Rooms

MESSAGES = 1_000  # in one answer: encoding more would hold up everybody


class ExportRoutes:
    """The transcript, newest part first, and what each plugin has to add (`export_room`).

    While `complete` is false, the part before is asked for with `before`, the seq of the oldest message of this one.
    """

    def __init__(self, journal: Journal, rooms: Rooms, dispatcher: Dispatcher, clock: Clock) -> None:
        self._journal = journal
        self._rooms = rooms
        self._dispatcher = dispatcher
        self._clock = clock

    def routes(self) -> Sequence[Route]:
        """Where it is served. A moderator gets it a few times a minute, for it reads much."""
        path = "/api/rooms/{roomId}/export"
        summary = "The room's transcript"
        return (
            Route(
                "GET",
                path,
                self.export,
                auth="moderator",
                query=ExportQuery(),
                answer=Export(),
                limit="60/minute",
                summary=summary,
            ),
        )

    async def export(self, request: Request) -> Answer:
        """Room, messages and the plugins' parts as JSON."""
        room = await self._rooms.find(request.path["roomId"])
        page = await self._journal.read(lambda tx: read_page(tx, room.id, MESSAGES, before=request.query["before"]))
        return Answer(
            {
                "room": await self._rooms.describe(room),
                "exportedAt": iso(self._clock.now()),
                "messages": page.messages,
                "complete": not page.has_more,
                "plugins": await self._dispatcher.enrich("export_room", room=room),
            }
        )
