"""Deletions by moderators: everything by one person; and the log of those that the core makes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from anonchat import RANK_OWNER, ChatError, Message, Session, Transaction
from anonchat_moderation import statements
from anonchat_moderation.acts import Acts, Person, Ranks
from anonchat_moderation.content.sent_away import SentAway
from anonchat_moderation.log import Log


class Purges:
    """Deletes what somebody wrote, whether they are there or have left."""

    def __init__(self, acts: Acts, log: Log, sent_away: SentAway) -> None:
        self._acts = acts
        self._log = log
        self._sent_away = sent_away

    async def purge(self, by: Session, data: Mapping[str, Any]) -> Mapping[str, Any]:
        """Delete everything by one person, who may have left. Raises `not_found` where nobody wrote anything."""
        session_id = data["target_session_id"]
        session = await self._acts.ctx.sessions.get(session_id)
        if session is not None:
            target: Session | Person = await self._acts.find(by, session_id)
            await self._acts.on(by, session, _nothing)
        else:
            target = await self._author(by, session_id)
        return {"sessionId": session_id, "removed": await self.remove(by, target)}

    async def _author(self, by: Session, session_id: str) -> Person:
        """Somebody who has left, below `by`: who ever wrote as a moderator counts as one."""
        wanted = {"room": by.room_id, "session": session_id}
        # Walks through the room, so not while it is locked. Who wrote a message never changes.
        row = await self._acts.ctx.db.fetch_one(statements.SELECT_AUTHOR, wanted)

        async def work(tx: Transaction, rank: int) -> Person:
            if row is None:
                raise ChatError("not_found", "Nobody of that id has written anything here.")
            if row["role"] == "moderator" and rank < RANK_OWNER:
                raise ChatError("rank_too_low")
            return Person(session_id, row["username"])

        return await self._acts.as_moderator(by, work)

    async def remove(self, by: Session, target: Session | Person) -> int:
        """Delete what somebody wrote, shown or waiting, without asking who may; answers how much it was."""
        await self._sent_away.drop_of(by.room_id, [target.id])
        removed = await self._acts.ctx.messages.remove_of(by.room_id, target.id, "moderator")
        if removed:
            await self._acts.in_room(by.room_id, lambda tx: self._record(tx, by, target, removed))
        return removed

    async def _record(self, tx: Transaction, by: Session, target: Session | Person, count: int) -> None:
        await self._log.write(tx, by.room_id, "removed", count, by=by, target=target)
        await self._acts.tell(tx, by.room_id, "removed", target.id)

    async def deleted(self, tx: Transaction, message: Message, by: Session) -> None:
        """The core deletes one message, in this transaction; of one's own nobody hears."""
        if message.session_id != by.id:
            await self._record(tx, by, Person(message.session_id, message.username), 1)


async def _nothing(_tx: Transaction, _ranks: Ranks) -> None:
    """The comparison of ranks is all that is wanted."""
