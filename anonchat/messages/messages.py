"""Messages that are stored: finding, changing and removing them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import orjson
import structlog

from anonchat.clock import Clock, iso
from anonchat.delivery.journal import Journal, Transaction
from anonchat.errors import ChatError
from anonchat.messages.content import is_storable, text_of
from anonchat.models import (
    RANK_MODERATOR,
    RANK_PARTICIPANT,
    Edit,
    Event,
    Message,
    Session,
)
from anonchat.plugins.dispatch import Dispatcher
from anonchat.protocol.schemas import message_wire
from anonchat.storage.roles import Reads
from anonchat.store import messages as statements
from anonchat.store import rooms as room_statements
from anonchat.store import sessions as session_statements

log = structlog.get_logger("anonchat.messages")

CHUNK = 200  # messages that one transaction deletes at most
WALKED = 10_000  # positions that it walks through at most, to find them


class Messages:
    """The rules about messages."""

    def __init__(
        self,
        journal: Journal,
        dispatcher: Dispatcher,
        clock: Clock,
        *,
        text_length: int,
        edit_window_seconds: float,
    ) -> None:
        self._journal = journal
        self._dispatcher = dispatcher
        self._clock = clock
        self._text_length = text_length
        self._edit_window = round(edit_window_seconds * 1_000)

    # --- changing

    async def edit(self, session: Session, message_id: str, raw: str) -> Message:
        """Change one's own message while the window is open; members get `message_edited`.

        Raises `message_not_found`, `forbidden`, `edit_window_over`, and what a plugin's `filter_edit` says.
        """
        text = text_of(raw, self._text_length)
        message = await self.find(session.room_id, message_id)
        self._check_edit(message, session)
        edit = Edit(message, session, {"type": "text", "text": text}, message.mentions)
        answer, _ = await self._dispatcher.filter("filter_edit", "edit", edit, fits=_is_edit_of)
        changed = await self._journal.transaction(lambda tx: self._store_edit(tx, answer), session.room_id)
        self._dispatcher.observe("message_edited", message=changed)
        return changed

    def _check_edit(self, message: Message, session: Session) -> None:
        if message.session_id != session.id:
            raise ChatError("forbidden", "Only its author may change a message.")
        if message.deleted_at is not None or message.seq is None:
            raise ChatError("message_not_found")
        if message.content.get("type") != "text":
            raise ChatError("forbidden", "This message cannot be changed.")
        if self._clock.now() > message.created_at + self._edit_window:
            raise ChatError("edit_window_over")

    async def _store_edit(self, tx: Transaction, edit: Edit) -> Message:
        message_id, room_id = edit.message.id, edit.message.room_id
        seq = await tx.take_seq(room_id)
        await tx.present_rank(edit.session)  # who was kicked meanwhile changes nothing
        before = await _fetch(tx, room_id, message_id)
        self._check_edit(before, edit.session)
        change = {
            "message": message_id,
            "new_content": orjson.dumps(edit.content).decode(),
            "new_mentions": orjson.dumps(edit.mentions).decode() if edit.mentions else None,
            "now": self._clock.now(),
            "changed": seq,
        }
        await tx.execute(statements.UPDATE_EDITED, change)
        message = await _fetch(tx, room_id, message_id)
        await tx.record(Event(room_id, "message_edited", {"message": message_wire(message)}, seq, message_id), None)
        return message

    # --- removing

    async def delete(self, session: Session, message_id: str) -> None:
        """Delete one's own message or, as a moderator, that of somebody of a lower rank; members get `message_deleted`.

        What was written is gone from the database with the commit. Raises `message_not_found`, `forbidden`,
        `rank_too_low`, and what a plugin's `check_delete` says.
        """
        message = await self.find(session.room_id, message_id)
        by = "author" if message.session_id == session.id else "moderator"
        if by == "moderator" and not session.is_moderator:
            raise ChatError("forbidden", "Only its author or a moderator may delete a message.")
        await self._dispatcher.guard("check_delete", message=message, session=session)

        async def work(tx: Transaction) -> None:
            held = message.seq is None
            seq = await tx.take_seq(message.room_id, 0 if held else 1)  # locks the room, also for a held one
            before = await _fetch(tx, message.room_id, message_id)
            if before.deleted_at is not None or (held and before.seq is not None):
                raise ChatError("message_not_found" if not held else "conflict")
            rank = await tx.present_rank(session)
            if by == "moderator":
                await _check_rank(tx, before, rank)
            await self._dispatcher.write("write_deleted", tx, message=before, session=session)
            if held:  # nobody has seen it
                await tx.execute(statements.DELETE_MESSAGES, {"messages": [message_id]})
                return
            now = self._clock.now()
            # Put anew, not overwritten: so everything goes that hangs on the message, also of plugins that are off.
            await tx.execute(statements.DELETE_MESSAGES, {"messages": [message_id]})
            await tx.execute(statements.INSERT_MESSAGE, statements.row_of(statements.tombstone_of(before, now, seq)))
            data = {"messageId": message_id, "by": by, "deletedAt": iso(now)}
            await tx.record(Event(message.room_id, "message_deleted", data, seq), orjson.dumps(data).decode())

        await self._journal.transaction(work, message.room_id)
        self._dispatcher.observe("message_deleted", message_id=message_id, room_id=message.room_id, by=by)

    async def remove_of(self, room_id: str, session_id: str, reason: str) -> int:
        """Delete everything that one session wrote in the room, in lots; members get `messages_removed`."""
        removed = 0
        after: int | None = 0
        while after is not None:
            some = partial(remove_some, room_id=room_id, session_id=session_id, reason=reason, after=after)
            count, after = await self._journal.transaction(some, room_id)
            removed += count
        return removed

    async def get(self, room_id: str, message_ids: Sequence[str], tx: Reads | None = None) -> Mapping[str, Message]:
        """Id -> message, of those that are in the room: also held and deleted ones. In `tx` it is as `tx` sees it."""
        rows = await (tx or self._journal).fetch_all(statements.SELECT_MESSAGES, {"messages": list(message_ids)})
        found = (statements.message_of(row) for row in rows)
        return {message.id: message for message in found if message.room_id == room_id}

    async def find(self, room_id: str, message_id: str) -> Message:
        row = await self._journal.fetch_one(statements.SELECT_MESSAGE, {"room": room_id, "message": message_id})
        if row is None:
            raise ChatError("message_not_found")
        return statements.message_of(row)


async def remove_some(
    tx: Transaction, room_id: str, session_id: str, reason: str, after: int
) -> tuple[int, int | None]:
    """Delete at most `CHUNK` of what a session wrote after a position, and tell the members.

    Answers how many, and after which position to go on: None when nothing of the session is left.
    """
    room = await tx.fetch_one(room_statements.LOCK_ROOM, {"room": room_id})
    last, through = 0 if room is None else room["seq"], after + WALKED
    wanted = {"room": room_id, "session": session_id, "after": after, "through": through, "limit": CHUNK}
    rows = await tx.fetch_all(statements.SELECT_AUTHORED, wanted)
    if len(rows) == CHUNK:
        following: int | None = rows[-1]["seq"]
    elif through < last:
        following = through
    else:
        # Whoever waits for a moderator has no position yet.
        held = await tx.fetch_all(statements.SELECT_AUTHORED_HELD, {**wanted, "limit": CHUNK - len(rows)})
        rows = [*rows, *held]
        following = last if len(rows) == CHUNK else None
    if rows:
        await tx.execute(statements.DELETE_MESSAGES, {"messages": [row["id"] for row in rows]})
    visible = [row["id"] for row in rows if row["seq"] is not None]
    if visible:
        await tx.append(room_id, "messages_removed", {"messageIds": visible, "reason": reason})
    return len(rows), following


async def _fetch(tx: Transaction, room_id: str, message_id: str) -> Message:
    row = await tx.fetch_one(statements.SELECT_MESSAGE, {"room": room_id, "message": message_id})
    if row is None:
        raise ChatError("message_not_found")
    return statements.message_of(row)


async def _check_rank(tx: Transaction, message: Message, rank: int) -> None:
    """Raise `not_moderator` or `rank_too_low` unless whoever has this rank stands above who wrote the message."""
    if rank == RANK_PARTICIPANT:
        raise ChatError("not_moderator")
    if await _author_rank(tx, message) >= rank:
        raise ChatError("rank_too_low")


async def _author_rank(tx: Transaction, message: Message) -> int:
    """The rank of who wrote a message; of somebody who has left, as it was then."""
    row = await tx.fetch_one(session_statements.SELECT_SESSION, {"session": message.session_id})
    if row is not None:
        return int(row["rank"])
    return RANK_MODERATOR if message.role == "moderator" else RANK_PARTICIPANT


def _is_edit_of(before: Edit, after: Edit) -> bool:
    """Whether a filter has changed only what it may: content and mentions."""
    return (
        after.message is before.message
        and after.session is before.session
        and is_storable(after.content, after.mentions)
    )
