"""The command of moderators for the words that are not wanted in a room."""

from __future__ import annotations

from collections.abc import Sequence

from anonchat.client.commands.floor import Floor, Misused
from anonchat.client.text import one_line


async def words(floor: Floor, rest: str) -> None:
    """``/words [add WORD | remove WORD]``"""
    if not rest:
        known = await _known(floor)
        floor.page("Words that are not wanted", "\n".join(map(one_line, known)) or "This room has no words of its own.")
        return
    act, _, word = rest.partition(" ")
    word = word.strip()
    if not word or act not in ("add", "remove"):
        raise Misused
    if act == "add":
        await _change(floor, "add", word)
        floor.say(f"“{one_line(word)}” is not wanted in this room.")
        return
    if word not in await _known(floor):
        raise Misused("This is not one of the room's words; /words shows them.")
    await _change(floor, "remove", word)
    floor.say(f"“{one_line(word)}” may be written again.")


async def _known(floor: Floor) -> Sequence[str]:
    found: Sequence[str] = (await floor.chat.request("get_moderation", {})).data["settings"]["words"]["words"]
    return found


async def _change(floor: Floor, act: str, word: str) -> None:
    """Of the list only this, since others may change it, too."""
    await floor.chat.request("set_moderation", {"rules": {"words": {act: [word]}}})
