"""Held messages: stored, and shown to nobody until they are released."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import structlog

from anonchat.clock import Clock
from anonchat.delivery.journal import Also, Journal, Transaction
from anonchat.errors import ChatError
from anonchat.messages.writer import STORAGE
from anonchat.models import HeldMessage, Message
from anonchat.plugins.dispatch import Dispatcher
from anonchat.protocol.schemas import message_event
from anonchat.store import messages as statements
from anonchat.store import rooms as room_statements

log = structlog.get_logger("anonchat.messages")

GONE = frozenset({"room_ended", "message_not_found", "conflict"})  # it ended, or somebody was faster
AT_ONCE = 100  # messages that one run of the job releases


class HeldMessages:
    """The rules about them. A filter holds a message by answering `Held`, see `Writer`."""

    def __init__(self, journal: Journal, dispatcher: Dispatcher, clock: Clock) -> None:
        self._journal = journal
        self._dispatcher = dispatcher
        self._clock = clock

    async def of_room(self, room_id: str, limit: int) -> Sequence[HeldMessage]:
        """The held messages of a room, oldest first."""
        rows = await self._journal.fetch_all(statements.SELECT_HELD, {"room": room_id, "limit": limit})
        return [HeldMessage(statements.message_of(row), row["held_until"], row["held_reason"]) for row in rows]

    async def release_due(self) -> int:
        """Release those whose time has come; returns how many.

        One that cannot be shown, because a plugin refuses it, waits for a moderator from now on: it holds up no other.
        """
        wanted = {"now": self._clock.now(), "limit": AT_ONCE}
        due = [statements.message_of(row) for row in await self._journal.fetch_all(statements.SELECT_HELD_DUE, wanted)]
        released = 0
        for message in due:
            try:
                await self.release(message.room_id, message.id)
            except ChatError as error:
                log.info("a held message was not released", code=error.code)
                if error.code not in GONE | STORAGE:
                    await self._journal.transaction(
                        lambda tx, message=message: tx.execute(statements.UPDATE_UNTIMED, {"message": message.id}),  # type: ignore[misc]
                        message.room_id,
                    )
            else:
                released += 1
        return released

    async def release(self, room_id: str, message_id: str, also: Also | None = None) -> None:
        """Give a message its seq and show it to everybody, once, however often it is called.

        `also(tx)` comes first, and may refuse. Raises `message_not_found`, or `conflict` if it is not held (any more).
        """
        released = await self._journal.transaction(lambda tx: self._release(tx, room_id, message_id, also), room_id)
        await asyncio.sleep(
            0
        )  # a commit is published in the turn after its answer: what the caller tells comes after it
        self._dispatcher.observe("message_saved", message=released)

    async def _release(self, tx: Transaction, room_id: str, message_id: str, also: Also | None) -> Message:
        seq = await tx.take_seq(room_id)
        if also is not None:
            await also(tx)
        wanted = {"room": room_id, "message": message_id}
        if await tx.fetch_one(statements.SELECT_MESSAGE, wanted) is None:
            raise ChatError("message_not_found")
        now = self._clock.now()
        if await tx.execute(statements.UPDATE_RELEASED, {"message": message_id, "new_seq": seq, "now": now}) == 0:
            raise _not_held()
        row = await tx.fetch_one(statements.SELECT_MESSAGE, wanted)
        assert row is not None
        released = statements.message_of(row)
        receipt = {"session": released.session_id, "message": message_id, "new_seq": seq, "now": now}
        await tx.execute(statements.UPDATE_RECEIPT, receipt)
        await self._dispatcher.write("write_messages", tx, messages=[released])
        tx.publish(message_event(released))
        return released

    async def keep(self, tx: Transaction, room_id: str, reason: str, instead: str) -> int:
        """What is held for `reason` until some time waits for a moderator now, for another reason; answers how many."""
        return await tx.execute(statements.UPDATE_KEPT, {"room": room_id, "reason": reason, "instead": instead})

    async def drop(self, room_id: str, message_id: str, also: Also | None = None) -> None:
        """Delete a held message. `also(tx)` comes first, and may refuse. Raises `conflict` if it is not held (any more)."""

        async def work(tx: Transaction) -> None:
            await tx.fetch_one(room_statements.LOCK_ROOM, {"room": room_id})
            if also is not None:
                await also(tx)
            if await tx.execute(statements.DELETE_HELD, {"room": room_id, "message": message_id}) == 0:
                raise _not_held()

        await self._journal.transaction(work, room_id)


def _not_held() -> ChatError:
    return ChatError("conflict", "This message is not held any more.")
