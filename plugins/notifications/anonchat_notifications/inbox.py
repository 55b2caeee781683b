"""A person's inbox: what is in it, what was read, and what they want in it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from anonchat import ChatError, PluginContext, Reads, Row, Session, Transaction
from anonchat_notifications import statements
from anonchat_notifications.entries import entry_wire
from anonchat_notifications.schemas import MOST_IGNORED, PAGE, TYPES

Page = Mapping[str, Any]
"""Data of `notifications`."""

Preferred = Mapping[str, Any]
"""Data of `notification_preferences`."""


def _nothing(_: Page) -> None:
    """Nobody waits for it."""


class Inbox:
    """Reads and changes the inboxes of sessions."""

    def __init__(self, ctx: PluginContext) -> None:
        self._ctx = ctx

    # --- what is in it

    async def page(
        self, tx: Reads, session: Session, *, unread_only: bool = True, before: str | None = None, limit: int = PAGE
    ) -> Page:
        """Data of `notifications`, the newest first. At most four queries, and two where nothing is new."""
        mine = _of(session)
        wanted = {**mine, "also_read": int(not unread_only), "before": before or statements.LAST, "limit": limit + 1}
        personal = await tx.fetch_all(statements.SELECT_PERSONAL, wanted)
        shared = await tx.fetch_all(statements.SELECT_SHARED, wanted)
        rows = sorted((*personal, *shared), key=lambda row: str(row["id"]), reverse=True)
        is_all = unread_only and before is None and len(rows) <= limit
        return {
            "notifications": await self._wires(tx, session.room_id, rows[:limit]),
            "unread": len(rows) if is_all else await self.unread(tx, session),
            "hasMore": len(rows) > limit,
        }

    async def unread(self, tx: Reads, session: Session) -> int:
        """How many are unread."""
        row = await tx.fetch_one(statements.COUNT_UNREAD, _of(session))
        return row["unread"] if row else 0

    async def _wires(self, tx: Reads, room_id: str, rows: Sequence[Row]) -> list[dict[str, Any]]:
        wanted = list({row["message_id"] for row in rows if row["message_id"] is not None})
        messages = await self._ctx.messages.get(room_id, wanted, tx) if wanted else {}
        wires = (entry_wire(row, messages.get(row["message_id"]), is_read=bool(row["is_read"])) for row in rows)
        return [wire for wire in wires if wire is not None]

    # --- what was read; `answer` gets the page of what is unread then

    async def mark(self, session: Session, entry_id: str, answer: Callable[[Page], None] = _nothing) -> Page:
        """Mark one as read; one that was read already stays so. Raises `not_found`."""
        wanted = {**_of(session), "entry": entry_id, "now": self._ctx.clock.now()}

        async def work(tx: Transaction) -> None:
            if await tx.fetch_one(statements.SELECT_MINE, wanted) is None:
                raise ChatError("not_found", "There is no such notification.")
            await tx.execute(statements.MARK_PERSONAL, wanted)
            await tx.execute(statements.MARK_SHARED, wanted)

        return await self._change(session, work, answer)

    async def mark_all(self, session: Session, answer: Callable[[Page], None] = _nothing) -> Page:
        """Mark all as read that are there now."""
        wanted = {**_of(session), "now": self._ctx.clock.now()}

        async def work(tx: Transaction) -> None:
            await tx.execute(statements.MARK_ALL_PERSONAL, wanted)
            await tx.execute(statements.MARK_ALL_SHARED, wanted)

        return await self._change(session, work, answer)

    async def _change(
        self, session: Session, work: Callable[[Transaction], Awaitable[None]], answer: Callable[[Page], None]
    ) -> Page:
        """Do it, and tell every socket of the session what is unread then: in one transaction, so that nothing newer that it
        was told already is missing.
        """
        page: dict[str, Any] = {}

        async def run(tx: Transaction) -> None:
            await tx.lock_room(session.room_id)  # what is said meanwhile, and tells of itself, comes after this
            await work(tx)
            page.update(await self.page(tx, session))
            tx.tell(session.room_id, "notifications", page, only=[session.id])

        await self._ctx.db.transaction(run, session.room_id, lambda: answer(page))
        return page

    # --- what is wanted

    async def preferences(self, session: Session) -> dict[str, Any]:
        """Data of `notification_preferences`."""
        rows = await self._ctx.db.fetch_all(statements.SELECT_UNWANTED, {"me": session.id})
        return _preferences([row["what"] for row in rows])

    async def prefer(
        self,
        session: Session,
        types: Mapping[str, bool] | None,
        ignored: Sequence[str] | None,
        answer: Callable[[Preferred], None],
    ) -> None:
        """Change what is given and leave the rest; answers all of it. Only who is in the room can be ignored.

        What is not wanted any more leaves the inbox at once, in every tab.
        """
        mine = {"me": session.id, "room": session.room_id}
        preferred: dict[str, Any] = {}

        async def work(tx: Transaction) -> None:
            # The room is locked: of two tabs at once one is second, and neither list is mixed with the other.
            before = [row["what"] for row in await tx.fetch_all(statements.SELECT_UNWANTED, mine)]
            off = {what for what in before if what in TYPES} | {name for name, on in (types or {}).items() if not on}
            off -= {name for name, on in (types or {}).items() if on}
            people = [what for what in before if what not in TYPES]
            if ignored is not None:
                wanted = {"room": session.room_id, "sessions": sorted({*ignored} - {session.id})}
                people = [row["id"] for row in await tx.fetch_all(statements.SELECT_PRESENT, wanted)][:MOST_IGNORED]
            await tx.execute(statements.DELETE_UNWANTED, mine)
            rows = [{"session_id": session.id, "room_id": session.room_id, "what": what} for what in (*off, *people)]
            if rows:
                await tx.execute_many(statements.INSERT_UNWANTED, rows)
            preferred.update(_preferences([*off, *people]))
            tx.tell(session.room_id, "notification_preferences", preferred, only=[session.id])

        await self._change(session, work, lambda _: answer(preferred))


def _of(session: Session) -> dict[str, Any]:
    return {"me": session.id, "room": session.room_id, "joined": session.created_at}


def _preferences(unwanted: Sequence[str]) -> dict[str, Any]:
    return {
        "types": {name: name not in unwanted for name in TYPES},
        "ignored": sorted(what for what in unwanted if what not in TYPES),
    }
