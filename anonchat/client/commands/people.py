"""Commands of moderators about people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from anonchat.client.commands.floor import Floor, Misused, Someone
from anonchat.client.commands.pages import every
from anonchat.client.connection.line import Frame
from anonchat.client.errors import ChatRefused
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


async def purge(floor: Floor, rest: str) -> None:
    """``/purge N NAME``: the name must be there, since N counts on while others write, and what goes is gone for good."""
    number, _, name = rest.partition(" ")
    wire = floor.message(number)
    author = one_line(wire["authorUsername"])
    if name.strip().casefold() != author.casefold():
        raise Misused(f"/purge {number} {author} deletes all that {author} wrote, for good.")
    done = await floor.chat.request("purge_messages", {"targetSessionId": wire["authorSessionId"]})
    floor.say(f"Messages of {author} that were deleted: {done.data['removed']}.")


async def unban(floor: Floor, rest: str) -> None:
    """``/unban NAME``, of a kick, too."""
    bans = await every(floor, "get_bans", "bans", "banId")
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
    try:
        return await floor.chat.request(event, {"targetSessionId": someone.session_id, **given})
    except ChatRefused as error:
        if error.code == "not_found":
            raise Misused(_left(floor, someone)) from error
        raise


def _left(floor: Floor, someone: Someone) -> str:
    """That somebody is gone, and what can be done still."""
    told = f"{someone.name} is not in the room any more."
    authors = [wire["authorSessionId"] for wire in reversed(floor.state.messages.values())]
    if someone.session_id not in authors:
        return told
    return f"{told} /purge {authors.index(someone.session_id) + 1} {someone.name} deletes all that they wrote."


def _kept_out(one: Mapping[str, Any]) -> str:
    reason = f": {one_line(one['reason'])}" if one.get("reason") else ""
    return f"{one_line(one['username'])}, {one['kind']} until {when(one['until'])}{reason}"
