"""Commands for polls. A poll is named by the number of its card, which is the seq of its message: ``#17``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from anonchat.client.commands.floor import Floor, Misused
from anonchat.client.errors import ChatRefused
from anonchat.client.words.sentences import refusal, shown

FLAGS: Mapping[str, Mapping[str, Any]] = {
    "--several": {"allowMultipleAnswers": True},
    "--hidden": {"secrecy": "hidden"},
    "--secret": {"secrecy": "secret"},
}


async def ask(floor: Floor, rest: str) -> None:
    """``/poll [--several] [--hidden] [--secret] question | option | option``"""
    chosen: dict[str, Any] = {}
    while rest.startswith("--"):
        flag, _, rest = rest.partition(" ")
        if flag not in FLAGS:
            raise Misused(f"There is no {flag}.")
        chosen |= FLAGS[flag]
    question, *options = (part.strip() for part in rest.split("|"))
    if not question or len(options) < 2 or not all(options):
        raise Misused
    answer = await floor.chat.request("create_poll", {"question": question, "options": options, **chosen})
    if answer.event == "poll_held":
        floor.say(f"Your poll waits to be released: {answer.data.get('reason')}")


async def show(floor: Floor, _: str) -> None:
    """``/polls``: the open ones, as they stand."""
    known = [poll for poll in floor.state.polls.all.values() if poll["closedAt"] is None and poll["seq"] is not None]
    wires = [floor.state.messages.get(poll["messageId"]) for poll in sorted(known, key=lambda poll: int(poll["seq"]))]
    cards = [shown(wire, floor.state) for wire in wires if wire is not None]
    parts = filter(None, [*cards, _further_up(floor)])
    floor.page("Open polls", "\n\n".join(parts) or "No poll is open.")


async def vote(floor: Floor, rest: str) -> None:
    """``/vote [#poll] N…``: what is written takes the place of what one had voted for."""
    poll, numbers = _meant(floor, rest)
    if not numbers or not all(number.isdecimal() for number in numbers):
        raise Misused
    data = {"pollId": poll["pollId"], "optionIds": list(map(str, map(int, numbers))), "change": True}
    try:
        answer = await floor.chat.request("vote", data)
    except ChatRefused as error:
        if error.code not in ("unknown_option", "validation_failed"):
            raise
        # Mostly somebody who meant another poll, and left out the sign before its number.
        hint = f"This was for poll #{poll['seq']}; another is named first, as in /vote #5 1."
        raise ChatRefused(error.code, f"{refusal(error)} {hint}") from error
    told = ", ".join(numbers)
    floor.say(f"Your vote for {told} is counted." + (" It is final." if answer.event == "vote_pending" else ""))


async def unvote(floor: Floor, rest: str) -> None:
    """``/unvote [#poll]``"""
    await floor.chat.request("unvote", {"pollId": _only(floor, rest)["pollId"]})
    floor.say("Your vote is taken back.")


async def close(floor: Floor, rest: str) -> None:
    """``/closepoll [#poll]``"""
    await floor.chat.request("close_poll", {"pollId": _only(floor, rest)["pollId"]})


def _only(floor: Floor, rest: str) -> Mapping[str, Any]:
    poll, others = _meant(floor, rest)
    if others:
        raise Misused
    return poll


def _meant(floor: Floor, rest: str) -> tuple[Mapping[str, Any], list[str]]:
    """The poll of that number, or the newest open one; and the words that follow."""
    words = rest.split()
    polls = [poll for poll in floor.state.polls.all.values() if poll["seq"] is not None]
    if words and words[0].startswith("#"):
        found = [poll for poll in polls if f"#{poll['seq']}" == words[0]]
        words = words[1:]
    else:
        found = [poll for poll in polls if poll["closedAt"] is None]
    if not found:
        nothing = "There is no such poll here." if polls else "There is no poll here."
        raise ChatRefused("poll_not_found", _further_up(floor) or nothing)
    return max(found, key=lambda poll: int(poll["seq"])), words


def _further_up(floor: Floor) -> str:
    """How many polls are open whose messages are not loaded; nothing if there are none."""
    polls, messages = floor.state.polls.all.values(), floor.state.messages
    count = sum(poll["closedAt"] is None and poll["messageId"] not in messages for poll in polls)
    if not count or not floor.state.has_more:
        return ""
    polls_are, them = ("poll is", "it") if count == 1 else ("polls are", "them")
    return f"{count} open {polls_are} further up: /older shows {them}."
