"""How members hear of votes: at most twice a second for each poll, however many vote, and never of secret ones.

What everybody gets, also who is away, is `poll_update`. It names nobody, since it outlives a vote that is taken back.
Who voted what in an open poll, and the totals of a hidden one, go to those who may know as `poll_results`.
"""

from __future__ import annotations

import asyncio

from anonchat import ChatError, PluginContext, Transaction
from anonchat_polls import statements
from anonchat_polls.poll import Poll, poll_of
from anonchat_polls.secrecy import HIDDEN
from anonchat_polls.tallies import Tally, read_tallies, state_wire

AT_ONCE = 100  # polls that one run of the job tells of
APART = 500  # milliseconds between two updates of one poll
MOST_TOLD = 10_000  # people who are told the totals of a hidden poll; more ask for them


class Telling:
    """Tells of what has changed since it was told last, which stands in the database: nothing gets lost with a node."""

    def __init__(self, ctx: PluginContext) -> None:
        self._ctx = ctx

    async def tell(self) -> None:
        """Tell of all polls whose votes have changed. On one node at a time; on two at once each change is told once."""
        now = self._ctx.clock.now()
        wanted = {"lately": now - APART, "now": now, "limit": AT_ONCE}
        changed = [poll_of(row) for row in await self._ctx.db.fetch_all(statements.SELECT_UNTOLD, wanted)]
        await asyncio.gather(*(self._tell_one(poll) for poll in changed))

    async def _tell_one(self, poll: Poll) -> None:
        try:
            found = await self._ctx.db.transaction(lambda tx: self._store(tx, poll), poll.room_id)
        except ChatError as error:
            if error.code == "room_ended":
                await self.settle(poll.room_id)
            else:
                self._ctx.log.warning("votes could not be told of; it is tried again", code=error.code)
            return
        if found is not None:
            self.told(*found)

    async def _store(self, tx: Transaction, poll: Poll) -> tuple[Poll, Tally, int, tuple[str, ...]] | None:
        """Arguments of `told`; None if it has been told meanwhile, or the poll is gone."""
        await tx.lock_room(poll.room_id)  # room before poll, as everywhere
        now = self._ctx.clock.now()
        if not await tx.execute(statements.UPDATE_TOLD, {"poll": poll.id, "now": now, "lately": now - APART}):
            return None
        row = await tx.fetch_one(statements.SELECT_POLL, {"poll": poll.id, "room": poll.room_id})
        if row is None:
            return None
        present = poll_of(row)
        tally = (await read_tallies(tx, [present]))[poll.id]
        others = await count_others(tx, present, tally)
        state = state_wire(present, tally)
        shown = ("pollId", "messageId", "voters", "totals")
        update = {name: state[name] for name in shown if state[name] is not None}
        await tx.append(poll.room_id, "poll_update", update, message_id=poll.message_id)
        if present.is_closed or present.secrecy != HIDDEN:
            return present, tally, others, ()
        rows = await tx.fetch_all(statements.SELECT_SESSIONS, {"poll": poll.id, "limit": MOST_TOLD})
        return present, tally, others, tuple(row["session_id"] for row in rows)

    def told(self, poll: Poll, tally: Tally, others: int, voters: tuple[str, ...] = ()) -> None:
        """After the commit: the part of the state that is not for everybody, or not for ever; and the other plugins.

        `others` have voted beside the poll's owner; the sessions `voters` may know the totals of an open hidden poll.
        """
        waits = poll.secrecy == HIDDEN and not poll.is_closed
        results = state_wire(poll, tally, voted=waits)
        self._ctx.rooms.broadcast(poll.room_id, "poll_results", results, only=voters if waits else None)
        self._ctx.hooks.observe(
            "polls_voted",
            room_id=poll.room_id,
            poll_id=poll.id,
            message_id=poll.message_id,
            owner_id=poll.owner_id,
            voters=tally.voters,
            others=others,
        )

    async def settle(self, room_id: str) -> None:
        """Let the polls of a room that is over be."""
        ending = {"room": room_id, "now": self._ctx.clock.now()}
        await self._ctx.db.transaction(lambda tx: tx.execute(statements.SETTLE_ROOM, ending), room_id)


async def count_others(tx: Transaction, poll: Poll, tally: Tally) -> int:
    """How many have voted in an open or hidden poll beside its owner."""
    own = await tx.fetch_all(statements.SELECT_OWN, {"poll": poll.id, "session": poll.owner_id})
    return tally.voters - bool(own)
