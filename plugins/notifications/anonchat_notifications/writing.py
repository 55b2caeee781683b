"""Notifications are written in transactions, the core's and other plugins' among them, and told once these are committed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from anonchat import Message, PluginContext, Row, Transaction
from anonchat_notifications import statements
from anonchat_notifications.entries import NewRow, entry_wire, new_row, next_place, personal, shared
from anonchat_notifications.schemas import MODERATION, POLL_CLOSED, VOTES

MOST_MEANT = 10_000  # sessions of a room that are told what is for everybody
MOST_UNTRIMMED = 10_000  # people whose new rows are counted

About = Mapping[str, Message]
"""The messages that rows are about, by id."""


class Writing:
    """Writes rows and tells who is there of them. It keeps at most so many for each."""

    def __init__(self, ctx: PluginContext) -> None:
        self._clock = ctx.clock
        self._messages = ctx.messages
        self._kept_per_person = ctx.config["kept_per_person"]
        self._kept_per_room = ctx.config["kept_per_room"]
        self._patience = self._kept_per_person // 10  # rows of one person that may be too many for a while
        self._untrimmed: dict[str, int] = {}

    # --- what there is to write

    async def of_messages(self, tx: Transaction, messages: Sequence[Message]) -> None:
        """Those whom messages concern. For people at most four statements, however many messages."""
        now, about = self._clock.now(), {message.id: message for message in messages}
        replied = list({message.reply_to_id for message in messages if message.reply_to_id is not None})
        rows = await tx.fetch_all(statements.SELECT_AUTHORS, {"messages": replied}) if replied else ()
        authors = {row["id"]: row["session_id"] for row in rows}
        await self._to_people(tx, [row for message in messages for row in personal(message, authors, now)], about)
        await self._to_everybody(tx, [row for message in messages for row in shared(message, now)], about)

    async def of_act(self, tx: Transaction, room_id: str, act: str, session_id: str, until: int | None) -> None:
        """Somebody whom moderation has acted upon."""
        place, now = await next_place(tx, room_id, session_id), self._clock.now()
        row = new_row(place, now, room_id, MODERATION, session_id=session_id, act=act, until=until)
        await self._to_people(tx, [row], {})

    async def of_closed_poll(self, tx: Transaction, room_id: str, message_id: str, owner_id: str) -> None:
        """Everybody but the owner."""
        place, now = await next_place(tx, room_id), self._clock.now()
        row = new_row(place, now, room_id, POLL_CLOSED, message_id=message_id, actor_id=owner_id)
        await self._to_everybody(tx, [row], await self._messages.get(room_id, [message_id], tx))

    async def of_votes(self, tx: Transaction, room_id: str, message_id: str, owner_id: str, others: int) -> None:
        """The owner of a poll: one unread row a poll, whose number grows."""
        place, now = await next_place(tx, room_id, owner_id), self._clock.now()
        row = new_row(place, now, room_id, VOTES, session_id=owner_id, message_id=message_id, voters=others)
        written = await tx.fetch_one(statements.UPSERT_VOTES, row)
        if written is not None:
            _tell(tx, written, await self._messages.get(room_id, [message_id], tx), [owner_id])
            await self._trim(tx, [owner_id])

    # --- how

    async def _to_people(self, tx: Transaction, rows: Sequence[NewRow], about: About) -> None:
        """Rows for one person each, who is still there and wants them, of an actor who is not muted."""
        written = await _written(tx, rows)
        for row in written:
            _tell(tx, row, about, [row["session_id"]])
        await self._trim(tx, sorted({row["session_id"] for row in written}))

    async def _to_everybody(self, tx: Transaction, rows: Sequence[NewRow], about: About) -> None:
        """Rows for everybody in a room. There are few, since moderators and polls make them."""
        for row in rows:
            if await tx.execute(statements.INSERT_SHARED, row):
                meant = await tx.fetch_all(statements.SELECT_MEANT, {**row, "limit": MOST_MEANT})
                _tell(tx, row, about, [session["id"] for session in meant])
        if rows:
            rooms = sorted({row["room_id"] for row in rows})
            await tx.execute_many(
                statements.TRIM_SHARED, [{"room": room, "most": self._kept_per_room} for room in rooms]
            )

    async def _trim(self, tx: Transaction, recipients: Sequence[str]) -> None:
        """Drop what is too old to be kept, of those for whom enough was written to be worth it."""
        due = [{"session_id": one, "most": self._kept_per_person} for one in recipients if self._is_due(one)]
        if due:
            await tx.execute_many(statements.TRIM_PERSONAL, due)

    def _is_due(self, recipient: str) -> bool:
        """Counted where the transaction is driven; one that is run again only counts once more."""
        count = self._untrimmed.pop(recipient, 0) + 1
        if count >= self._patience:
            return True
        if len(self._untrimmed) >= MOST_UNTRIMMED:
            self._untrimmed.clear()
        self._untrimmed[recipient] = count
        return False


async def _written(tx: Transaction, rows: Sequence[NewRow]) -> Sequence[NewRow]:
    """Insert rows for people; answers those that are there now. Mostly it is one, which costs one statement."""
    if len(rows) <= 1:
        return [row for row in rows if await tx.execute(statements.INSERT_PERSONAL, row)]
    await tx.execute_many(statements.INSERT_PERSONAL, rows)
    found = await tx.fetch_all(statements.SELECT_WRITTEN, {"entries": [row["id"] for row in rows]})
    written = {row["id"] for row in found}
    return [row for row in rows if row["id"] in written]


def _tell(tx: Transaction, row: Row | NewRow, about: About, recipients: Sequence[str]) -> None:
    wire = entry_wire(row, about.get(row["message_id"]))
    if wire is not None:
        tx.tell(row["room_id"], "notification", wire, only=recipients)
