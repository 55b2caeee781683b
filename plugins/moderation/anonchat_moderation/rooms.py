"""Closing, reopening and ending a room."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from anonchat import ChatError, Session, Transaction
from anonchat_moderation.acts import Acts
from anonchat_moderation.log import Log


class RoomActs:
    """Acts on the room itself: the core does them, here it is decided who may, and written down."""

    def __init__(self, acts: Acts, log: Log) -> None:
        self._acts = acts
        self._log = log

    async def close(self, by: Session, _: Mapping[str, Any]) -> Mapping[str, Any]:
        """Let nobody new in. Moderators still get in, and everybody who has a session comes back."""
        if not (await self._acts.ctx.rooms.find(by.room_id)).is_open:
            raise ChatError("conflict", "The room is closed already.")
        await self._acts.ctx.rooms.close(by.room_id, "moderator", self._recorded("close", by))
        return {"isOpen": False}

    async def reopen(self, by: Session, _: Mapping[str, Any]) -> Mapping[str, Any]:
        """Let people in again."""
        if (await self._acts.ctx.rooms.find(by.room_id)).is_open:
            raise ChatError("conflict", "The room is open.")
        await self._acts.ctx.rooms.reopen(by.room_id, self._recorded("reopen", by))
        return {"isOpen": True}

    async def end(self, by: Session, _: Mapping[str, Any]) -> Mapping[str, Any]:
        """End the room for good: everybody is disconnected and everything is deleted, after the operator's grace."""
        await self._acts.ctx.rooms.end(by.room_id, "moderator", self._recorded("end", by))
        return {"ended": True}

    def _recorded(self, act: str, by: Session) -> Callable[[Transaction], Awaitable[None]]:
        """What belongs into the transaction of the act: whether `by` may, and the entry in the log."""
        return self._acts.moderating(by, lambda tx, _: self._log.write(tx, by.room_id, act, by=by))
