"""Commands that every room has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from anonchat.client.commands.floor import Floor, Misused, Next
from anonchat.client.text import one_line, said
from anonchat.client.words.sentences import who as who_is_here

QUOTED = 60
PAGE = 50


async def who(floor: Floor, _: str) -> None:
    """``/who``"""
    floor.say(who_is_here(floor.state))


async def reply(floor: Floor, rest: str) -> None:
    """``/reply N text``"""
    number, _, text = rest.partition(" ")
    if not text.strip():
        raise Misused
    answered = floor.message(number)
    floor.say(f"In reply to {quoted(answered)}")
    floor.send(text, answered["id"])


async def edit(floor: Floor, text: str) -> None:
    """``/edit text``"""
    if not text:
        raise Misused
    await floor.chat.edit(_mine(floor)["id"], text)


async def delete(floor: Floor, _: str) -> None:
    """``/delete``"""
    await floor.chat.delete(_mine(floor)["id"])


async def older(floor: Floor, _: str) -> None:
    """``/older``"""
    if not floor.state.has_more:
        floor.say("There is nothing older.")
        return
    oldest = next(iter(floor.state.messages.values()), None)
    await floor.chat.history(oldest["seq"] if oldest else None, PAGE)


async def leave(floor: Floor, rest: str) -> Next:
    """``/leave [forget]``"""
    if rest not in ("", "forget"):
        raise Misused
    await floor.chat.leave(forget=rest == "forget")
    return Next.QUIT


async def leave_open(_: Floor, __: str) -> Next:
    """``/quit``"""
    return Next.QUIT


def quoted(wire: Mapping[str, Any]) -> str:
    """A message in a few words, with its author."""
    text = "(deleted)" if "deletedAt" in wire else one_line(said(wire), QUOTED)
    return f"{one_line(wire['authorUsername'])}: {text}"


def _mine(floor: Floor) -> Mapping[str, Any]:
    mine = floor.state.mine()
    if not mine:
        raise Misused("There is no message of yours here.")
    return mine[-1]
