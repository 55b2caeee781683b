"""Reports: participants point at a message, moderators work through them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from anonchat import RANK_OWNER, ChatError, Message, Row, Session, Statements, Transaction, iso, new_id
from anonchat_moderation import statements
from anonchat_moderation.acts import Acts, Person, mark_of
from anonchat_moderation.log import Log
from anonchat_moderation.pages import read_page

RATE = "10/minute"  # reports of one person
OPEN = 1_000  # that may wait in a room
MODERATORS = 1_000  # of a room that are told


class Reports:
    """One report for each message and person, for those above the author. It goes with its message."""

    def __init__(self, acts: Acts, log: Log) -> None:
        self._acts = acts
        self._log = log

    async def report(self, by: Session, data: Mapping[str, Any]) -> Mapping[str, Any]:
        """Point at a message; a second time changes nothing.

        Who stands above its author hears of it at once, but not from whom. Raises `conflict` where nobody does.
        """
        await self._acts.ctx.limits.hit("reports", RATE, mark_of(by))
        row = {
            "id": new_id(),
            "room_id": by.room_id,
            "message_id": data["message_id"],
            "session_id": by.id,
            "reporter": mark_of(by),
            "reason": data["reason"],
            "at": self._acts.now,
            "resolved_at": None,
        }

        async def work(tx: Transaction) -> None:
            message = await self._find(tx, by, data["message_id"])
            counted = await tx.fetch_one(statements.COUNT_REPORTS, {"room": by.room_id})
            if counted is not None and counted["count"] >= OPEN:
                raise ChatError("conflict", "There are more reports than the moderators of this room can read.")
            if await tx.execute(statements.INSERT_REPORT, row):
                queue = await _read_queue(tx, by.room_id)
                author = await _author_of(tx, message.id)
                if queue.is_for_nobody(author):
                    raise ChatError("conflict", "Nobody in this room stands above who wrote this.")
                queue.tell(tx, "message_reported", _wire(row, message), author)

        await self._acts.in_room(by.room_id, work)
        return {"messageId": data["message_id"]}

    async def _find(self, tx: Transaction, by: Session, message_id: str) -> Message:
        """What is to be reported; the room is locked, so that nobody deletes it meanwhile."""
        message = (await self._acts.ctx.messages.get(by.room_id, [message_id], tx)).get(message_id)
        if message is None or message.seq is None or message.deleted_at is not None:
            raise ChatError("message_not_found")
        if message.session_id == by.id:
            raise ChatError("forbidden", "This is your own message; you can delete it.")
        return message

    async def read(self, by: Session, data: Mapping[str, Any]) -> Mapping[str, Any]:
        """A page of the reports that wait for `by`, the newest first, with the messages that they are about."""
        db, viewer = self._acts.ctx.db, {"viewer": by.id, "rank": by.rank}
        rows, more = await read_page(db, statements.SELECT_REPORTS, statements.SELECT_REPORT, by, data, **viewer)
        messages = await self._acts.ctx.messages.get(by.room_id, [row["message_id"] for row in rows])
        reports = [_wire(row, messages.get(row["message_id"])) for row in rows]
        return {"reports": reports, "hasMore": more, "open": await self.waiting(by)}

    async def waiting(self, viewer: Session) -> int:
        """How many reports wait for a moderator."""
        authors = await self._acts.ctx.db.read(lambda snapshot: _read_authors(snapshot, viewer.room_id))
        return _Queue(viewer.room_id, authors, {}).open_for(viewer.id, viewer.rank)

    async def tell_waiting(self, room_id: str) -> None:
        """Tell the moderators how many reports wait, after some may have gone with their messages.

        While nobody else can report in the room, so that no older number is told after a newer one.
        """

        async def work(tx: Transaction) -> None:
            await tx.lock_room(room_id)
            (await _read_queue(tx, room_id)).tell(tx, "report_count", {})

        await self._acts.ctx.db.transaction(work, room_id)

    async def forget(self, tx: Transaction, session: Session) -> None:
        """Somebody leaves and wants to be forgotten, with what they reported; the core has locked the room."""
        if await tx.execute(statements.FORGET_REPORTS, {"room": session.room_id, "session": session.id}):
            (await _read_queue(tx, session.room_id)).tell(tx, "report_count", {})

    async def resolve(self, by: Session, data: Mapping[str, Any]) -> Mapping[str, Any]:
        """All reports of that message are dealt with. Raises `not_found`, also where it is not for `by` to decide."""

        async def work(tx: Transaction, rank: int) -> Mapping[str, Any]:
            wanted = {"room": by.room_id, "report": data["report_id"], "viewer": by.id, "rank": rank}
            row = await tx.fetch_one(statements.SELECT_OPEN_REPORT, wanted)
            if row is None:
                raise ChatError("not_found", "There is no such report, or somebody has dealt with it.")
            before, author = await _read_queue(tx, by.room_id), await _author_of(tx, row["message_id"])
            done = {"message": row["message_id"], "resolved": self._acts.now}
            resolved = await tx.execute(statements.RESOLVE_REPORTS, done)
            target = Person(row["session_id"], row["username"])
            await self._log.write(tx, by.room_id, "resolve", resolved, by=by, target=target)
            queue = before.without(author, resolved)
            told = {"messageId": row["message_id"]}
            queue.tell(tx, "report_resolved", told, author)
            return told | {"open": queue.open_for(by.id, rank), "resolved": resolved}

        return await self._acts.as_moderator(by, work)


class _Author(NamedTuple):
    """Who wrote a message, and their rank; of who has left, that when they wrote it."""

    id: str
    rank: int


@dataclass(frozen=True, slots=True)
class _Queue:
    """How many reports wait in a room, by author; and its moderators, if any do: session -> rank."""

    room_id: str
    authors: Mapping[_Author, int]
    moderators: Mapping[str, int]

    def open_for(self, viewer: str, rank: int) -> int:
        """How many of the reports a moderator may see."""
        return sum(count for author, count in self.authors.items() if _may_see(viewer, rank, author))

    def _viewers(self, author: _Author | None) -> Sequence[str]:
        """Those who may see what is reported of an author; None: all moderators."""
        return [viewer for viewer, rank in self.moderators.items() if author is None or _may_see(viewer, rank, author)]

    def is_for_nobody(self, author: _Author) -> bool:
        """Whether an owner is reported where there is no other one. Who stands above others may still come."""
        return author.rank == RANK_OWNER and not self._viewers(author)

    def without(self, author: _Author, count: int) -> _Queue:
        """The same with so many reports less."""
        return replace(self, authors={**self.authors, author: self.authors[author] - count})

    def tell(self, tx: Transaction, event: str, data: Mapping[str, Any], author: _Author | None = None) -> None:
        """Tell those who may see what is reported of `author`, each with the number of reports that wait for them."""
        if not self.authors:
            tx.tell(self.room_id, event, {**data, "open": 0}, moderators=True)
        viewers: dict[int, list[str]] = {}
        for viewer in self._viewers(author):
            viewers.setdefault(self.open_for(viewer, self.moderators[viewer]), []).append(viewer)
        for count, only in viewers.items():
            tx.tell(self.room_id, event, {**data, "open": count}, only=only)


def _may_see(viewer: str, rank: int, author: _Author) -> bool:
    """As `SELECT_REPORTS` has it."""
    return viewer != author.id and (author.rank < rank or rank == RANK_OWNER)


async def _author_of(tx: Statements, message_id: str) -> _Author:
    """Of a message that is there."""
    row = await tx.fetch_one(statements.SELECT_RANKED, {"message": message_id})
    assert row is not None
    return _Author(row["session_id"], row["rank"])


async def _read_authors(tx: Statements, room_id: str) -> Mapping[_Author, int]:
    rows = await tx.fetch_all(statements.COUNT_BY_AUTHOR, {"room": room_id})
    return {_Author(row["session_id"], row["rank"]): row["count"] for row in rows}


async def _read_queue(tx: Statements, room_id: str) -> _Queue:
    authors = await _read_authors(tx, room_id)
    # They are looked for among all sessions of the room, so not at every deletion where nothing is reported.
    rows = await tx.fetch_all(statements.SELECT_MODERATORS, {"room": room_id, "limit": MODERATORS}) if authors else ()
    return _Queue(room_id, authors, {row["id"]: row["rank"] for row in rows})


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
