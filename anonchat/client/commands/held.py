"""Commands of moderators about messages that wait."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from anonchat.client.commands.basics import quoted
from anonchat.client.commands.floor import Floor
from anonchat.client.text import one_line
from anonchat.client.times import when


async def show(floor: Floor, _: str) -> None:
    """``/held``"""
    answer = (await floor.chat.request("get_held_messages", {})).data
    floor.listed["held"] = [held["message"]["id"] for held in answer["messages"]]
    lines = [f"{number}. {_waiting(held)}" for number, held in enumerate(answer["messages"], 1)]
    if answer.get("hasMore"):
        lines.append("and more, which /held shows when these are decided")
    floor.page("Waiting messages", "\n".join(lines) or "No message waits.")


async def release(floor: Floor, number: str) -> None:
    """``/release N``"""
    await _decide(floor, number, "release_message", "Shown to everybody")


async def drop(floor: Floor, number: str) -> None:
    """``/drop N``"""
    await _decide(floor, number, "drop_message", "Dropped")


async def _decide(floor: Floor, number: str, event: str, done: str) -> None:
    held = floor.state.moderation.held
    message_id = floor.chosen("held", number, held)
    known = held.get(message_id)
    await floor.chat.request(event, {"messageId": message_id})
    floor.say(f"{done}: {quoted(known['message'])}" if known is not None else f"{done}.")


def _waiting(held: Mapping[str, Any]) -> str:
    until = f" Shown at {when(held['releaseAt'])}." if held.get("releaseAt") else ""
    return f"{quoted(held['message'])} ({one_line(held['reason'])}{until})"
