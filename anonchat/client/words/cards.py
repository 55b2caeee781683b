"""A poll as a card of text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from anonchat.client.checks.plugins import POLL_CONTENT
from anonchat.client.state import RoomState
from anonchat.client.text import one_line
from anonchat.client.times import when


def poll_of(wire: Mapping[str, Any], state: RoomState) -> Mapping[str, Any] | None:
    """How the poll of a message stands; None if it carries none that this client understands."""
    content = wire["content"]
    if content.get("type") != "poll" or "deletedAt" in wire or not POLL_CONTENT(content):
        return None
    return state.polls.all.get(content["pollId"])


def card(wire: Mapping[str, Any], poll: Mapping[str, Any]) -> str:
    """Question, options with their numbers and votes, how secret it is, and what can be done; safe to show.

    The number of the card is the seq of its message, so that all in the room call it the same.
    """
    content = wire["content"]
    several = " (several answers)" if content["allowMultipleAnswers"] else ""
    options = [_option(option, poll) for option in content["options"]]
    return "\n".join(
        [
            f"Poll #{wire['seq']}: {one_line(content['question'])}{several}",
            *options,
            one_line(content["secrecyText"]),
            " ".join(_standing(wire, poll)),
        ]
    )


def _option(option: Mapping[str, str], poll: Mapping[str, Any]) -> str:
    totals = poll["totals"]
    votes = f" · {_counted(totals.get(option['id'], 0), 'vote')}" if totals is not None else ""
    own = " ✓ yours" if option["id"] in (poll["optionIds"] or ()) else ""
    return f"  {one_line(option['id'])}. {one_line(option['text'])}{votes}{own}"


def _standing(wire: Mapping[str, Any], poll: Mapping[str, Any]) -> Sequence[str]:
    voters = f"{_counted(poll['voters'], 'person', 'people')} voted." if poll["voters"] is not None else ""
    if poll["closedAt"] is not None:
        discarded = "Too few voted, so the result is discarded." if poll["discarded"] else voters
        return [part for part in (f"Closed at {when(poll['closedAt'])}.", discarded) if part]
    voted = "You have voted." if poll["voted"] else ""
    closes = f"Closes at {when(poll['closesAt'])}." if poll["closesAt"] is not None else ""
    how = "" if poll["voted"] else f"Vote with /vote #{wire['seq']} and a number."
    return [part for part in (voters, voted, closes, how) if part]


def _counted(count: int, one: str, many: str | None = None) -> str:
    return f"{count} {one if count == 1 else many or one + 's'}"
