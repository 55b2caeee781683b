"""The journal: durable events get their seq inside a transaction and are published after its commit, in its order."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any, TypeVar

import orjson
from sqlalchemy.sql import ClauseElement

from anonchat.clock import Clock
from anonchat.errors import ChatError
from anonchat.models import Audience, Event
from anonchat.storage.roles import Database, Parameters, Row, Statements, Work
from anonchat.store.events import INSERT_EVENT, TAKE_SEQ, TAKE_SEQS
from anonchat.store.rooms import LOCK_ROOMS

PUBLISHED = 10_000  # events of one transaction, above which it tells no more: twenty for each of 500 messages

T = TypeVar("T")
Also = Callable[["Transaction"], Awaitable[Any]]
"""What else is to happen in a transaction of the core, or nothing of it."""


class Transaction:
    """`Statements` that can also append durable events, and tell what is not kept. Both leave after the commit.

    Plugins get it as the argument of `Journal.transaction`.
    """

    __slots__ = ("_check", "_now", "_statements", "execute", "execute_many", "fetch_all", "fetch_one", "published")

    def __init__(
        self, statements: Statements, now: int, check: Callable[[str], None], published: list[Event] | None = None
    ) -> None:
        self._statements = statements
        self._now = now
        self._check = check
        self.published: list[Event] = [] if published is None else published
        self.fetch_one = statements.fetch_one
        self.fetch_all = statements.fetch_all
        self.execute = statements.execute
        self.execute_many = statements.execute_many

    def checked_by(self, check: Callable[[str], None]) -> Transaction:
        """The same transaction for a plugin: `check` raises for the name of an event that it may not append."""
        return Transaction(self._statements, self._now, check, self.published)

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

    async def append(self, room_id: str, name: str, data: Mapping[str, Any], *, message_id: str | None = None) -> Event:
        """Make a durable event of the room: it gets its seq, is stored, is published after the commit, and is replayed.

        `data` is what goes over the wire. With `message_id` it is deleted together with that message. Raises
        `room_ended`, and LookupError for an event that the plugin has not declared.
        """
        self._check(name)
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
        that is undone nothing is told. Raises LookupError for an event that the plugin has not declared, and ValueError
        for one above `PUBLISHED`.
        """
        self._check(name)
        if len(self.published) >= PUBLISHED:
            raise ValueError(
                f"A transaction tells at most {PUBLISHED} events. Tell many people with one of them (`only`)."
            )
        self.published.append(Event(room_id, name, data, audience=Audience.of(skip, only, moderators)))

    async def record(self, event: Event, data: str | None) -> None:
        """Store and publish an event that has its seq. `data` None: its message's present state is all there is to say."""
        self._check(event.name)
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
            self._check(event.name)
        self.published.extend(published)


class Journal:
    """The database as services and plugins see it: reads, and transactions whose events are published.

    Errors are those of `Database`: `storage_full`, `storage_unavailable`, `overloaded`, `conflict`.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._publish: Callable[[Sequence[Event]], None] = _anything
        self._check: Callable[[str], None] = _anything

    def checked_by(self, check: Callable[[str], None]) -> Journal:
        """The same journal for a plugin: `check` raises for the name of an event that it may not append."""
        journal = Journal(self._database, self._clock)
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
        shares its commits, and does not wait for what is done in the others.

        Events are published after the caller was woken, so that an answer comes before its consequences. With `answer`,
        which is called after the commit, nobody waits for that: it is answered, published, and then the caller is woken.
        """
        published: list[Event] = []

        async def run(statements: Statements) -> T:
            tx = Transaction(statements, self._clock.now(), self._check)
            result = await work(tx)
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

    async def fetch_one(self, statement: ClauseElement, parameters: Parameters | None = None) -> Row | None:
        """One row, or None."""
        return await self._database.fetch_one(statement, parameters)

    async def fetch_all(self, statement: ClauseElement, parameters: Parameters | None = None) -> Sequence[Row]:
        """All rows. Bound the statement with a limit."""
        return await self._database.fetch_all(statement, parameters)


def _anything(_: object) -> None:
    """Before the server has started nobody listens; and the core may append whatever it likes."""
