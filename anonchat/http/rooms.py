"""Routes about rooms, invites, joining and history."""

from __future__ import annotations

from collections.abc import Sequence

from anonchat import schemas
from anonchat.clock import Clock
from anonchat.config.settings import RoomSettings
from anonchat.declarations import Answer, Request, Route
from anonchat.errors import ChatError
from anonchat.http import answers
from anonchat.limits import Limits
from anonchat.rooms import NewRoom, Rooms
from anonchat.sessions import Applicant, Sessions
from anonchat.shapes import RoomDetails
from anonchat.welcome import Welcome

ROOM = "/api/rooms/{roomId}"


class RoomRoutes:
    """Protocol section 1, but for what belongs to plugins and to the server itself."""

    def __init__(
        self,
        rooms: Rooms,
        sessions: Sessions,
        welcome: Welcome,
        limits: Limits,
        clock: Clock,
        settings: RoomSettings,
    ) -> None:
        self._rooms = rooms
        self._sessions = sessions
        self._welcome = welcome
        self._limits = limits
        self._clock = clock
        self._settings = settings

    def routes(self) -> Sequence[Route]:
        """What the core offers about rooms."""
        return (*self._about_rooms(), *self._about_members(), *self._about_invites())

    def _about_rooms(self) -> Sequence[Route]:
        return (
            Route("POST", "/api/rooms", self.create, body=schemas.CreateRoom(), answer=answers.CreatedRoom(), status=201,
                  summary="Create a room"),
            Route("GET", "/api/rooms", self.public, query=schemas.ListQuery(), answer=answers.PublicRooms(),
                  summary="List public rooms"),
            Route("GET", ROOM, self.describe, answer=RoomDetails(), summary="A room's metadata"),
            Route("GET", f"{ROOM}/time-remaining", self.time_remaining, answer=answers.TimeRemaining(),
                  summary="How long the room lives"),
            Route("POST", f"{ROOM}/validate-invite", self.check_invite, body=schemas.CheckInvite(),
                  answer=answers.CheckedInvite(), summary="Check an invite"),
            Route("POST", f"{ROOM}/join", self.join, body=schemas.Join(), answer=answers.Joined(), status=201,
                  summary="Join a room"),
        )  # fmt: skip

    def _about_members(self) -> Sequence[Route]:
        return (
            Route("POST", f"{ROOM}/leave", self.leave, auth="participant", body=schemas.Leave(), answer=answers.Done(),
                  summary="Leave a room"),
            Route("GET", f"{ROOM}/participants", self.participants, auth="participant",
                  query=schemas.ParticipantsQuery(), answer=answers.Participants(),
                  summary="Who has a place in the room"),
            Route("GET", f"{ROOM}/messages", self.history, auth="participant", query=schemas.HistoryQuery(),
                  answer=answers.History(), summary="A page of history"),
        )  # fmt: skip

    def _about_invites(self) -> Sequence[Route]:
        return (
            Route("GET", f"{ROOM}/invites", self.invites, auth="moderator", answer=answers.Invites(),
                  summary="List a room's invites"),
            Route("POST", f"{ROOM}/invites", self.invite, auth="moderator", body=schemas.CreateInvite(),
                  answer=answers.CreatedInvite(), status=201, summary="Make an invite"),
            Route("DELETE", f"{ROOM}/invites/{{inviteId}}", self.revoke, auth="moderator", answer=answers.Done(),
                  summary="Revoke an invite"),
        )  # fmt: skip

    async def create(self, request: Request) -> Answer:
        if self._settings.create == "operator" and not request.operator:
            raise ChatError("forbidden", "On this server only the operator creates rooms ([rooms] create).")
        body = dict(request.body)
        fingerprint = body.pop("fingerprint_hash") or body.pop("device_id", None)
        body.pop("device_id", None)
        await self._limits.hit("rooms_per_network", request.network)
        if fingerprint:
            await self._limits.hit("rooms_per_fingerprint", fingerprint)
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

    async def check_invite(self, request: Request) -> Answer:
        room = await self._rooms.find(request.path["roomId"])
        invite = await self._rooms.check_invite(room, request.body["invite_token"])
        return Answer({"ok": True, "role": invite.role})

    async def join(self, request: Request) -> Answer:
        body = request.body
        await self._limits.hit("joins_per_network", request.network)
        if body["fingerprint_hash"]:
            await self._limits.hit("joins_per_fingerprint", body["fingerprint_hash"])
        room = await self._rooms.find(request.path["roomId"])
        invite = await self._rooms.check_invite(room, body["invite_token"] or body["moderator_token"])
        if body["moderator_token"] and invite.role != "moderator":
            raise ChatError("invalid_invite")
        applicant = Applicant(
            body["username"], invite.role, request.network, body["avatar"], body["device_id"], body["fingerprint_hash"]
        )
        session, token = await self._sessions.join(room, applicant, body["invite_token"] or body["moderator_token"])
        socket = request.base_url.replace("http", "ws", 1) + "/ws"
        return Answer(
            {
                "sessionToken": token,
                "sessionId": session.id,
                "anonymousId": session.anonymous_id,
                "username": session.username,
                "role": session.role,
                "websocketUrl": socket,
            }
        )

    async def leave(self, request: Request) -> Answer:
        session = request.member
        await self._sessions.leave(session, forget=request.body["forget"])
        self._sessions.disconnect(session.id, 1000, "left")
        return Answer({"ok": True})

    async def participants(self, request: Request) -> Answer:
        query = request.query
        found, total, following = await self._sessions.participants(
            request.path["roomId"], query["search"], query["cursor"], query["limit"]
        )
        return Answer(
            {"participants": [schemas.user_wire(session) for session in found], "total": total, "nextCursor": following}
        )

    async def time_remaining(self, request: Request) -> Answer:
        room = await self._rooms.find(request.path["roomId"])
        remaining = None if room.expires_at is None else max(0, room.expires_at - self._clock.now()) // 1_000
        return Answer({"remainingSeconds": remaining})

    async def history(self, request: Request) -> Answer:
        query = request.query
        return Answer(await self._welcome.page(request.path["roomId"], query["limit"], query["before"], query["after"]))

    # --- invites

    async def invites(self, request: Request) -> Answer:
        invites = await self._rooms.invites(request.path["roomId"])
        return Answer({"invites": [schemas.invite_wire(invite) for invite in invites]})

    async def invite(self, request: Request) -> Answer:
        body = request.body
        room_id = request.path["roomId"]
        invite, token = await self._rooms.invite(room_id, body["role"], body["expires_in_seconds"], body["max_uses"])
        link = f"{request.base_url}/r/{room_id}#{token}"
        return Answer({**schemas.invite_wire(invite), "inviteToken": token, "joinUrl": link})

    async def revoke(self, request: Request) -> Answer:
        await self._rooms.revoke(request.path["roomId"], request.path["inviteId"])
        return Answer({"ok": True})
