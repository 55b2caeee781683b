"""What waits of people who are kicked or banned: it is dropped, so that it is not shown when its time has come."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from anonchat import Row, Transaction
from anonchat_moderation.acts import Acts
from anonchat_moderation.content.held import HeldMessages, count_decided, is_done
from anonchat_moderation.content.tables import SELECT_HELD_OF, SELECT_HELD_OF_BANNED
from anonchat_moderation.content.waiting import MOST_IN_ROOM
from anonchat_moderation.log import Log

EXPELLED = "Its author has been removed from the room."


class SentAway:
    """Drops held messages by what the database says, so that it does not depend on what was heard of them."""

    def __init__(self, acts: Acts, log: Log, held: HeldMessages) -> None:
        self._acts = acts
        self._log = log
        self._held = held

    async def drop_of(self, room_id: str, session_ids: Collection[str]) -> None:
        """Drop all that waits of some sessions; author and moderators are told."""
        wanted = {"room": room_id, "sessions": list(session_ids), "limit": MOST_IN_ROOM}
        await self._drop(await self._acts.ctx.db.fetch_all(SELECT_HELD_OF, wanted))

    async def drop_left(self) -> None:
        """The job: drop what still waits of people who are kept out. A server that died after a ban has left it."""
        wanted = {"now": self._acts.now, "limit": MOST_IN_ROOM}
        await self._drop(await self._acts.ctx.db.fetch_all(SELECT_HELD_OF_BANNED, wanted))

    async def _drop(self, rows: Sequence[Row]) -> None:
        for row in rows:
            room_id, message_id = row["room_id"], row["id"]

            async def also(tx: Transaction, room_id: str = room_id, message_id: str = message_id) -> None:
                await tx.lock_room(room_id)
                await count_decided(tx, room_id, message_id, "dropped")
                await self._log.write(tx, room_id, "dropped")

            if await is_done(self._acts.ctx.messages.drop(room_id, message_id, also)):
                self._held.told(room_id, message_id, row["session_id"], "message_dropped", reason=EXPELLED)
