"""Commands for what one wants to be notified of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from anonchat.client.commands.floor import Floor, Misused
from anonchat.client.text import one_line

SWITCH: Mapping[str, bool] = {"on": True, "off": False}


async def preferences(floor: Floor, rest: str) -> None:
    """``/preferences [KIND on|off]``"""
    wanted = await _wanted(floor)
    if rest:
        kind, _, switch = rest.partition(" ")
        if switch not in SWITCH:
            raise Misused
        if kind not in wanted["types"]:
            raise Misused(f"There are: {', '.join(map(one_line, wanted['types']))}.")
        wanted = await _want(floor, types={kind: SWITCH[switch]})
    floor.page("You are notified of", _shown(floor, wanted))


async def ignore(floor: Floor, rest: str) -> None:
    """``/ignore NAME``"""
    someone = floor.alone(rest)
    await _want(floor, ignored=[*(await _ignored(floor)), someone.session_id])
    floor.say(f"You are not notified of what {someone.name} does.")


async def heed(floor: Floor, rest: str) -> None:
    """``/heed NAME``"""
    someone = floor.alone(rest)
    await _want(floor, ignored=[one for one in await _ignored(floor) if one != someone.session_id])
    floor.say(f"You are notified of what {someone.name} does.")


async def _wanted(floor: Floor) -> Mapping[str, Any]:
    return (await floor.chat.request("get_notification_preferences", {})).data


async def _ignored(floor: Floor) -> Sequence[str]:
    found: Sequence[str] = (await _wanted(floor))["ignored"]
    return found


async def _want(floor: Floor, **changes: Any) -> Mapping[str, Any]:
    return (await floor.chat.request("set_notification_preferences", changes)).data


def _shown(floor: Floor, wanted: Mapping[str, Any]) -> str:
    lines = [f"{one_line(kind)}: {'on' if is_on else 'off'}" for kind, is_on in wanted["types"].items()]
    people = [floor.state.people[one]["username"] for one in wanted["ignored"] if one in floor.state.people]
    return "\n".join([*lines, *(f"nothing that {one_line(name)} does" for name in people)])
