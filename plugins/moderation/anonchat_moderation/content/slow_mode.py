"""Slow mode: a least time between two messages of one person, however many tabs, sessions and nodes they use."""

from __future__ import annotations

from anonchat import ChatError, Session
from anonchat_moderation.acts import Acts, mark_of


class SlowMode:
    """The last message of each person, kept for as long as it keeps others waiting."""

    def __init__(self, acts: Acts) -> None:
        self._acts = acts

    async def take(self, session: Session, client_msg_id: str, seconds: int) -> int:
        """Take the turn of `session`; answers how many milliseconds it must wait instead, 0 for none.

        A send that is repeated has its turn already. Of two tabs that write at once one gets the turn: storing is
        compare and set. While nobody can say whose turn it is, everybody may write: a room is not silenced by that.
        """
        try:
            return await self._take(session, client_msg_id, seconds)
        except ChatError:
            return 0

    async def _take(self, session: Session, client_msg_id: str, seconds: int) -> int:
        now, ephemeral = self._acts.now, self._acts.ctx.ephemeral
        mine = f"{session.id}:{client_msg_id}"
        turn = f"{now}:{mine}".encode()
        key, gap = f"slow:{mark_of(session)}", seconds * 1_000
        if await ephemeral.put(key, turn, gap, only_if_absent=True):
            return 0
        last = await ephemeral.get(key)
        if last is None:
            return 0 if await ephemeral.put(key, turn, gap, only_if_absent=True) else gap
        at, _, whose = last.decode().partition(":")
        wait = int(at) + gap - now
        if whose == mine:
            return 0
        if 0 < wait <= gap:
            return wait
        # The room was slower when that turn was taken, or the clock was set back.
        return 0 if await ephemeral.put(key, turn, gap, only_if=last) else gap
