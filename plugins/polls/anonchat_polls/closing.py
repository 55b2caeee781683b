"""The close of a poll: once, and nothing counts after it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from anonchat import RANK_MODERATOR, ChatError, PluginContext, Session, Transaction
from anonchat_polls import statements
from anonchat_polls.ballots import BallotBoxes, Ballots, voter_of
from anonchat_polls.poll import Poll, poll_of
from anonchat_polls.tallies import Tally, read_tallies, state_wire
from anonchat_polls.telling import Telling, count_others

AT_ONCE = 100  # polls that one run of the job closes
LOT = 500  # ballot boxes that one query asks about


class Closing:
    """Closes polls: when somebody asks, and when their time has come."""

    def __init__(self, ctx: PluginContext, boxes: BallotBoxes, telling: Telling) -> None:
        self._ctx = ctx
        self._boxes = boxes
        self._telling = telling

    async def close(self, poll: Poll, at: int, by: Session | None = None) -> None:
        """Close a poll as of `at`; members get `poll_closed` with the result. Raises `poll_closed` for who comes second.

        Its time has come, or it is closed `by` somebody: `not_moderator` for who may not (any more). A secret poll is
        sealed first. If the transaction then fails, it stays sealed and can be closed again.
        """
        room = await self._ctx.rooms.find(poll.room_id)
        ballots = await self._boxes.seal(poll) if poll.is_secret else None
        closed, tally, others = await self._ctx.db.transaction(
            lambda tx: self._store(tx, poll, at, ballots, by), poll.room_id
        )
        if ballots is not None:
            others = tally.voters - ballots.holds(voter_of(room, poll, poll.owner_id))
            await self._clear(poll)
        if not closed.is_discarded:
            self._telling.told(closed, tally, others)

    async def _clear(self, poll: Poll) -> None:
        try:
            await self._boxes.clear({poll.id: poll.room_id})
        except ChatError as error:
            # Who asked for the close has it: the poll is closed. `prune` comes back to the box.
            self._ctx.log.warning("secret votes could not be cleared; it is tried again", code=error.code)

    async def _store(
        self, tx: Transaction, poll: Poll, at: int, ballots: Ballots | None, by: Session | None
    ) -> tuple[Poll, Tally, int]:
        wanted = {"poll": poll.id, "room": poll.room_id}
        # Room before poll, as the deletion of a message locks them; two that lock crosswise would wait for each other.
        await tx.lock_room(poll.room_id)
        if by is not None and await tx.present_rank(by) < RANK_MODERATOR and poll.owner_id != by.id:
            raise ChatError("not_moderator")
        closing = {"poll": poll.id, "at": at, **self._result(ballots)}
        closes = await tx.execute(statements.UPDATE_CLOSED, closing)
        row = await tx.fetch_one(statements.SELECT_POLL, wanted)
        if row is None or not closes:
            raise ChatError("poll_not_found" if row is None else "poll_closed")
        closed = poll_of(row)
        if ballots is not None and closed.totals is not None:
            voters = [{"poll_id": poll.id, "voter": voter, "room_id": poll.room_id} for voter in ballots.voters]
            await tx.execute_many(statements.INSERT_VOTERS, voters)
        tally = (await read_tallies(tx, [closed]))[poll.id]
        state = state_wire(closed, tally)
        state.pop("votes", None)  # events outlive a vote that is taken back with "forget me"
        await tx.append(poll.room_id, "poll_closed", state, message_id=poll.message_id)
        owner = {"message_id": poll.message_id, "owner_id": poll.owner_id}
        await self._ctx.hooks.write(tx, "write_poll_closed", room_id=poll.room_id, poll_id=poll.id, **owner)
        return closed, tally, await count_others(tx, closed, tally)

    def _result(self, ballots: Ballots | None) -> Mapping[str, Any]:
        """What is kept of secret votes: nothing if too few have voted."""
        if ballots is None or ballots.count < self._ctx.config["secret_minimum"]:
            return {"counted": None, "counted_totals": None}
        return {"counted": ballots.count, "counted_totals": json.dumps(ballots.totals)}

    async def close_due(self) -> None:
        """Close the polls whose time has come. On one node at a time; on two at once it does no harm."""
        wanted = {"now": self._ctx.clock.now(), "limit": AT_ONCE}
        due = [poll_of(row) for row in await self._ctx.db.fetch_all(statements.SELECT_DUE, wanted)]
        await asyncio.gather(*(self._close_one(poll) for poll in due))

    async def _close_one(self, poll: Poll) -> None:
        try:
            await self.close(poll, poll.closes_at or self._ctx.clock.now())
        except ChatError as error:
            if error.code == "room_ended":
                await self._telling.settle(poll.room_id)
            elif error.code not in ("poll_closed", "poll_not_found"):
                self._ctx.log.warning("a poll could not be closed; it is tried again", code=error.code)

    async def prune(self, room_id: str | None = None) -> None:
        """Clear the boxes of secret polls that are closed or gone, however that came; in one room, or everywhere.

        A job: polls also go with "forget me", with bans, retention and rooms, and a vote may come just after that.
        """
        listed = await self._boxes.listed(room_id)
        poll_ids = sorted(listed)
        for start in range(0, len(poll_ids), LOT):
            lot = poll_ids[start : start + LOT]
            rows = await self._ctx.db.fetch_all(statements.SELECT_STILL_OPEN, {"polls": lot})
            still_open = {row["id"] for row in rows}
            await self._boxes.clear({poll_id: listed[poll_id] for poll_id in lot if poll_id not in still_open})
