"""Routes about invites."""

from __future__ import annotations

from collections.abc import Sequence

from anonchat.http import answers
from anonchat.http.rooms import ROOM
from anonchat.plugins.declarations import Answer, Request, Route
from anonchat.protocol import schemas
from anonchat.rooms.invites import Invites


class InviteRoutes:
    """Check one, and as a moderator list, make and revoke them."""

    def __init__(self, invites: Invites) -> None:
        self._invites = invites

    def routes(self) -> Sequence[Route]:
        """What the core offers about invites."""
        return (
            Route("POST", f"{ROOM}/validate-invite", self.check_invite, body=schemas.CheckInvite(),
                  answer=answers.CheckedInvite(), summary="Check an invite"),
            Route("GET", f"{ROOM}/invites", self.invites, auth="moderator", answer=answers.Invites(),
                  summary="List a room's invites"),
            Route("POST", f"{ROOM}/invites", self.invite, auth="moderator", body=schemas.CreateInvite(),
                  answer=answers.CreatedInvite(), status=201, summary="Make an invite"),
            Route("DELETE", f"{ROOM}/invites/{{inviteId}}", self.revoke, auth="moderator", answer=answers.Done(),
                  summary="Revoke an invite"),
        )  # fmt: skip

    async def check_invite(self, request: Request) -> Answer:
        _, invite = await self._invites.open(request.path["roomId"], request.body["invite_token"])
        return Answer({"ok": True, "role": invite.role})

    async def invites(self, request: Request) -> Answer:
        invites = await self._invites.all(request.path["roomId"])
        return Answer({"invites": [schemas.invite_wire(invite) for invite in invites]})

    async def invite(self, request: Request) -> Answer:
        body = request.body
        invite, token = await self._invites.create(
            request.member, body["role"], body["expires_in_seconds"], body["max_uses"]
        )
        link = f"{request.base_url}/r/{invite.room_id}#{token}"
        return Answer({**schemas.invite_wire(invite), "inviteToken": token, "joinUrl": link})

    async def revoke(self, request: Request) -> Answer:
        await self._invites.revoke(request.member, request.path["inviteId"])
        return Answer({"ok": True})
