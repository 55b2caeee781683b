"""The command of moderators for the words that are not wanted in a room."""

from __future__ import annotations

from collections.abc import Sequence

from anonchat.client.commands.floor import Floor, Misused
from anonchat.client.text import one_line


async def words(floor: Floor, rest: str) -> None:
    """``/words [add WORD | remove WORD]``"""
    known = await _known(floor)
    if not rest:
        floor.page("Words that are not wanted", "\n".join(map(one_line, known)) or "This room has no words of its own.")
        return
    act, _, word = rest.partition(" ")
    word = word.strip()
    if not word or act not in ("add", "remove"):
        raise Misused
    if act == "add":
        await _put(floor, [*(one for one in known if one != word), word])
        floor.say(f"“{one_line(word)}” is not wanted in this room.")
        return
    if word not in known:
        raise Misused("This is not one of the room's words; /words shows them.")
    await _put(floor, [one for one in known if one != word])
    floor.say(f"“{one_line(word)}” may be written again.")


async def _known(floor: Floor) -> Sequence[str]:
    found: Sequence[str] = (await floor.chat.request("get_moderation", {})).data["settings"]["words"]["words"]
    return found


async def _put(floor: Floor, chosen: Sequence[str]) -> None:
    await floor.chat.request("set_moderation", {"rules": {"words": {"words": chosen}}})
