"""The journal: durable events get their seq inside a transaction and are published after its commit, in its order."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextvars import ContextVar
from typing import Any, TypeVar

import orjson
from sqlalchemy.sql import ClauseElement

from anonchat.clock import Clock
from anonchat.errors import ChatError
from anonchat.models import RANK_PARTICIPANT, Audience, Event, Session
from anonchat.storage.roles import Database, Parameters, Row, Statements, Work
from anonchat.store.events import INSERT_EVENT, TAKE_SEQ, TAKE_SEQS
from anonchat.store.rooms import LOCK_ROOM, LOCK_ROOMS
from anonchat.store.sessions import SELECT_SESSION

PUBLISHED = 10_000  # events of one transaction, above which it tells no more: twenty for each of 500 messages

T = TypeVar("T")
Also = Callable[["Transaction"], Awaitable[Any]]
"""What else is to happen in a transaction of the core, or nothing of it."""

Check = Callable[[str, bool], None]
"""(name of an event, whether it is kept): raises LookupError where a plugin may not send it so."""


class Transaction:
    """`Statements` that can also append durable events, and tell what is not kept. Both leave after the commit.

    Plugins get it as the argument of `Journal.transaction`.
    """

    __slots__ = ("_check", "_now", "_statements", "execute", "execute_many", "fetch_all", "fetch_one", "published")

    def __init__(self, statements: Statements, now: int, check: Check, published: list[Event] | None = None) -> None:
        self._statements = statements
        self._now = now
        self._check = check
        self.published: list[Event] = [] if published is None else published
        self.fetch_one = statements.fetch_one
        self.fetch_all = statements.fetch_all
        self.execute = statements.execute
        self.execute_many = statements.execute_many

    def checked_by(self, check: Check) -> Transaction:
        """The same transaction for a plugin: `check` raises for an event that it may not append or tell."""
        return Transaction(self._statements, self._now, check, self.published)

    def is_to_blame(self, error: BaseException) -> bool:
        """Whether it was the storage that failed in a statement which raised this, and not whoever wrote the statement."""
        return self._statements.is_to_blame(error)

    async def take_seq(self, room_id: str, count: int = 1) -> int:
        """Reserve `count` numbers of the room; returns the last of them. Raises `room_ended`."""
        row = await self.fetch_one(TAKE_SEQ, {"room": room_id, "count": count})
        if row is None:
            raise ChatError("room_ended")
        return int(row["seq"])

    async def take_seqs(self, counts: Mapping[str, int]) -> dict[str, int]:
        """Reserve so many numbers of each room; answers the last of each. A room that has ended is missing.

        One statement for each different count. Rooms are locked in sorted order, so that two nodes never wait for each
        other.
        """
        if len(counts) > 1:
            await self.fetch_all(LOCK_ROOMS, {"rooms": sorted(counts)})
        rooms_by_count: dict[int, list[str]] = {}
        for room_id, count in counts.items():
            rooms_by_count.setdefault(count, []).append(room_id)
        rows = [
            row
            for count, rooms in rooms_by_count.items()
            for row in await self.fetch_all(TAKE_SEQS, {"rooms": rooms, "count": count})
        ]
        return {row["id"]: row["seq"] for row in rows}

    async def lock_room(self, room_id: str) -> None:
        """From now to the commit nobody else changes anything durable in the room, on any node. Raises `room_ended`.

        First in a transaction, before anything else is locked, so that nobody waits in a circle.
        """
        await self.take_seq(room_id, 0)

    async def present_rank(self, session: Session) -> int:
        """The rank of who acts, as it is now: who was demoted meanwhile, on whichever node, does not act any more.

        After `lock_room`, since a rank changes under the same lock. Raises `session_expired` for somebody who has left.
        """
        row = await self.fetch_one(SELECT_SESSION, {"session": session.id})
        if row is None:
            raise ChatError("session_expired")
        return int(row["rank"])

    async def check_moderator(self, session: Session) -> None:
        """Raise `not_moderator` unless who acts is a moderator now; else as `present_rank`."""
        if await self.present_rank(session) == RANK_PARTICIPANT:
            raise ChatError("not_moderator")

    async def append(self, room_id: str, name: str, data: Mapping[str, Any], *, message_id: str | None = None) -> Event:
        """Make a durable event of the room: it gets its seq, is stored, is published after the commit, and is replayed.

        `data` is what goes over the wire. With `message_id` it is deleted together with that message. Raises
        `room_ended`, and LookupError for an event that the plugin has not declared.
        """
        self._check(name, True)
        seq = await self.take_seq(room_id)
        event = Event(room_id, name, data, seq, message_id)
        await self.record(event, orjson.dumps(data).decode())
        return event

    def tell(
        self,
        room_id: str,
        name: str,
        data: Mapping[str, Any],
        *,
        skip: str | None = None,
        only: Collection[str] | None = None,
        moderators: bool = False,
    ) -> None:
        """Send an event that is not kept: after the commit, in its place among the transaction's others. May get lost.

        To everybody in the room but the session `skip`, to the sessions `only`, or to the moderators. Of a transaction
        that is undone nothing is told. Raises LookupError for an event that the plugin has not declared, TypeError for data
        that are no JSON, and ValueError for an event above `PUBLISHED`.
        """
        self._check(name, False)
        if len(self.published) >= PUBLISHED:
            raise ValueError(
                f"A transaction tells at most {PUBLISHED} events. Tell many people with one of them (`only`)."
            )
        orjson.dumps(data)  # after the commit it would be too late to say so
        self.published.append(Event(room_id, name, data, audience=Audience.of(skip, only, moderators)))

    async def record(self, event: Event, data: str | None) -> None:
        """Store and publish an event that has its seq. `data` None: its message's present state is all there is to say."""
        self._check(event.name, True)
        await self.execute(
            INSERT_EVENT,
            {
                "room_id": event.room_id,
                "seq": event.seq,
                "event": event.name,
                "message_id": event.message_id,
                "data": data,
                "created_at": self._now,
            },
        )
        self.published.append(event)

    def publish(self, *published: Event) -> None:
        """Publish after the commit what is stored elsewhere (messages), or not at all (`seq` None)."""
        for event in published:
            self._check(event.name, event.seq is not None)
        self.published.extend(published)


class Journal:
    """The database as services and plugins see it: reads, and transactions whose events are published.

    Errors are those of `Database`: `storage_full`, `storage_unavailable`, `overloaded`, `conflict`.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._publish: Callable[[Sequence[Event]], None] = _anything
        self._check: Check = _anything

    def checked_by(self, check: Check) -> Journal:
        """The same journal for a plugin: `check` raises for an event that it may not append or tell."""
        journal = _PluginJournal(self._database, self._clock)
        journal._publish = self._publish
        journal._check = check
        return journal

    @property
    def dialect(self) -> str:
        """``sqlite`` or ``postgresql``."""
        return self._database.dialect

    def publish_to(self, publish: Callable[[Sequence[Event]], None]) -> None:
        """Say who carries committed events to the members; it is called in the event loop, in commit order."""
        self._publish = publish

    def transaction(
        self,
        work: Callable[[Transaction], Awaitable[T]],
        room: str | None = None,
        answer: Callable[[], None] | None = None,
    ) -> Awaitable[T]:
        """Run `work(tx)` in a transaction and publish its events after the commit. `work` may await only `tx`.

        It may be run again from its start, so it must not change anything outside of `tx` and its own variables.
        Name the `room` if it changes nothing of another one: on a database server, what is done in one room then
        shares its commits, and does not wait for what is done in the others (see `Database.transaction`).

        Events are published after the caller was woken, so that an answer comes before its consequences. With `answer`,
        which is called after the commit, nobody waits for that: it is answered, published, and then the caller is woken.
        """
        published: list[Event] = []
        loop = asyncio.get_running_loop()

        async def run(statements: Statements) -> T:
            tx = Transaction(statements, self._clock.now(), self._check)
            outside = _at_work.set(asyncio.current_task(loop))
            try:
                result = await work(tx)
            finally:
                _at_work.reset(outside)
            published[:] = tx.published
            return result

        def committed() -> None:
            try:
                if answer is not None:
                    answer()
            finally:
                if published:
                    self._publish(published)

        return self._database.transaction(run, committed, room, first=answer is not None)

    async def read(self, work: Work[T]) -> T:
        """Run `work(statements)` on one snapshot."""
        return await self._database.read(work)

    async def read_in_order(self, work: Work[T], room: str, answer: Callable[[T], None]) -> None:
        """Read, and `answer` what was found before anything is told that was committed later.

        For an answer that takes the place of what a client knows: made of a `read`, it may be older than what the client
        was told in the meantime. It has its turn among the transactions of the room, so it is for what is asked rarely.
        """
        found: list[T] = []

        async def run(tx: Transaction) -> None:
            await tx.fetch_one(LOCK_ROOM, {"room": room})  # what people say has a line of its own, see the writer
            found[:] = [await work(tx)]

        await self.transaction(run, room, lambda: answer(found[0]))

    async def fetch_one(self, statement: ClauseElement, parameters: Parameters | None = None) -> Row | None:
        """One row, or None."""
        return await self._database.fetch_one(statement, parameters)

    async def fetch_all(self, statement: ClauseElement, parameters: Parameters | None = None) -> Sequence[Row]:
        """All rows. Bound the statement with a limit."""
        return await self._database.fetch_all(statement, parameters)


class _PluginJournal(Journal):
    """Says what is wrong where a plugin asks it inside of a transaction, which would wait for itself."""

    def transaction(
        self,
        work: Callable[[Transaction], Awaitable[T]],
        room: str | None = None,
        answer: Callable[[], None] | None = None,
    ) -> Awaitable[T]:
        _check_outside()
        return super().transaction(work, room, answer)

    async def read(self, work: Work[T]) -> T:
        _check_outside()
        return await super().read(work)

    async def fetch_one(self, statement: ClauseElement, parameters: Parameters | None = None) -> Row | None:
        _check_outside()
        return await super().fetch_one(statement, parameters)

    async def fetch_all(self, statement: ClauseElement, parameters: Parameters | None = None) -> Sequence[Row]:
        _check_outside()
        return await super().fetch_all(statement, parameters)


_at_work: ContextVar[asyncio.Task[Any] | None] = ContextVar("at_work", default=None)
"""The task that is inside of a transaction; not those that were begun there. Means nothing in the thread of a database."""


def _check_outside() -> None:
    try:
        task = asyncio.current_task()
    except RuntimeError:
        inside = True  # in the thread of a database, or in another one
    else:
        inside = task is not None and _at_work.get() is task
    if inside:
        raise RuntimeError("ctx.db belongs into the event loop and outside of transactions; inside of one use tx.")


def _anything(*_: object) -> None:
    """Before the server has started nobody listens; and the core may append whatever it likes."""
