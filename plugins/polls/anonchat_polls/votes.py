"""Votes in open and hidden polls. The key of the table decides who has voted, the lock of the poll's row until when."""

from __future__ import annotations

from collections.abc import Sequence

from anonchat import ChatError, PluginContext, Session, Transaction, new_id
from anonchat_polls import statements
from anonchat_polls.ballots import voter_in
from anonchat_polls.poll import Poll
from anonchat_polls.secrecy import HIDDEN, SECRET, shows_names

MOST_POLLS = 10_000  # of a room that are looked through


class Votes:
    """Casts and withdraws."""

    def __init__(self, ctx: PluginContext) -> None:
        self._ctx = ctx

    async def cast(self, poll: Poll, session: Session, options: Sequence[int], *, change: bool) -> list[int]:
        """Vote for `options`; returns what the session has voted for now. The same vote again changes nothing.

        With `change` the options take the place of what was voted before. Raises `already_voted` for another option in
        a poll of single choice, `poll_closed`, `poll_not_found`, `room_ended`, and `session_expired` for who has left.
        """
        mine = {"poll": poll.id, "session": session.id}
        rows = [
            {
                "poll_id": poll.id,
                "session_id": session.id,
                "slot": option if poll.multiple else 0,
                "room_id": poll.room_id,
                "option": option,
                "username": session.username if shows_names(poll.secrecy) else None,
            }
            for option in options
        ]

        async def work(tx: Transaction) -> list[int]:
            await self._lock(tx, poll, session)
            before = await _own(tx, mine)
            if change:
                await tx.execute(statements.DELETE_OTHERS, mine | {"kept": list(options)})
            await tx.execute_many(statements.INSERT_VOTE, rows)
            after = await _own(tx, mine)
            if not set(options) <= set(after):
                raise ChatError("already_voted")
            if after != before:
                await tx.execute(statements.RAISE_VERSION, {"poll": poll.id})
            return after

        return await self._ctx.db.transaction(work, poll.room_id)

    async def withdraw(self, poll: Poll, session: Session, options: Sequence[int]) -> list[int]:
        """Take votes back; returns what the session has still voted for. What is not there stays away."""
        mine = {"poll": poll.id, "session": session.id}

        async def work(tx: Transaction) -> list[int]:
            await self._lock(tx, poll, session)
            if await tx.execute(statements.DELETE_SOME, mine | {"dropped": list(options)}):
                await tx.execute(statements.RAISE_VERSION, {"poll": poll.id})
            return await _own(tx, mine)

        return await self._ctx.db.transaction(work, poll.room_id)

    async def _lock(self, tx: Transaction, poll: Poll, session: Session) -> None:
        """From here to its end the transaction is alone with the poll, the poll is open, and the session lives.

        Who leaves with "forget me" holds the room, too: either the vote is there before, and is forgotten, or it is none.
        """
        await tx.lock_room(poll.room_id)
        if await tx.fetch_one(statements.LOCK_SESSION, {"session": session.id}) is None:
            raise ChatError("session_expired")
        wanted = {"poll": poll.id, "room": poll.room_id}
        if await tx.execute(statements.LOCK_VOTABLE, wanted | {"now": self._ctx.clock.now()}) == 0:
            row = await tx.fetch_one(statements.SELECT_POLL, wanted)
            raise ChatError("poll_not_found" if row is None else "poll_closed")


async def forget(tx: Transaction, session: Session) -> None:
    """Delete every vote of a session in open polls; members are told the new totals.

    One in a hidden poll becomes nobody's: totals that change when somebody leaves would tell what they voted. Of secret
    ones it is deleted that there was one, after the close.
    """
    voted = {"session": session.id, "secrecy": HIDDEN, "limit": MOST_POLLS}
    hidden = await tx.fetch_all(statements.SELECT_VOTED_OF_KIND, voted)
    if hidden:
        changes = [{"poll": row["id"], "session": session.id, "nobody": new_id()} for row in hidden]
        await tx.execute_many(statements.UPDATE_VOTER, changes)
    await tx.execute(statements.RAISE_VERSIONS_OF, {"session": session.id})
    await tx.execute(statements.DELETE_OF_SESSION, {"session": session.id})
    closed = {"room": session.room_id, "secrecy": SECRET, "limit": MOST_POLLS}
    rows = await tx.fetch_all(statements.SELECT_CLOSED_OF_KIND, closed)
    if rows:
        marks = [voter_in(row["id"], row["secret"], session.id) for row in rows]
        await tx.execute(statements.DELETE_VOTER, {"room": session.room_id, "voters": marks})


async def _own(tx: Transaction, mine: dict[str, str]) -> list[int]:
    return [row["option"] for row in await tx.fetch_all(statements.SELECT_OWN, mine)]
