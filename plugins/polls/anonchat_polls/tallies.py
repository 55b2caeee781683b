"""What has been voted in polls, read for many of them at once, and how it looks on the wire."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from anonchat import Statements, iso
from anonchat_polls import statements
from anonchat_polls.poll import Poll, options_wire
from anonchat_polls.secrecy import sentence, shows_names, shows_totals, shows_voters

SHOWN_NAMES = 50  # people of an open poll whose votes are told with its state
EXPORTED_NAMES = 10_000  # people of an open poll whose votes stand in its export


@dataclass(frozen=True, slots=True)
class Voter:
    """One who voted in an open poll, and for what."""

    session_id: str
    username: str
    options: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Tally:
    """How many have voted, votes by option (an option without votes may be missing), and the first of the voters."""

    voters: int = 0
    totals: Mapping[int, int] = field(default_factory=dict)
    names: Sequence[Voter] = ()


async def read_tallies(tx: Statements, polls: Collection[Poll], most_names: int = SHOWN_NAMES) -> Mapping[str, Tally]:
    """Poll id -> its tally, in three queries at most. Of a secret poll it is the stored result."""
    cast = {"polls": [poll.id for poll in polls if not poll.is_secret]}
    named = {"polls": [poll.id for poll in polls if shows_names(poll.secrecy)], "most": most_names}
    voters: dict[str, int] = {}
    totals: dict[str, dict[int, int]] = defaultdict(dict)
    if cast["polls"]:
        voters = {row["poll_id"]: row["voters"] for row in await tx.fetch_all(statements.SELECT_VOTERS, cast)}
        for row in await tx.fetch_all(statements.SELECT_TOTALS, cast):
            totals[row["poll_id"]][row["option"]] = row["votes"]
    names = await _names(tx, named) if named["polls"] else {}
    return {
        poll.id: stored_result(poll)
        if poll.is_secret
        else Tally(voters.get(poll.id, 0), totals.get(poll.id, {}), names.get(poll.id, ()))
        for poll in polls
    }


async def _names(tx: Statements, wanted: Mapping[str, Any]) -> Mapping[str, Sequence[Voter]]:
    chosen: dict[str, dict[tuple[str, str], list[int]]] = defaultdict(lambda: defaultdict(list))
    for row in await tx.fetch_all(statements.SELECT_NAMES, wanted):
        chosen[row["poll_id"]][row["session_id"], row["username"] or ""].append(row["option"])
    return {
        poll_id: [Voter(session_id, username, tuple(options)) for (session_id, username), options in people.items()]
        for poll_id, people in chosen.items()
    }


def stored_result(poll: Poll) -> Tally:
    """The result of a secret poll; nothing before its close, or if it was discarded."""
    return Tally(poll.voters or 0, dict(enumerate(poll.totals or (), 1)))


def totals_wire(poll: Poll, tally: Tally) -> dict[str, int]:
    """Option id -> votes, for every option."""
    return {str(number): tally.totals.get(number, 0) for number in range(1, len(poll.options) + 1)}


def state_wire(poll: Poll, tally: Tally, *, voted: bool = False) -> dict[str, Any]:
    """The present state of a poll as somebody who has `voted`, or not, may see it.

    `voters` and `totals` are None where they are not to be seen; `votes` stands in open polls only.
    """
    kept = not poll.is_discarded
    shown_voters = kept and shows_voters(poll.secrecy, closed=poll.is_closed)
    shown_totals = kept and shows_totals(poll.secrecy, closed=poll.is_closed, voted=voted)
    state = {
        "pollId": poll.id,
        "messageId": poll.message_id,
        "secrecy": poll.secrecy,
        "closesAt": None if poll.closes_at is None else iso(poll.closes_at),
        "closedAt": None if poll.closed_at is None else iso(poll.closed_at),
        "voters": tally.voters if shown_voters else None,
        "totals": totals_wire(poll, tally) if shown_totals else None,
        "discarded": poll.is_discarded,
    }
    return state | {"votes": _votes_wire(tally)} if shows_names(poll.secrecy) else state


def _votes_wire(tally: Tally) -> list[dict[str, Any]]:
    return [
        {
            "sessionId": voter.session_id,
            "username": voter.username,
            "optionIds": [str(option) for option in voter.options],
        }
        for voter in tally.names
    ]


def question_wire(poll: Poll, least: int) -> dict[str, Any]:
    """What a poll asks, for lists and exports; with a message it stands in the content."""
    return {
        "question": poll.question,
        "options": options_wire(poll.options),
        "allowMultipleAnswers": poll.multiple,
        "secrecyText": sentence(poll.secrecy, least),
        "createdAt": iso(poll.created_at),
    }
