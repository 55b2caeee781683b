"""Who is there is told at once; what gets lost on the way is in the inbox."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from anonchat import Message, PluginContext, Row
from anonchat_notifications import statements
from anonchat_notifications.entries import entry_wire

MOST_OF_A_MESSAGE = 20  # rows that one message makes: five mentions, a reply, and two for everybody
AT_ONCE = 200  # rows that the job tells in one run
MOST_SAVED = 10_000  # messages that wait to be told of
MOST_MEANT = 10_000  # sessions of a room that are told what is for everybody


class Telling:
    """Sends `notification` to the sockets of those whom a row is for."""

    def __init__(self, ctx: PluginContext) -> None:
        self._ctx = ctx
        self._saved: dict[str, Message] = {}
        self._telling: asyncio.Task[None] | None = None

    def saved(self, message: Message) -> None:
        """Tell soon what a message has caused; whatever comes meanwhile is told together, with one query."""
        if len(self._saved) >= MOST_SAVED:
            return  # it is in the inbox, and in the state at the next identify
        self._saved[message.id] = message
        if self._telling is None or self._telling.done():
            self._telling = self._ctx.spawn(self._tell_saved())

    async def _tell_saved(self) -> None:
        while self._saved:
            some = {message_id: self._saved.pop(message_id) for message_id in list(self._saved)[:AT_ONCE]}
            wanted = {"messages": list(some), "limit": MOST_OF_A_MESSAGE * len(some)}
            for row in await self._ctx.db.fetch_all(statements.SELECT_OF_MESSAGES, wanted):
                await self.one(row, some[row["message_id"]])

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
