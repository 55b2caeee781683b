"""Where people come from: the core's mark of their network, kept outside the database while their session lives."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from anonchat import ChatError, Session
from anonchat_moderation import statements
from anonchat_moderation.acts import Acts

REMEMBERED_MILLISECONDS = 86_400_000
LOT = 500  # sessions of a room that is over which are looked after at once


class Networks:
    """The network of each connected session, for acts on it; with the setting `ban_networks` off, of none."""

    def __init__(self, acts: Acts) -> None:
        self._acts = acts

    @property
    def are_used(self) -> bool:
        """What the operator has chosen."""
        used: bool = self._acts.ctx.config["ban_networks"]
        return used

    async def remember(self, session: Session, network: str) -> None:
        """The session connects from there. Where nobody can remember it now, it is let in all the same."""
        if not self.are_used:
            return
        with suppress(ChatError):
            await self._acts.ctx.ephemeral.put(_key(session.id), network.encode(), REMEMBERED_MILLISECONDS)

    async def of(self, session: Session) -> str | None:
        """The mark, or None for who has not connected for long."""
        network = None
        if self.are_used:
            with suppress(ChatError):  # a mute or a ban goes without it, by device and session
                network = await self._acts.ctx.ephemeral.get(_key(session.id))
        return network.decode() if network else None

    async def forget(self, session_id: str) -> None:
        """The session is over."""
        with suppress(ChatError):  # it expires
            await self._acts.ctx.ephemeral.remove(_key(session_id))

    async def forget_room(self, room_id: str) -> None:
        """The room is over, and with it every session."""
        after = ""
        while rows := await self._acts.ctx.db.fetch_all(
            statements.SELECT_SESSIONS, {"room": room_id, "after": after, "limit": LOT}
        ):
            await asyncio.gather(*(self._acts.ctx.ephemeral.remove(_key(row["id"])) for row in rows))
            after = rows[-1]["id"]


def _key(session_id: str) -> str:
    return f"network:{session_id}"
