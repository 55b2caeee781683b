"""Routes about joining, leaving, and who is there."""

from __future__ import annotations

from collections.abc import Sequence

from anonchat.errors import ChatError
from anonchat.http import answers
from anonchat.http.rooms import ROOM
from anonchat.ids import keyed_hash
from anonchat.limits import Limits
from anonchat.models import Room
from anonchat.people.seats import Applicant, Seats
from anonchat.people.sessions import Sessions
from anonchat.plugins.declarations import Answer, Request, Route
from anonchat.protocol import schemas
from anonchat.rooms.invites import Invites


class MemberRoutes:
    """Join, leave, participants."""

    def __init__(self, invites: Invites, seats: Seats, sessions: Sessions, limits: Limits) -> None:
        self._invites = invites
        self._seats = seats
        self._sessions = sessions
        self._limits = limits

    def routes(self) -> Sequence[Route]:
        """What the core offers about members."""
        return (
            Route("POST", f"{ROOM}/join", self.join, body=schemas.Join(), answer=answers.Joined(), status=201,
                  summary="Join a room"),
            Route("POST", f"{ROOM}/leave", self.leave, auth="participant", body=schemas.Leave(), answer=answers.Done(),
                  summary="Leave a room"),
            Route("GET", f"{ROOM}/participants", self.participants, auth="participant",
                  query=schemas.ParticipantsQuery(), answer=answers.Participants(),
                  summary="Who has a place in the room"),
        )  # fmt: skip

    async def join(self, request: Request) -> Answer:
        body = request.body
        await self._limits.hit("joins_per_network", request.network)
        if body["fingerprint_hash"]:
            await self._limits.hit("joins_per_fingerprint", request.origin.mark(body["fingerprint_hash"]))
        token = body["invite_token"] or body["moderator_token"]
        room, invite = await self._invites.open(request.path["roomId"], token, used_up=True)
        if body["moderator_token"] and invite.role != "moderator":
            raise ChatError("invalid_invite")
        applicant = Applicant(
            body["username"],
            invite.role,
            request.origin.within(room.secret),
            body["avatar"],
            _mark(room, "device", body["device_id"]),
            _mark(room, "fingerprint", body["fingerprint_hash"]),
        )
        session, session_token = await self._seats.join(room, applicant, token)
        socket = request.base_url.replace("http", "ws", 1) + "/ws"
        return Answer(
            {
                "sessionToken": session_token,
                "sessionId": session.id,
                "anonymousId": session.anonymous_id,
                "username": session.username,
                "role": session.role,
                "websocketUrl": socket,
            }
        )

    async def leave(self, request: Request) -> Answer:
        session = request.member
        if request.body["forget"]:
            await self._sessions.check_forget(session.room_id)
        await self._sessions.leave(session, forget=request.body["forget"])
        self._sessions.dismiss(session, 1000, "left")
        return Answer({"ok": True})

    async def participants(self, request: Request) -> Answer:
        query = request.query
        found, total, following = await self._sessions.participants(
            request.path["roomId"], query["search"], query["cursor"], query["limit"]
        )
        return Answer(
            {"participants": [schemas.user_wire(session) for session in found], "total": total, "nextCursor": following}
        )


def _mark(room: Room, kind: str, value: str | None) -> str | None:
    """What stands in this room, and in no other, for what a client says about its device."""
    return keyed_hash(room.secret, kind, value) if value else None
