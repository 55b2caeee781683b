"""What the rules did, counted in memory and written to the log once a second: a raid costs one write, not thousands."""

from __future__ import annotations

import asyncio
from collections import Counter

from anonchat import ChatError, Transaction
from anonchat_moderation.acts import Acts
from anonchat_moderation.content.tables import COUNT_REFUSED
from anonchat_moderation.log import Log

GATHER_SECONDS = 1.0
ROOMS = 1_000  # that are counted between two writes


class Tally:
    """Messages that were held, and that were refused in a panic since too many waited. A crash loses the last second."""

    def __init__(self, acts: Acts, log: Log) -> None:
        self._acts = acts
        self._log = log
        self._counts: Counter[tuple[str, str]] = Counter()
        self._flushing = False

    def add(self, room_id: str, act: str) -> None:
        """Count one: `act` is "held" or "dropped"."""
        if len(self._counts) < 2 * ROOMS or (room_id, act) in self._counts:
            self._counts[room_id, act] += 1
        if not self._flushing:
            self._acts.ctx.spawn(self._flush_later())
            self._flushing = True

    async def _flush_later(self) -> None:
        try:
            await asyncio.sleep(GATHER_SECONDS)
            rooms = {room_id for room_id, _ in self._counts}
        finally:
            self._flushing = False
        for room_id in rooms:
            await self.flush(room_id)

    async def flush(self, room_id: str) -> None:
        """Write what was counted of a room."""
        held, dropped = (self._counts.pop((room_id, act), 0) for act in ("held", "dropped"))
        if not held and not dropped:
            return

        async def work(tx: Transaction) -> None:
            if held:
                await self._log.write(tx, room_id, "held", held)
            if dropped:
                await self._log.write(tx, room_id, "dropped", dropped)
                await tx.execute(COUNT_REFUSED, {"room": room_id, "more": dropped})

        try:
            await self._acts.in_room(room_id, work)
        except ChatError as error:
            self._acts.ctx.log.info(
                "what the rules did is not in the log", code=error.code
            )  # mostly: the room has ended
