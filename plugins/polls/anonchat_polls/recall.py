"""Votes in secret polls are asked for again where what kept them has lost them while people stayed connected."""

from __future__ import annotations

from collections import defaultdict

from anonchat import PluginContext
from anonchat_polls import statements
from anonchat_polls.ballots import BallotBoxes
from anonchat_polls.secrecy import SECRET

POLLS = 10_000  # that are asked for
TIMES = 2  # since a node may not hear the first: what carries it to other nodes was lost with the votes


class Recall:
    """Notices that the ballot boxes were lost. On one node at a time; where it changes, members may be asked once more."""

    def __init__(self, ctx: PluginContext, boxes: BallotBoxes) -> None:
        self._ctx = ctx
        self._boxes = boxes
        self._left = 0

    async def look(self) -> None:
        """Ask members for their votes, if these are lost."""
        if await self._boxes.were_lost():
            self._left = TIMES
            self._ctx.log.warning(
                "votes in secret polls were lost with what kept them; members are asked for them again"
            )
        if self._left:
            await self._ask()
            self._left -= 1

    async def _ask(self) -> None:
        polls: dict[str, list[str]] = defaultdict(list)
        votable = {"secrecy": SECRET, "now": self._ctx.clock.now(), "limit": POLLS}
        for row in await self._ctx.db.fetch_all(statements.SELECT_VOTABLE_OF_KIND, votable):
            polls[row["room_id"]].append(row["id"])
        for room_id, poll_ids in polls.items():
            self._ctx.rooms.broadcast(room_id, "votes_lost", {"pollIds": poll_ids})
