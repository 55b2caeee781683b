"""Commands that every room has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from anonchat.client.commands.floor import QUOTED, Floor, Misused, Next
from anonchat.client.server import Server
from anonchat.client.text import one_line, said
from anonchat.client.words.sentences import who as who_is_here

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
    await floor.chat.edit(floor.changeable()["id"], text)


async def delete(floor: Floor, number: str) -> None:
    """``/delete [N]``: without a number one's own last, which may still wait to be released."""
    floor.check_sent()  # which would make N count from another message
    await floor.chat.delete((floor.message(number) if number else floor.mine())["id"])


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


async def title(floor: Floor, rest: str) -> None:
    """``/title text``"""
    if not rest:
        raise Misused
    membership = floor.chat.membership
    await Server(membership.base_url).call_as(membership, "PATCH", "", {"title": rest})
