"""Who is a moderator: promote, demote, and a new moderator link when the old one has leaked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from anonchat import RANK_MODERATOR, RANK_OWNER, RANK_PARTICIPANT, ChatError, Session, Transaction
from anonchat_moderation import statements
from anonchat_moderation.acts import Acts, Ranks
from anonchat_moderation.log import Log

LEASE_MILLISECONDS = 30_000  # as long as a handler may take
OWNERS = 100  # that are read at a time
LOTS = 100


class Roles:
    """Only holders of the moderator token appoint moderators: nobody makes their equal."""

    def __init__(self, acts: Acts, log: Log) -> None:
        self._acts = acts
        self._log = log

    async def promote(self, by: Session, data: Mapping[str, Any]) -> Mapping[str, Any]:
        """Make a participant a moderator. Raises `conflict` for somebody who is one."""
        return await self._change("promote", by, data["target_session_id"], RANK_MODERATOR)

    async def demote(self, by: Session, data: Mapping[str, Any]) -> Mapping[str, Any]:
        """Make a promoted moderator a participant again. Raises `conflict` for somebody who is none."""
        return await self._change("demote", by, data["target_session_id"], RANK_PARTICIPANT)

    async def _change(self, act: str, by: Session, session_id: str, rank: int) -> Mapping[str, Any]:
        target = await self._acts.find(by, session_id)

        async def work(tx: Transaction, ranks: Ranks) -> None:
            if ranks.target == rank:
                raise ChatError("conflict", f"This person is a {_role(rank)} already.")
            await self._log.write(tx, by.room_id, act, by=by, target=target)
            await self._acts.tell(tx, by.room_id, act, target.id)

        also = self._acts.above(by, target, work, least=RANK_OWNER)
        await self._acts.ctx.sessions.set_role(target, _role(rank), rank, also)
        return {"sessionId": target.id, "role": _role(rank)}

    async def rotate(self, by: Session, _: Mapping[str, Any]) -> Mapping[str, Any]:
        """A new moderator token; the old one is refused, and whoever else came by it is a participant from now on.

        One rotation of a room at a time: two holders who rotated at once would depose each other.
        """
        ephemeral, key, mine = self._acts.ctx.ephemeral, f"rotating:{by.room_id}", by.id.encode()
        if not await ephemeral.put(key, mine, LEASE_MILLISECONDS, only_if_absent=True):
            raise ChatError("conflict", "Somebody is doing that right now.")
        try:
            await self._acts.as_moderator(by, _nothing, least=RANK_OWNER)
            token = await self._acts.ctx.rooms.rotate_moderator_token(by.room_id)
            await self._acts.in_room(by.room_id, lambda tx: self._log.write(tx, by.room_id, "rotate", by=by))
            await self._depose_others(by)
        finally:
            await ephemeral.remove(key, only_if=mine)
        return {"moderatorToken": token}

    async def _depose_others(self, by: Session) -> None:
        sessions, wanted = self._acts.ctx.sessions, {"room": by.room_id, "by": by.id, "limit": OWNERS}
        for _ in range(LOTS):
            rows = await self._acts.ctx.db.fetch_all(statements.SELECT_OWNERS, wanted)
            if not rows:
                return
            for row in rows:
                if (session := await sessions.get(row["id"])) is not None:
                    await sessions.set_role(session, "participant", RANK_PARTICIPANT)


async def _nothing(_tx: Transaction, _rank: int) -> None:
    """The comparison of ranks is all that is wanted."""


def _role(rank: int) -> Any:
    return "moderator" if rank >= RANK_MODERATOR else "participant"
