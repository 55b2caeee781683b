"""The writer of messages: all sends that wait become one batch of one transaction, where they get their seq.

This is the fast path of a send: a batch costs a handful of statements, however many messages are in it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeGuard

import structlog

from anonchat.clock import Clock
from anonchat.delivery.journal import Journal, Transaction
from anonchat.errors import ChatError
from anonchat.ids import MessageIds
from anonchat.messages.receipts import Key, Receipts, key_of
from anonchat.models import Draft, Held, Message, Receipt
from anonchat.observability.metrics import Metrics
from anonchat.plugins.dispatch import Dispatcher
from anonchat.protocol.schemas import message_event
from anonchat.storage.roles import MANY_ROOMS, Locked
from anonchat.store import messages as statements
from anonchat.store import rooms as room_statements
from anonchat.store import sessions as session_statements

log = structlog.get_logger("anonchat.writer")

BATCH = 500
STORAGE = frozenset({"storage_full", "storage_unavailable", "overloaded"})  # errors that are nobody's own
WAITING = 20_000  # sends that may wait before new ones are refused as `overloaded`

Done = Callable[[Receipt | ChatError], None]


@dataclass(slots=True)
class _Send:
    """One send on its way into the database, and all who wait for it (a repetition waits for the first)."""

    draft: Draft
    held: Held | None
    waiting: list[Done]
    message: Message | None = None
    outcome: Receipt | ChatError | None = None
    is_answered: bool = False

    @property
    def is_stored(self) -> bool:
        """Whether this very send is stored now."""
        return self.message is not None and isinstance(self.outcome, Receipt)

    @property
    def key(self) -> Key:
        return key_of(self.draft)


class Writer:
    """Collects sends and writes them in batches, one batch at a time.

    A room that somebody else has locked, or whose batch failed, is written by itself until nothing waits there, so that
    nobody elsewhere waits for it.
    """

    def __init__(
        self, journal: Journal, receipts: Receipts, dispatcher: Dispatcher, metrics: Metrics, clock: Clock
    ) -> None:
        self._journal = journal
        self._receipts = receipts
        self._dispatcher = dispatcher
        self._metrics = metrics
        self._clock = clock
        self._ids = MessageIds()
        self._sends: dict[Key, _Send] = {}
        self._waiting: list[_Send] = []
        self._writing: asyncio.Task[None] | None = None
        self._apart: dict[str, list[_Send]] = {}  # room -> what waits there to be written by itself
        self._writing_apart: set[asyncio.Task[None]] = set()

    def has(self, key: Key) -> bool:
        """Whether the same send is on its way already."""
        return key in self._sends

    def join(self, draft: Draft, done: Done) -> bool:
        """If the same send is on its way already, wait for it; answers whether it is."""
        send = self._sends.get(key_of(draft))
        if send is None:
            return False
        send.waiting.append(done)
        return True

    def submit(self, draft: Draft, done: Done, held: Held | None = None) -> None:
        """Have a message stored; `done` is called after its commit. Raises `overloaded` if too many wait."""
        if len(self._sends) >= WAITING:
            raise ChatError("overloaded", retry_after_ms=1_000)
        if self.join(draft, done):
            return
        send = _Send(draft, held, [done])
        self._sends[send.key] = send
        if draft.room_id in self._apart:
            self._apart[draft.room_id].append(send)
            return
        self._waiting.append(send)
        if self._writing is None:
            self._writing = asyncio.create_task(self._write_all())

    async def finish(self) -> None:
        """Wait until everything submitted so far is stored and answered; what others submit meanwhile is not waited for."""
        if not self._sends:
            return
        answered, left = asyncio.Event(), len(self._sends)

        def one_less(_: object) -> None:
            nonlocal left
            left -= 1
            if not left:
                answered.set()

        for send in self._sends.values():  # not the last alone: where a batch failed, each is answered by itself
            send.waiting.append(one_less)
        await answered.wait()

    async def _write_all(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[:BATCH], self._waiting[BATCH:]
                failure = await self._write(batch, MANY_ROOMS)
                if isinstance(failure, Locked) and _rooms_of(batch) > 1:
                    failure = await self._write(batch, MANY_ROOMS, waits=False)
                if _is_of_the_storage(failure):
                    self._refuse(batch, failure)
                else:
                    self._set_apart([send for send in batch if not send.is_answered])
        finally:
            self._writing = None

    def _set_apart(self, left: Sequence[_Send]) -> None:
        """Have what could not be stored with the rest written by itself, room by room, while the others go on."""
        if not left:
            return
        for room_id in {send.draft.room_id for send in left}:
            self._apart[room_id] = []
            task = asyncio.create_task(self._write_apart(room_id))
            self._writing_apart.add(task)
            task.add_done_callback(self._writing_apart.discard)
        waiting, self._waiting = self._waiting, []
        for send in (*left, *waiting):  # in the order of their coming
            self._apart.get(send.draft.room_id, self._waiting).append(send)

    async def _write_apart(self, room_id: str) -> None:
        """Write what is sent in one room until nothing waits there."""
        try:
            while waiting := self._apart[room_id]:
                batch, self._apart[room_id] = waiting[:BATCH], waiting[BATCH:]
                failure = await self._write(batch, room_id)
                if failure is None:
                    continue
                if len(batch) == 1 or _is_of_the_storage(failure) or isinstance(failure, Locked):
                    self._refuse(batch, failure)
                else:
                    # One of them cannot be stored, or lost a race against another node, which may have stored the same
                    # send: alone, the others stand, and that one finds its receipt.
                    await asyncio.gather(*(self._write_one(send) for send in batch))
        finally:
            del self._apart[room_id]

    async def _write_one(self, send: _Send) -> None:
        failure = await self._write([send], send.draft.room_id)
        if failure is not None:
            self._refuse([send], failure)

    async def _write(self, batch: Sequence[_Send], room: str, *, waits: bool = True) -> BaseException | None:
        """Store sends in one transaction, and answer them. If it fails nothing of it is stored, and nobody is answered.

        Unless it `waits` for rooms that somebody else has locked, what was sent there is left out.
        """
        with self._metrics.commit_seconds.time():
            try:
                await self._journal.transaction(
                    lambda tx: self._store(tx, batch, waits=waits), room, lambda: self._answer_all(batch)
                )
            except (Exception, asyncio.CancelledError) as error:
                if isinstance(error, asyncio.CancelledError) and _is_wanted():
                    raise
                return error
        self._answer_all(batch)
        self._metrics.messages.inc(sum(send.is_stored for send in batch))
        return None

    def _refuse(self, batch: Sequence[_Send], failure: BaseException) -> None:
        if not isinstance(failure, ChatError):
            log.error("a message could not be stored", exc_info=failure)
        for send in batch:
            send.outcome = failure if isinstance(failure, ChatError) else ChatError("internal")
        self._answer_all(batch)

    def _answer_all(self, batch: Sequence[_Send]) -> None:
        """Answer those who have no answer yet, and about whom it is decided."""
        for send in batch:
            if send.is_answered or send.outcome is None:
                continue
            send.is_answered = True
            try:
                self._answer(send, send.outcome)
            except Exception:
                log.exception("what follows a send failed")

    def _answer(self, send: _Send, outcome: Receipt | ChatError) -> None:
        del self._sends[send.key]
        for done in send.waiting:
            try:
                done(outcome)
            except Exception:
                log.exception("an answer to a send failed")
        if isinstance(outcome, Receipt) and outcome.seq is not None:  # one that is held will change
            self._receipts.remember(send.key, outcome)
        if send.message is not None and send.is_stored:
            if send.held is None:
                self._dispatcher.observe("message_saved", message=send.message)
            else:
                self._dispatcher.observe("message_held", message=send.message, held=send.held)

    # --- inside the transaction

    async def _store(self, tx: Transaction, batch: Sequence[_Send], *, waits: bool) -> None:
        """Decide on each send and store those that stand. May run again from its start."""
        now = self._clock.now()
        fresh = await self._undecided(tx, batch)
        if not waits:
            wanted = sorted({send.draft.room_id for send in fresh})
            free = {row["id"] for row in await tx.fetch_all(room_statements.LOCK_FREE_ROOMS, {"rooms": wanted})}
            fresh = [send for send in fresh if send.draft.room_id in free]
        await self._take_seqs(tx, fresh, now)
        stored = [(send, send.message) for send in fresh if send.message is not None]
        if not stored:
            return
        rows = [
            statements.row_of(message, send.held.until if send.held else None, send.held.reason if send.held else None)
            for send, message in stored
        ]
        await tx.execute_many(statements.INSERT_MESSAGE, rows)
        keys = [
            {
                "session_id": message.session_id,
                "client_msg_id": send.draft.client_msg_id,
                "message_id": message.id,
                "seq": message.seq,
                "created_at": now,
            }
            for send, message in stored
        ]
        await tx.execute_many(statements.INSERT_RECEIPT, keys)
        visible = [message for _, message in stored if message.seq is not None]
        if self._dispatcher.has("write_messages") and visible:
            await self._dispatcher.write("write_messages", tx, messages=visible)
        tx.publish(*(message_event(message) for message in visible))

    async def _undecided(self, tx: Transaction, batch: Sequence[_Send]) -> list[_Send]:
        """The sends that are new, whose session is still there, and that reply to something visible."""
        sessions = list({send.draft.session.id for send in batch})
        rows = await tx.fetch_all(statements.SELECT_RECEIPTS, {"keys": [send.key for send in batch]})
        known = {(row["session_id"], row["client_msg_id"]): statements.receipt_of(row) for row in rows}
        present = {
            row["id"] for row in await tx.fetch_all(session_statements.SELECT_PRESENT_IDS, {"sessions": sessions})
        }
        visible = await self._visible(tx, batch)
        fresh = []
        for send in batch:
            send.message = send.outcome = None
            reply = send.draft.reply_to_id
            if send.key in known:
                send.outcome = known[send.key]
            elif send.draft.session.id not in present:
                send.outcome = ChatError("session_expired")
            elif reply is not None and visible.get(reply) != send.draft.room_id:
                send.outcome = ChatError(
                    "message_not_found", "The message that this replies to is not there (any more)."
                )
            else:
                fresh.append(send)
        return fresh

    async def _visible(self, tx: Transaction, batch: Sequence[_Send]) -> Mapping[str, str]:
        """Message id -> room id of the messages replied to."""
        wanted = list({send.draft.reply_to_id for send in batch if send.draft.reply_to_id is not None})
        if not wanted:
            return {}
        rows = await tx.fetch_all(statements.SELECT_VISIBLE_IDS, {"messages": wanted})
        return {row["id"]: row["room_id"] for row in rows}

    async def _take_seqs(self, tx: Transaction, fresh: Sequence[_Send], now: int) -> None:
        """Number the sends of each room in the order of their coming."""
        counts = {send.draft.room_id: 0 for send in fresh}
        for send in fresh:
            counts[send.draft.room_id] += send.held is None
        last = await tx.take_seqs(counts) if counts else {}
        following = {room_id: seq - counts[room_id] + 1 for room_id, seq in last.items()}
        for send in fresh:
            room_id = send.draft.room_id
            if room_id not in following:
                send.outcome = ChatError("room_ended")
                continue
            seq = None
            if send.held is None:
                seq = following[room_id]
                following[room_id] += 1
            send.message = message = _message(send.draft, self._ids.next(now), seq, now)
            held_until, reason = (send.held.until, send.held.reason) if send.held else (None, None)
            send.outcome = Receipt(send.draft.client_msg_id, message.id, seq, now, held_until, reason)


def _rooms_of(batch: Sequence[_Send]) -> int:
    return len({send.draft.room_id for send in batch})


def _is_of_the_storage(failure: BaseException | None) -> TypeGuard[ChatError]:
    """Whether all storage has failed, and not one room of it: whatever is tried then is refused as well."""
    return isinstance(failure, ChatError) and failure.code in STORAGE and not isinstance(failure, Locked)


def _is_wanted() -> bool:
    """Whether somebody cancels the writer; a cancellation out of a transaction that nobody asked for is a failure of it."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _message(draft: Draft, message_id: str, seq: int | None, now: int) -> Message:
    session = draft.session
    return Message(
        id=message_id,
        room_id=draft.room_id,
        seq=seq,
        changed_seq=seq,
        session_id=session.id,
        username=session.username,
        anonymous_id=session.anonymous_id,
        role=session.role,
        avatar=session.avatar,
        content=draft.content,
        reply_to_id=draft.reply_to_id,
        mentions=draft.mentions,
        created_at=now,
    )
