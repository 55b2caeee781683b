"""Commands for pinned messages."""

from __future__ import annotations

from anonchat.client.commands.basics import quoted
from anonchat.client.commands.floor import Floor, Misused


async def pin(floor: Floor, number: str) -> None:
    """``/pin N``"""
    wire = floor.message(number)
    if wire["id"] in floor.state.pins.all:
        raise Misused("This message is pinned already.")
    await floor.chat.request("pin_message", {"messageId": wire["id"]})


async def unpin(floor: Floor, number: str) -> None:
    """``/unpin N``"""
    await floor.chat.request("unpin_message", {"messageId": floor.chosen("pins", number, floor.state.pins.all)})


async def show(floor: Floor, _: str) -> None:
    """``/pins``"""
    answer = await floor.chat.request("get_pinned_messages", {})
    wires = answer.data["messages"]
    floor.listed["pins"] = [wire["id"] for wire in wires]
    lines = [f"{number}. {quoted(wire)}" for number, wire in enumerate(wires, 1)]
    if answer.data.get("hasMore"):
        lines.insert(0, "Too much is pinned to show all of it. The newest:")
    floor.page("Pinned messages", "\n".join(lines) or "Nothing is pinned.")
