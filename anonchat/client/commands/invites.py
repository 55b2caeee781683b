"""Commands of moderators for links that let people in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from anonchat.client.commands.floor import Floor, Misused
from anonchat.client.server import Server
from anonchat.client.times import when

HOUR = 3_600


async def show(floor: Floor, _: str) -> None:
    """``/invites``"""
    found = await _valid(floor)
    floor.listed["invites"] = [invite["inviteId"] for invite in found]
    lines = [f"{number}. {_shown(invite)}" for number, invite in enumerate(found, 1)]
    floor.page("Links", "\n".join(lines) or "No link lets anybody in.")


async def make(floor: Floor, rest: str) -> None:
    """``/invite [moderator] [HOURS]``"""
    words = rest.split()
    role = words.pop(0) if words[:1] == ["moderator"] else "participant"
    if len(words) > 1 or not all(word.isdecimal() for word in words):
        raise Misused
    asked = {"role": role} | ({"expiresInSeconds": int(words[0]) * HOUR} if words else {})
    made = await _server(floor).call_as(floor.chat.membership, "POST", "/invites", asked)
    floor.page("A new link, shown this once", str(made["joinUrl"]))


async def revoke(floor: Floor, number: str) -> None:
    """``/uninvite N``"""
    invite_id = floor.chosen("invites", number, [invite["inviteId"] for invite in await _valid(floor)])
    await _server(floor).call_as(floor.chat.membership, "DELETE", f"/invites/{invite_id}")
    floor.say("This link lets nobody in any more. Who came by it stays.")


def _server(floor: Floor) -> Server:
    return Server(floor.chat.membership.base_url)


async def _valid(floor: Floor) -> Sequence[Mapping[str, Any]]:
    """The links that were not revoked, oldest first."""
    found = (await _server(floor).call_as(floor.chat.membership, "GET", "/invites"))["invites"]
    return [invite for invite in found if invite["revokedAt"] is None]


def _shown(invite: Mapping[str, Any]) -> str:
    role = "moderators" if invite["role"] == "moderator" else "participants"
    most = f" of {invite['maxUses']}" if invite["maxUses"] is not None else ""
    until = f", until {when(invite['expiresAt'])}" if invite["expiresAt"] is not None else ""
    return f"for {role}, of {when(invite['createdAt'])}, uses: {invite['uses']}{most}{until}"
