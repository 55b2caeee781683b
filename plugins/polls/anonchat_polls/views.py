"""Polls as one person may see them: read in bulk, in one snapshot."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from anonchat import ChatError, PluginContext, Remembered, Row, Session, Statements
from anonchat_polls import statements
from anonchat_polls.ballots import BallotBoxes, voter_of
from anonchat_polls.poll import Poll, is_poll, poll_of
from anonchat_polls.tallies import EXPORTED_NAMES, SHOWN_NAMES, Tally, question_wire, read_tallies, state_wire

Found = tuple[Sequence[Poll], Mapping[str, Tally], Mapping[str, Sequence[int]]]


class Views:
    """The present state of polls. A number of queries that does not grow with the polls."""

    def __init__(self, ctx: PluginContext, boxes: BallotBoxes) -> None:
        self._ctx = ctx
        self._boxes = boxes
        self._least = ctx.config["secret_minimum"]
        self._has_open = Remembered(self._read_open, ctx.rooms.position)

    async def of_messages(self, messages: Sequence[Mapping[str, Any]]) -> Mapping[str, Mapping[str, Any]]:
        """Message id -> the state that everybody may see, of those messages that carry a poll."""
        wanted = [message["id"] for message in messages if is_poll(message["content"])]
        if not wanted:
            return {}
        polls, tallies, _ = await self._read(statements.SELECT_OF_MESSAGES, {"messages": wanted})
        return {poll.message_id: state_wire(poll, tallies[poll.id]) for poll in polls}

    async def open_in(self, session: Session) -> Sequence[Mapping[str, Any]]:
        """The open polls of a session's room, oldest first, as that session may see them."""
        if not await self._has_open.of(session.room_id):
            return ()
        wanted = {"room": session.room_id, "limit": self._ctx.config["most_open"]}
        return await self._seen(await self._read(statements.SELECT_OPEN, wanted, session), session)

    async def _read_open(self, room_id: str) -> bool:
        """Whether a poll is open; both its beginning and its end are durable events."""
        return await self._ctx.db.fetch_one(statements.SELECT_OPEN, {"room": room_id, "limit": 1}) is not None

    async def one(self, poll_id: str, session: Session) -> Mapping[str, Any]:
        """One poll of a session's room. Raises `poll_not_found`."""
        wanted = {"poll": poll_id, "room": session.room_id}
        return _only(await self._seen(await self._read(statements.SELECT_POLL, wanted, session), session))

    async def whole(self, poll_id: str, session: Session) -> Mapping[str, Any]:
        """The same with its question and, in an open poll, everybody's votes."""
        wanted = {"poll": poll_id, "room": session.room_id}
        found = await self._read(statements.SELECT_POLL, wanted, session, EXPORTED_NAMES)
        return _only(await self._with_questions(found, session))

    async def page(self, session: Session, before: str, limit: int) -> Sequence[Mapping[str, Any]]:
        """Polls of a session's room, newest first, of messages whose id is below `before`; with their questions."""
        wanted = {"room": session.room_id, "before": before, "limit": limit}
        return await self._with_questions(await self._read(statements.SELECT_PAGE, wanted, session), session)

    async def public_page(self, room_id: str, before: str, limit: int) -> Sequence[Mapping[str, Any]]:
        """The same as everybody may see them, who has voted or not."""
        wanted = {"room": room_id, "before": before, "limit": limit}
        polls, tallies, _ = await self._read(statements.SELECT_PAGE, wanted)
        return [state_wire(poll, tallies[poll.id]) | question_wire(poll, self._least) for poll in polls]

    async def _with_questions(self, found: Found, session: Session) -> Sequence[Mapping[str, Any]]:
        seen = await self._seen(found, session)
        return [{**state, **question_wire(poll, self._least)} for poll, state in zip(found[0], seen, strict=True)]

    async def _seen(self, found: Found, session: Session) -> Sequence[Mapping[str, Any]]:
        polls, tallies, own = found
        known = await self._known(polls, session)
        return [
            {
                **state_wire(poll, tallies[poll.id], voted=bool(own.get(poll.id))),
                "optionIds": [str(option) for option in own.get(poll.id, ())],
                "voted": poll.id in known or bool(own.get(poll.id)),
            }
            for poll in polls
        ]

    async def _read(
        self, select: Any, wanted: Mapping[str, Any], session: Session | None = None, most_names: int = SHOWN_NAMES
    ) -> Found:
        """Polls, their tallies, and what `session` has voted for in them."""

        async def work(tx: Statements) -> Found:
            polls = [poll_of(row) for row in await tx.fetch_all(select, wanted)]
            tallies = await read_tallies(tx, polls, most_names)
            mine = {"polls": [poll.id for poll in polls], "session": session.id} if session and polls else None
            return polls, tallies, _by_poll(await tx.fetch_all(statements.SELECT_OWN_IN, mine) if mine else ())

        return await self._ctx.db.read(work)

    async def _known(self, polls: Sequence[Poll], session: Session) -> set[str]:
        """The secret polls in which the session's vote is known: in the box, after the close in the ledger."""
        secret = [poll for poll in polls if poll.is_secret]
        if not secret:
            return set()
        room = await self._ctx.rooms.find(session.room_id)
        voters = {poll.id: voter_of(room, poll, session.id) for poll in secret}
        # The box first: at the close the ledger is written before the box is cleared.
        held = await self._boxes.known([poll for poll in secret if not poll.is_closed])
        wanted = {"polls": list(voters), "voters": list(voters.values())}
        written = await self._ctx.db.fetch_all(statements.SELECT_VOTER, wanted)
        counted = {poll_id for poll_id, ballots in held.items() if ballots.holds(voters[poll_id])}
        return counted | {row["poll_id"] for row in written}


def _only(found: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    if not found:
        raise ChatError("poll_not_found")
    return found[0]


def _by_poll(rows: Sequence[Row]) -> Mapping[str, Sequence[int]]:
    chosen: dict[str, list[int]] = defaultdict(list)
    for row in rows:
        chosen[row["poll_id"]].append(row["option"])
    return chosen
