"""Routes about rooms themselves."""

from __future__ import annotations

from collections.abc import Sequence

from anonchat.clock import Clock, iso
from anonchat.config import Settings
from anonchat.connections.backlog import Backlog
from anonchat.errors import ChatError
from anonchat.http import answers
from anonchat.limits import Limits
from anonchat.plugins.declarations import Answer, Request, Route
from anonchat.protocol import schemas
from anonchat.protocol.shapes import RoomDetails
from anonchat.rooms.rooms import NewRoom, Rooms

ROOM = "/api/rooms/{roomId}"


class RoomRoutes:
    """Create, list, describe, change, the history, and what was deleted at the end."""

    def __init__(self, rooms: Rooms, backlog: Backlog, limits: Limits, clock: Clock, settings: Settings) -> None:
        self._rooms = rooms
        self._backlog = backlog
        self._limits = limits
        self._clock = clock
        self._settings = settings.rooms
        self._backups_seconds = settings.retention.backups_seconds
        self._grace_seconds = settings.rooms.purge_grace_seconds

    def routes(self) -> Sequence[Route]:
        """What the core offers about rooms."""
        return (
            Route("POST", "/api/rooms", self.create, body=schemas.CreateRoom(), answer=answers.CreatedRoom(), status=201,
                  summary="Create a room"),
            Route("GET", "/api/rooms", self.public, query=schemas.ListQuery(), answer=answers.PublicRooms(),
                  summary="List public rooms"),
            Route("GET", ROOM, self.describe, answer=RoomDetails(), summary="A room's metadata"),
            Route("PATCH", ROOM, self.change, auth="moderator", body=schemas.ChangeRoom(), answer=RoomDetails(),
                  limit="30/minute", summary="Change title and description"),
            Route("GET", f"{ROOM}/time-remaining", self.time_remaining, answer=answers.TimeRemaining(),
                  summary="How long the room lives"),
            Route("GET", f"{ROOM}/deletion-report", self.deletion_report, answer=answers.DeletionReport(),
                  summary="What was deleted with a room that has ended"),
            Route("GET", f"{ROOM}/messages", self.history, auth="participant", query=schemas.HistoryQuery(),
                  answer=answers.History(), summary="A page of history"),
        )  # fmt: skip

    async def create(self, request: Request) -> Answer:
        if self._settings.create == "operator" and not request.operator:
            raise ChatError("forbidden", "On this server only the operator creates rooms ([rooms] create).")
        body = dict(request.body)
        fingerprint = body.pop("fingerprint_hash") or body.pop("device_id", None)
        body.pop("device_id", None)
        await self._limits.hit("rooms_per_network", request.network)
        if fingerprint:
            await self._limits.hit("rooms_per_fingerprint", request.origin.mark(fingerprint))
        created = await self._rooms.create(NewRoom(**body))
        link = f"{request.base_url}/r/{created.room.id}"
        return Answer(
            {
                "roomId": created.room.id,
                "inviteToken": created.invite_token,
                "moderatorToken": created.moderator_token,
                "joinUrl": f"{link}#{created.invite_token}",
                "moderatorUrl": f"{link}#{created.moderator_token}",
            }
        )

    async def public(self, request: Request) -> Answer:
        rooms, following = await self._rooms.public(request.query["cursor"], request.query["limit"])
        return Answer({"rooms": rooms, "nextCursor": following})

    async def describe(self, request: Request) -> Answer:
        room = await self._rooms.find(request.path["roomId"])
        return Answer(await self._rooms.describe(room))

    async def change(self, request: Request) -> Answer:
        room = await self._rooms.find(request.path["roomId"])
        await self._rooms.update(room, request.body, lambda tx: tx.check_moderator(request.member))
        return await self.describe(request)

    async def time_remaining(self, request: Request) -> Answer:
        room = await self._rooms.find(request.path["roomId"])
        remaining = None if room.expires_at is None else max(0, room.expires_at - self._clock.now()) // 1_000
        return Answer({"remainingSeconds": remaining})

    async def deletion_report(self, request: Request) -> Answer:
        room_id = request.path["roomId"]
        receipt = await self._rooms.receipt(room_id)
        if receipt is None:
            await self._rooms.find(room_id)
            raise ChatError("conflict", "This room has not ended; its report is there when what was in it is deleted.")
        # A backup from the end of the grace is the last that can hold anything.
        kept = None if receipt["pending"] else self._backups_seconds
        gone = receipt["ended_at"] + self._grace_seconds * 1_000
        return Answer(
            {
                "roomId": room_id,
                "endedAt": iso(receipt["ended_at"]),
                "reason": receipt["reason"],
                "deleted": receipt["deleted"],
                "pending": receipt["pending"],
                "backupsUntil": None if kept is None else iso(gone + kept * 1_000),
            }
        )

    async def history(self, request: Request) -> Answer:
        query = request.query
        return Answer(await self._backlog.page(request.path["roomId"], query["limit"], query["before"], query["after"]))
