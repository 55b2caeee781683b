"""Commands about the room and its rules."""

from __future__ import annotations

from anonchat.client.commands.floor import Floor, Misused
from anonchat.client.times import when
from anonchat.client.words.acts import entry, panic_report


async def log(floor: Floor, _: str) -> None:
    """``/log``"""
    entries = (await floor.chat.request("get_moderation_log", {})).data["entries"]
    lines = [f"{when(one['at'])}  {entry(one)}" for one in reversed(entries)]
    floor.page("What was done", "\n".join(lines) or "Nothing was done yet.")


async def slow(floor: Floor, rest: str) -> None:
    """``/slow SECONDS``"""
    if not rest.isdecimal():
        raise Misused
    await floor.chat.request("set_moderation", {"slowModeSeconds": int(rest)})


async def preset(floor: Floor, rest: str) -> None:
    """``/preset NAME``"""
    if not rest:
        raise Misused
    await floor.chat.request("set_moderation", {"preset": rest})


async def panic(floor: Floor, _: str) -> None:
    """``/panic``"""
    await floor.chat.request("panic", {})


async def calm(floor: Floor, rest: str) -> None:
    """``/calm [release]``"""
    if rest not in ("", "release"):
        raise Misused
    floor.say(panic_report((await floor.chat.request("calm", {"held": rest or "drop"})).data))


async def close(floor: Floor, _: str) -> None:
    """``/close``"""
    await floor.chat.request("close_room", {})


async def reopen(floor: Floor, _: str) -> None:
    """``/reopen``"""
    await floor.chat.request("reopen_room", {})


async def end(floor: Floor, rest: str) -> None:
    """``/end room``: the word must be there, since nothing of the room is left then."""
    if rest != "room":
        raise Misused("This deletes the room and all that is in it, for good.")
    await floor.chat.request("end_room", {})
