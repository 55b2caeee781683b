"""Routes for the operator: numbers about rooms and storage, and the end of a room that should not be there."""

from __future__ import annotations

from collections.abc import Sequence

from anonchat.http import answers
from anonchat.plugins.declarations import Answer, Request, Route
from anonchat.protocol.schemas import ListQuery
from anonchat.rooms.overview import Overview
from anonchat.rooms.retention import Retention
from anonchat.rooms.rooms import Rooms


class OperatorRoutes:
    """Behind the operator token. What is told of a room leads nowhere: whoever wants to know more has to be invited."""

    def __init__(self, overview: Overview, rooms: Rooms, retention: Retention) -> None:
        self._overview = overview
        self._rooms = rooms
        self._retention = retention

    def routes(self) -> Sequence[Route]:
        """What the core offers to the operator."""
        return (
            Route("GET", "/api/operator/rooms", self.rooms, auth="operator", query=ListQuery(), answer=answers.LivingRooms(),
                  summary="How large all rooms are"),
            Route("POST", "/api/operator/rooms/{roomId}/end", self.end, auth="operator", answer=answers.Done(),
                  summary="End a room for good, and delete everything in it"),
            Route("GET", "/api/operator/storage", self.storage, auth="operator", answer=answers.Storage(),
                  summary="How large the database is"),
        )  # fmt: skip

    async def rooms(self, request: Request) -> Answer:
        return Answer(await self._overview.rooms(request.query["cursor"], request.query["limit"]))

    async def end(self, request: Request) -> Answer:
        room = await self._rooms.find(request.path["roomId"])
        await self._retention.end(room.id, "operator")
        return Answer({"ok": True})

    async def storage(self, _: Request) -> Answer:
        return Answer({"databaseBytes": await self._overview.database_bytes()})
