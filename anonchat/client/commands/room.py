"""Commands about the room and its rules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from anonchat.client.commands.floor import Floor, Misused
from anonchat.client.commands.pages import every
from anonchat.client.times import when
from anonchat.client.words.acts import entry, panic_report


async def log(floor: Floor, rest: str) -> None:
    """``/log [all]``"""
    if rest not in ("", "all"):
        raise Misused
    if rest == "all":
        page: Mapping[str, Any] = {"entries": await every(floor, "get_moderation_log", "entries", "entryId")}
    else:
        page = (await floor.chat.request("get_moderation_log", {})).data
    lines = [f"{when(one['at'])}  {entry(one)}" for one in reversed(page["entries"])]
    if page.get("hasMore"):
        lines.insert(0, "older entries: /log all")
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
    """``/calm [release | drop]``: one of them must be there if messages wait, since what is dropped is gone for good."""
    if rest not in ("", "release", "drop"):
        raise Misused
    if not rest and (waiting := (await floor.chat.request("get_held_messages", {})).data)["messages"]:
        raise Misused(f"{_wait(waiting)}: /calm release shows what the panic has held, /calm drop drops it.")
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


def _wait(held: Mapping[str, Any]) -> str:
    """``3 messages wait``"""
    count = len(held["messages"])
    return f"{'more than ' if held.get('hasMore') else ''}{count} message{' waits' if count == 1 else 's wait'}".capitalize()
