"""The log: what was done, by whom, to whom. Participants may read it without names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from anonchat import ChatError, Row, Session, Transaction, iso, new_id
from anonchat_moderation import statements
from anonchat_moderation.acts import Acts, Person
from anonchat_moderation.pages import read_page

GATHERED = frozenset({"removed", "held", "released", "dropped"})  # acts that come in bursts
GATHERED_OF_RULES = GATHERED | {"mute"}
GATHER_MILLISECONDS = 5_000  # in which acts of one kind by one person are one entry
APART_MILLISECONDS = 60_000  # that clocks of nodes may be apart
TOLD = 100  # entries that one run of the job tells at most
TRIMMED = 100  # entries that one new entry pushes out at most


class Log:
    """Entries of a room: at most `log_entries` of people and as many of rules, and none older than `log_seconds`.

    So nobody pushes what moderators did out of the log by making rules act.
    """

    def __init__(self, acts: Acts) -> None:
        self._acts = acts

    async def write(
        self,
        tx: Transaction,
        room_id: str,
        act: str,
        count: int = 1,
        *,
        by: Session | None = None,
        target: Session | Person | None = None,
        reason: str | None = None,
        until: int | None = None,
    ) -> None:
        """Add an entry in the transaction of the act; `by` None: a rule did it, not a person.

        The room hears of it by `moderation_log`, with the commit. Acts in `GATHERED`, and mutes by rules, are counted
        for five seconds first, so that three deletions are one line, and told by the job. Raises `room_ended`: the room
        is locked here, which is too late for who has locked anything else before.
        """
        await tx.lock_room(room_id)
        row = self._row(room_id, act, count, by, target)
        row |= {"reason": reason, "until": until}
        if act in (GATHERED_OF_RULES if by is None else GATHERED):
            is_new = await self._gather(tx, row)
        else:
            is_new = bool(await tx.execute(statements.INSERT_ENTRY, row | await _next_number(tx, room_id)))
            await self._tell(tx, row)
        if is_new:
            most = self._acts.ctx.config["log_entries"]
            trim = statements.TRIM_RULES if by is None else statements.TRIM_PEOPLE
            await tx.execute(trim, {"room": room_id, "limit": TRIMMED, "most": most})

    def _row(
        self, room_id: str, act: str, count: int, by: Session | None, target: Session | Person | None
    ) -> dict[str, Any]:
        return {
            "id": new_id(),
            "room_id": room_id,
            "act": act,
            "count": count,
            "by_session": by.id if by else None,
            "by_name": by.username if by else None,
            "target_session": target.id if target else None,
            "target_name": target.username if target else None,
            "at": self._acts.now,
            "pending": None,
        }

    async def _gather(self, tx: Transaction, row: dict[str, Any]) -> bool:
        """Count the act in the entry that is being gathered, or begin one; answers whether it began one."""
        key = f"{row['act']}:{row['by_session'] or ''}"
        more = {"room": row["room_id"], "key": key, "more": row["count"], "target": row["target_session"]}
        if await tx.execute(statements.GATHER, more):
            return False
        await tx.execute(statements.INSERT_ENTRY, row | {"pending": key} | await _next_number(tx, row["room_id"]))
        return True

    async def _tell(self, tx: Transaction, row: Mapping[str, Any]) -> None:
        if self._acts.ctx.config["public_log"]:
            await tx.append(row["room_id"], "moderation_log", public_wire(row))

    async def tell_gathered(self) -> None:
        """The job: tell the entries whose five seconds are over, or whose time a clock that was ahead has set."""
        now = self._acts.now
        due = {"before": now - GATHER_MILLISECONDS, "ahead": now + APART_MILLISECONDS, "limit": TOLD}
        for row in await self._acts.ctx.db.fetch_all(statements.SELECT_GATHERED, due):
            await self._close(row["room_id"], row["id"])

    async def _close(self, room_id: str, entry_id: str) -> None:
        async def work(tx: Transaction) -> None:
            row = await tx.fetch_one(statements.CLOSE_ENTRY, {"entry": entry_id})
            if row is not None:
                await self._tell(
                    tx, {name: row[name] for name in ("id", "room_id", "act", "count", "by_session", "at")}
                )

        try:
            await self._acts.in_room(room_id, work)
        except ChatError as error:
            if error.code != "room_ended":
                raise
            await self._acts.ctx.db.transaction(lambda tx: tx.execute(statements.CLOSE_ENTRY, {"entry": entry_id}))

    async def read(self, by: Session, data: Mapping[str, Any]) -> Mapping[str, Any]:
        """A page of the log, newest first: for moderators with names, for others without. Raises `not_moderator`."""
        if not by.is_moderator and not self._acts.ctx.config["public_log"]:
            raise ChatError("not_moderator", "In this place only moderators may read the log.")
        rows, more = await read_page(self._acts.ctx.db, statements.SELECT_LOG, statements.SELECT_ENTRY, by, data)
        shown = full_wire if by.is_moderator else public_wire
        return {"entries": [shown(row) for row in rows], "hasMore": more}


async def _next_number(tx: Transaction, room_id: str) -> dict[str, int]:
    """The number of a new entry; the room is locked, so that nobody else takes it."""
    row = await tx.fetch_one(statements.SELECT_LAST, {"room": room_id})
    return {"number": 1 + (row["number"] if row else 0)}


def public_wire(row: Mapping[str, Any] | Row) -> dict[str, Any]:
    """An entry as participants may see it: whom it concerned, who did it and why is not in it."""
    return {
        "entryId": row["id"],
        "act": row["act"],
        "count": row["count"],
        "by": "moderator" if row["by_session"] else "rule",
        "at": iso(row["at"]),
    }


def full_wire(row: Mapping[str, Any] | Row) -> dict[str, Any]:
    """An entry as moderators see it, with the names of that time."""
    until = row["until"]
    return public_wire(row) | {
        "byUser": _user(row["by_session"], row["by_name"]),
        "target": _user(row["target_session"], row["target_name"]),
        "reason": row["reason"],
        "until": iso(until) if until is not None else None,
    }


def _user(session_id: str | None, username: str | None) -> dict[str, Any] | None:
    return {"sessionId": session_id, "username": username} if session_id else None
