"""Commands of moderators about people."""

from __future__ import annotations

from typing import Any

from anonchat.client.commands.floor import Floor, Misused, Someone
from anonchat.client.connection.line import Frame
from anonchat.client.text import one_line
from anonchat.client.times import when

MINUTE = 60


async def kick(floor: Floor, rest: str) -> None:
    """``/kick NAME [reason]``"""
    someone = floor.someone(rest)
    done = await _act(floor, "kick", someone, reason=someone.rest or None)
    floor.say(f"{someone.name} is out, and may come back at {when(done.data['until'])}.")


async def ban(floor: Floor, rest: str) -> None:
    """``/ban NAME [reason]``"""
    someone = floor.someone(rest)
    done = await _act(floor, "ban", someone, reason=someone.rest or None)
    floor.say(f"{someone.name} is banned until {when(done.data['until'])}.")


async def unban(floor: Floor, rest: str) -> None:
    """``/unban NAME``, of a kick, too."""
    bans = (await floor.chat.request("get_bans", {"limit": 100})).data["bans"]
    if not rest:
        floor.page("Kept out", "\n".join(_kept_out(one) for one in bans) or "Nobody is kept out.")
        return
    found = [one for one in bans if one["username"].casefold() == rest.casefold()]
    if not found:
        raise Misused("Nobody of that name is kept out.")
    for one in found:
        await floor.chat.request("unban", {"banId": one["banId"]})
    floor.say(f"{one_line(found[0]['username'])} may come back.")


async def mute(floor: Floor, rest: str) -> None:
    """``/mute NAME [minutes]``"""
    someone = floor.someone(rest)
    if someone.rest and not someone.rest.isdecimal():
        raise Misused
    done = await _act(floor, "mute", someone, durationSeconds=int(someone.rest) * MINUTE if someone.rest else None)
    floor.say(f"{someone.name} is muted until {when(done.data['until'])}.")


async def unmute(floor: Floor, rest: str) -> None:
    """``/unmute NAME``"""
    someone = floor.alone(rest)
    await _act(floor, "unmute", someone)
    floor.say(f"{someone.name} may write again.")


async def promote(floor: Floor, rest: str) -> None:
    """``/promote NAME``"""
    await _act(floor, "promote", floor.alone(rest))


async def demote(floor: Floor, rest: str) -> None:
    """``/demote NAME``"""
    await _act(floor, "demote", floor.alone(rest))


async def _act(floor: Floor, event: str, someone: Someone, **more: Any) -> Frame:
    given = {name: value for name, value in more.items() if value is not None}
    return await floor.chat.request(event, {"targetSessionId": someone.session_id, **given})


def _kept_out(one: dict[str, Any]) -> str:
    reason = f": {one_line(one['reason'])}" if one.get("reason") else ""
    return f"{one_line(one['username'])}, {one['kind']} until {when(one['until'])}{reason}"
