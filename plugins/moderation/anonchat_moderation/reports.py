"""Reports: participants point at a message, moderators work through them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from anonchat import ChatError, Message, Row, Session, Transaction, iso, new_id
from anonchat_moderation import statements
from anonchat_moderation.acts import Acts, mark_of
from anonchat_moderation.log import Log
from anonchat_moderation.pages import read_page

RATE = "10/minute"  # reports of one person
OPEN = 1_000  # that may wait in a room


class Reports:
    """One report for each message and person. It goes with its message."""

    def __init__(self, acts: Acts, log: Log) -> None:
        self._acts = acts
        self._log = log

    async def report(self, by: Session, data: Mapping[str, Any]) -> Mapping[str, Any]:
        """Point at a message; a second time changes nothing. Moderators hear of it at once, but not from whom."""
        await self._acts.ctx.limits.hit("reports", RATE, mark_of(by))
        message = (await self._acts.ctx.messages.get(by.room_id, [data["message_id"]])).get(data["message_id"])
        if message is None or message.seq is None or message.deleted_at is not None:
            raise ChatError("message_not_found")
        if message.session_id == by.id:
            raise ChatError("forbidden", "This is your own message; you can delete it.")
        row = {
            "id": new_id(),
            "room_id": by.room_id,
            "message_id": message.id,
            "session_id": by.id,
            "reporter": mark_of(by),
            "reason": data["reason"],
            "at": self._acts.now,
            "resolved_at": None,
        }

        async def work(tx: Transaction) -> None:
            waiting = await _count(tx, by.room_id)
            if waiting >= OPEN:
                raise ChatError("conflict", "There are more reports than the moderators of this room can read.")
            if await tx.execute(statements.INSERT_REPORT, row):
                told = _wire(row, message) | {"open": waiting + 1}
                tx.tell(by.room_id, "message_reported", told, moderators=True)

        await self._acts.in_room(by.room_id, work)
        return {"messageId": message.id}

    async def read(self, by: Session, data: Mapping[str, Any]) -> Mapping[str, Any]:
        """A page of the reports that wait, the newest first, with the messages that they are about."""
        db, room_id = self._acts.ctx.db, by.room_id
        rows, more = await read_page(db, statements.SELECT_REPORTS, statements.SELECT_REPORT, by, data)
        messages = await self._acts.ctx.messages.get(room_id, [row["message_id"] for row in rows])
        reports = [_wire(row, messages.get(row["message_id"])) for row in rows]
        return {"reports": reports, "hasMore": more, "open": await self.waiting(room_id)}

    async def waiting(self, room_id: str) -> int:
        """How many reports wait in a room."""
        return await self._acts.ctx.db.read(lambda snapshot: _count(snapshot, room_id))

    async def tell_waiting(self, room_id: str) -> None:
        """Tell the moderators how many reports wait, after some may have gone with their messages.

        While nobody else can report in the room, so that no older number is told after a newer one.
        """

        async def work(tx: Transaction) -> None:
            await tx.lock_room(room_id)
            tx.tell(room_id, "report_count", {"open": await _count(tx, room_id)}, moderators=True)

        await self._acts.ctx.db.transaction(work, room_id)

    async def resolve(self, by: Session, data: Mapping[str, Any]) -> Mapping[str, Any]:
        """All reports of that message are dealt with. Raises `not_found`."""

        async def work(tx: Transaction, _: int) -> Mapping[str, Any]:
            row = await tx.fetch_one(statements.SELECT_OPEN_REPORT, {"room": by.room_id, "report": data["report_id"]})
            if row is None:
                raise ChatError("not_found", "There is no such report, or somebody has dealt with it.")
            done = {"message": row["message_id"], "resolved": self._acts.now}
            resolved = await tx.execute(statements.RESOLVE_REPORTS, done)
            await self._log.write(tx, by.room_id, "resolve", resolved, by=by)
            told = {"messageId": row["message_id"], "open": await _count(tx, by.room_id)}
            tx.tell(by.room_id, "report_resolved", told, moderators=True)
            return told | {"resolved": resolved}

        return await self._acts.as_moderator(by, work)


async def _count(tx: Any, room_id: str) -> int:
    row = await tx.fetch_one(statements.COUNT_REPORTS, {"room": room_id})
    return row["count"] if row else 0


def _wire(row: Mapping[str, Any] | Row, message: Message | None) -> dict[str, Any]:
    """A report as moderators see it. Who made it stays hidden, so that nobody has to fear to report."""
    author = {"sessionId": message.session_id, "username": message.username} if message else None
    return {
        "reportId": row["id"],
        "messageId": row["message_id"],
        "reason": row["reason"],
        "createdAt": iso(row["at"]),
        "author": author,
        "text": message.content.get("text", "") if message else "",
    }
