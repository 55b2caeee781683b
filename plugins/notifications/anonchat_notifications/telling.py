"""Who is there is told at once; what gets lost on the way is in the inbox."""

from __future__ import annotations

from collections.abc import Sequence

from anonchat import Message, PluginContext, Row
from anonchat_notifications import statements
from anonchat_notifications.entries import MOST_OF_A_MESSAGE, entry_wire

AT_ONCE = 200  # rows that the job tells in one run
MOST_WRITTEN = 10_000  # messages whose rows are kept until they are told
MOST_MEANT = 10_000  # sessions of a room that are told what is for everybody


class Telling:
    """Sends `notification` to the sockets of those whom a row is for."""

    def __init__(self, ctx: PluginContext) -> None:
        self._ctx = ctx
        self._written: dict[str, list[Row]] = {}

    def written(self, rows: Sequence[Row]) -> None:
        """Keep what a transaction has written until it is committed, which `saved` says: so nobody has to read it again.

        Called where the transaction is driven, on SQLite in the thread of the database.
        """
        if len(self._written) > MOST_WRITTEN:
            self._written.clear()  # of transactions that failed; others are read from the database
        found: dict[str, list[Row]] = {}
        for row in rows:
            found.setdefault(row["message_id"], []).append(row)
        self._written.update(found)  # in the place of what an attempt before has written, which never was

    async def saved(self, message: Message) -> None:
        """Tell what a message has caused."""
        kept = self._written.pop(message.id, None)
        for row in kept if kept is not None else await self._read(message):
            await self.one(row, message)

    async def _read(self, message: Message) -> Sequence[Row]:
        wanted = {"messages": [message.id], "limit": MOST_OF_A_MESSAGE}
        return await self._ctx.db.fetch_all(statements.SELECT_OF_MESSAGES, wanted)

    async def waiting(self) -> None:
        """Tell what other plugins' transactions have caused. Who is told twice is told the same."""
        rows = await self._ctx.db.fetch_all(statements.SELECT_UNTOLD, {"limit": AT_ONCE})
        if not rows:
            return
        for room_id in {row["room_id"] for row in rows}:
            await self._of_room(room_id, [row for row in rows if row["room_id"] == room_id])
        told = {"entries": [row["id"] for row in rows]}
        await self._ctx.db.transaction(lambda tx: tx.execute(statements.UPDATE_TOLD, told))

    async def _of_room(self, room_id: str, rows: Sequence[Row]) -> None:
        wanted = list({row["message_id"] for row in rows if row["message_id"] is not None})
        messages = await self._ctx.messages.get(room_id, wanted) if wanted else {}
        for row in rows:
            await self.one(row, messages.get(row["message_id"]))

    async def one(self, row: Row, message: Message | None) -> None:
        """Tell one row to the person that it is for, or to everybody whom it concerns; not who has read it meanwhile."""
        wire = entry_wire(row, message)
        if wire is None or row["read_at"] is not None:
            return
        if row["session_id"] is not None:
            self._ctx.rooms.send(row["room_id"], row["session_id"], "notification", wire)
        else:
            wanted = {"room": row["room_id"], "entry": row["id"], "limit": MOST_MEANT}
            meant = [found["id"] for found in await self._ctx.db.fetch_all(statements.SELECT_MEANT, wanted)]
            self._ctx.rooms.broadcast(row["room_id"], "notification", wire, only=meant)
