"""The end of things: messages after their time, rooms after theirs. Deletion is real, counted, and needs no activity."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

import orjson
import structlog
from sqlalchemy import Table
from sqlalchemy.sql import ClauseElement

from anonchat.clock import Clock
from anonchat.config.settings import RetentionSettings, RoomSettings
from anonchat.delivery.hub import Hub
from anonchat.delivery.journal import Also, Journal, Transaction
from anonchat.errors import ChatError
from anonchat.models import Event
from anonchat.observability.metrics import Metrics
from anonchat.people.presence import Presence
from anonchat.plugins.budgets import PluginFailed, bounded
from anonchat.plugins.dispatch import Dispatcher, is_json
from anonchat.rooms.erasing import Erasing
from anonchat.storage.roles import Database, Row
from anonchat.store import events as event_statements
from anonchat.store import messages as message_statements
from anonchat.store import rooms as statements
from anonchat.store import sessions as session_statements

log = structlog.get_logger("anonchat.retention")

T = TypeVar("T")

ROOMS = 100  # that are looked at together
SESSIONS = 100  # that one transaction deletes at most, each with its tokens and with what plugins keep of it
PATIENCE_SECONDS = 3.0  # for the purge of a room that ends; then its members are told, and the job goes on with it
AGAIN_MILLISECONDS = 300_000  # until a plugin that could not purge is asked again
ERASE_PAUSES = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6)  # seconds between attempts to erase
APART_MILLISECONDS = 60_000  # by which the clocks of nodes may differ: a time still later is of a clock that was ahead
REPORTS = 1_000  # rooms that have ended that one run of a job looks at
RUNS = 100  # lots of rooms that one run of a job works off


class Failures:
    """What went wrong in some of many: it is logged, the others get their turn, and the first is raised at the end."""

    def __init__(self, event: str) -> None:
        self._event = event
        self._first: Exception | None = None

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Go on after this, whatever it raises."""
        try:
            yield
        except Exception as error:
            log.exception(self._event)
            self._first = self._first or error

    async def among(self, *works: Awaitable[object]) -> None:
        """Await all of them, at the same time."""

        async def one(work: Awaitable[object]) -> None:
            with self.noted():
                await work

        await asyncio.gather(*(one(work) for work in works))

    def tell(self) -> None:
        """Raise what was raised first, if anything was."""
        if self._first is not None:
            raise self._first


class Retention:
    """Deletes what is over. Every step can be cut off at any moment and is taken up by the next run."""

    def __init__(
        self,
        journal: Journal,
        database: Database,
        dispatcher: Dispatcher,
        metrics: Metrics,
        clock: Clock,
        settings: RoomSettings,
        retention: RetentionSettings,
        hub: Hub,
        presence: Presence,
        tables: Mapping[str, Table],
    ) -> None:
        self._journal = journal
        self._database = database
        self._dispatcher = dispatcher
        self._metrics = metrics
        self._clock = clock
        self._purge_grace = round(settings.purge_grace_seconds * 1_000)
        self._batch = retention.batch
        self._kept_reports = retention.reports_seconds * 1_000
        self._looked_at = ""
        self._erasing = Erasing(database)
        self._ending = Counter[str]()  # rooms that end here: who ends one purges it, and tells how much was deleted
        # One lot at a time: those of a hundred rooms would leave no turn for what is said elsewhere.
        self._deleting = asyncio.Lock()
        self._hub = hub
        self._presence = presence
        self._categories: dict[str, ClauseElement] = dict(statements.CATEGORIES)
        self._categories |= {name: statements.count_of_room(table) for name, table in tables.items()}

    # --- messages

    async def run(self) -> tuple[int, int]:
        """Delete every message that is older than its room keeps; returns (rooms, messages).

        A room that fails holds up no other; what it raised is raised at the end.
        """
        now = self._clock.now()
        rooms, deleted, failures = 0, 0, Failures("retention of a room failed")
        async for row in self._each(statements.SELECT_RETAINING, now=now):
            with failures.noted():
                deleted += await self._trim(row["id"], now - row["retention_seconds"] * 1_000, now)
                rooms += 1
        if rooms:
            self._metrics.retention_messages.inc(deleted)
            self._dispatcher.observe("retention_finished", rooms=rooms, messages=deleted)
            log.info("retention", rooms=rooms, messages=deleted)
        # Every time: people, too, delete, change and forget what they wrote, and an attempt before may have failed.
        await self._erase()
        failures.tell()
        return rooms, deleted

    async def _each(self, statement: ClauseElement, **wanted: int) -> AsyncIterator[Row]:
        """The rooms that a statement finds, each once, by their ids: one that fails is not found again and again."""
        after = ""
        for _ in range(RUNS):
            rows = await self._journal.fetch_all(statement, {**wanted, "after": after, "limit": ROOMS})
            for row in rows:
                yield row
            if len(rows) < ROOMS:
                return
            after = rows[-1]["id"]

    async def _erase(self) -> None:
        """Try for some seconds: whoever reads may stand in the way. Raises `storage_unavailable` if that lasts."""
        for pause in ERASE_PAUSES:
            try:
                await self._database.erase()
                return
            except ChatError:
                await asyncio.sleep(pause)
        await self._database.erase()

    async def _trim(self, room_id: str, before: int, now: int) -> int:
        deleted = 0
        while count := await self._journal.transaction(
            lambda tx: _trim_some(tx, room_id, before, now, self._batch), room_id
        ):
            deleted += count
        return deleted

    # --- rooms

    async def expire(self) -> int:
        """Warn rooms that end soon, and end those whose time has come; returns how many ended.

        All of them have ended before the first is purged, so nothing is said in one while it waits for another.
        """
        now = self._clock.now()
        wanted = {"now": now, "horizon": now + max(statements.WARNINGS_MILLISECONDS), "limit": ROOMS}
        ended: list[str] = []
        failures = Failures("a room could not be ended or warned; it is tried again")

        async def end_or_warn(row: Row) -> None:
            remaining = row["expires_at"] - now
            if remaining > 0:
                await self._warn(row["id"], row["stage"], remaining)
            elif await self._begin_end(row["id"], "expired", now, now + self._purge_grace):
                ended.append(row["id"])

        rows = await self._journal.fetch_all(statements.SELECT_EXPIRING, wanted)
        with self._at_the_end(*(row["id"] for row in rows)):
            await failures.among(*(end_or_warn(row) for row in rows))
            await failures.among(*(self._finish_end(room_id, "expired", now) for room_id in ended))
        failures.tell()
        return len(ended)

    async def _warn(self, room_id: str, stage: int, remaining: int) -> None:
        async def work(tx: Transaction) -> None:
            await tx.execute(statements.UPDATE_WARNED, {"room": room_id, "stage": stage})
            tx.publish(Event(room_id, "room_ttl_warning", {"remainingSeconds": max(1, round(remaining / 1_000))}))

        await self._journal.transaction(work, room_id)

    async def end(
        self, room_id: str, reason: str, also: Also | None = None, *, purge_at: int = statements.NEVER
    ) -> None:
        """End a room for good: it is purged, at once or after the grace, and members are told and disconnected.

        `also(tx)` comes first, and may refuse. A room that has ended before in another database keeps its `purge_at`.
        """
        now = self._clock.now()
        with self._at_the_end(room_id):
            if await self._begin_end(room_id, reason, now, min(now + self._purge_grace, purge_at), also):
                await self._finish_end(room_id, reason, now)

    @contextmanager
    def _at_the_end(self, *room_ids: str) -> Iterator[None]:
        """The job leaves these rooms alone until this is over."""
        self._ending.update(room_ids)
        try:
            yield
        finally:
            self._ending -= Counter(room_ids)

    async def _begin_end(self, room_id: str, reason: str, now: int, purge_at: int, also: Also | None = None) -> bool:
        """From now on nothing is said in the room; answers whether it had not ended before."""
        ending = {"room": room_id, "now": now, "reason": reason, "purge": purge_at}

        async def work(tx: Transaction) -> int:
            if also is not None:
                await also(tx)
            return await tx.execute(statements.UPDATE_ENDED, ending)

        return await self._journal.transaction(work, room_id) > 0

    async def _finish_end(self, room_id: str, reason: str, now: int) -> None:
        """Purge a room unless a grace runs, and tell its members what was deleted: nothing yet where that takes long."""
        deleted: Mapping[str, int] = {}
        if not self._purge_grace:
            try:
                purged = await bounded(PATIENCE_SECONDS, self._purge, room_id, now, reason)
                deleted = purged or {}
            except (ChatError, PluginFailed) as error:
                log.warning("a room has ended and is purged later", failure=str(error))
        await self._tell_end(room_id, reason, deleted)

    async def purge(self) -> int:
        """Purge the ended rooms whose grace is over, and those whose purge was cut off; returns how many.

        A room that fails holds up no other; what it raised is raised at the end.
        """
        purged, failures = 0, Failures("a room could not be purged; it is tried again")
        now = self._clock.now()
        end_of_grace = now + self._purge_grace
        async for row in self._each(statements.SELECT_PURGEABLE, now=now, latest=end_of_grace + APART_MILLISECONDS):
            with failures.noted():
                if row["purge_at"] > now:
                    wanted = {"room": row["id"], "purge": end_of_grace}
                    await self._journal.transaction(partial(_purge_then, wanted=wanted), row["id"])
                elif row["id"] not in self._ending:
                    deleted = await self._purge(row["id"], row["ended_at"], row["end_reason"])
                    if deleted is None:
                        continue
                    purged += 1
                    self._dispatcher.observe("room_ended", room_id=row["id"], reason=row["end_reason"], deleted=deleted)
        failures.tell()
        return purged

    async def _purge(self, room_id: str, ended_at: int, reason: str) -> dict[str, int] | None:
        """Delete everything of a room; None if it was gone. What is left: its id, when and why it ended, how much was deleted.

        A plugin that cannot delete what it keeps elsewhere is remembered, and asked again by `purge_again`.
        """
        elsewhere: dict[str, int] = {}
        failed: list[str] = []
        answers = await self._dispatcher.enrich("purge_room", room_id=room_id, fits=_is_tally, failed=failed.append)
        for plugin, answer in answers.items():
            elsewhere |= {f"{plugin}.{category}": count for category, count in answer.items()}
        counts = await self._delete(room_id, ended_at, reason, elsewhere, failed)
        if counts is not None:
            self._metrics.rooms_purged.inc()
        self._erasing.begin()
        return counts

    async def _delete(
        self, room_id: str, ended_at: int, reason: str, elsewhere: Mapping[str, int], failed: Sequence[str]
    ) -> dict[str, int] | None:
        """Delete everything of a room that is in the database; answers how much that was, and what plugins kept elsewhere.

        None if the room was gone: on another node whoever ended it and the job may have been at it together.
        """
        kept = await self._journal.read(lambda tx: self._count(tx, room_id))
        counts = {**elsewhere, **kept}
        ended = {"id": room_id, "ended_at": ended_at, "reason": reason, "deleted": orjson.dumps(counts).decode()}
        if sum(kept.values()) > self._batch:
            # Before the deletion: the counts of the first attempt stand, whatever a later one still finds.
            await self._journal.transaction(lambda tx: tx.execute(statements.INSERT_ENDED, ended), room_id)
            await self._delete_in_lots(room_id)

        async def work(tx: Transaction) -> bool:
            is_here = (
                await tx.execute(statements.DELETE_ROOM, {"room": room_id}) > 0
            )  # rooms are locked first, everywhere
            await tx.execute(statements.INSERT_ENDED, ended)
            for plugin in failed:
                await tx.execute(statements.UPSERT_UNPURGED, self._later(room_id, plugin))
            return is_here

        return counts if await self._one_lot(work, room_id) else None

    async def _one_lot(self, work: Callable[[Transaction], Awaitable[T]], room_id: str) -> T:
        """Run one short transaction of a deletion. One room at a time, each a lot in turn: a large one delays no small one."""
        async with self._deleting:
            return await self._journal.transaction(work, room_id)

    async def _delete_in_lots(self, room_id: str) -> None:
        """Delete most of what a room has, each lot in a transaction of its own: all at once would hold up everybody's sends.

        The sessions of those who hold a place stay until the room itself goes: they are told of its end after that.
        """
        for delete_some in (_delete_messages, _delete_events):
            while await self._one_lot(partial(delete_some, room_id=room_id, batch=self._batch), room_id):
                pass
        now, after = self._clock.now(), ""
        while sessions := await self._journal.fetch_all(
            session_statements.SELECT_SESSIONS_AFTER, {"room": room_id, "after": after, "limit": SESSIONS}
        ):
            after = sessions[-1]["anonymous_id"]
            delete_lot = partial(_delete_of_sessions, sessions=sessions, now=now, batch=self._batch)
            while await self._one_lot(delete_lot, room_id):
                pass

    async def purge_again(self) -> None:
        """Ask the plugins that could not delete what they keep of a purged room again."""
        now = self._clock.now()
        due = {"now": now, "latest": now + AGAIN_MILLISECONDS + APART_MILLISECONDS, "limit": ROOMS}
        for row in await self._journal.fetch_all(statements.SELECT_UNPURGED, due):
            room_id, plugin = row["room_id"], row["plugin"]
            # One that is switched off now is asked when it is on again.
            failed: list[str] = [] if self._dispatcher.has("purge_room", plugin) else [plugin]
            answers = await self._dispatcher.enrich(
                "purge_room", room_id=room_id, fits=_is_tally, failed=failed.append, only=plugin
            )
            if failed:
                log.error("a plugin could not delete what it keeps of an ended room; it is asked again", plugin=plugin)
                await self._journal.transaction(partial(_wait_longer, later=self._later(room_id, plugin)))
            else:
                counts = answers.get(plugin, {})
                await self._journal.transaction(partial(_purged_late, room_id=room_id, plugin=plugin, counts=counts))

    async def forget_ended(self) -> None:
        """Delete what is left of rooms that ended long ago. Each run looks at some of them, all in turn by their ids."""
        wanted = {"after": self._looked_at, "limit": REPORTS}
        rows = await self._journal.fetch_all(statements.SELECT_ENDED_AFTER, wanted)
        self._looked_at = rows[-1]["id"] if len(rows) == REPORTS else ""
        before = self._clock.now() - self._kept_reports
        if old := [row["id"] for row in rows if row["ended_at"] < before]:
            await self._journal.transaction(lambda tx: tx.execute(statements.DELETE_ENDED, {"rooms": old}))

    def _later(self, room_id: str, plugin: str) -> dict[str, Any]:
        return {"room_id": room_id, "plugin": plugin, "attempt_at": self._clock.now() + AGAIN_MILLISECONDS}

    async def _count(self, tx: Any, room_id: str) -> dict[str, int]:
        counts = {}
        for category, statement in self._categories.items():
            row = await tx.fetch_one(statement, {"room": room_id})
            counts[category] = row[0]
        return counts

    async def _tell_end(self, room_id: str, reason: str, deleted: Mapping[str, int]) -> None:
        async def work(tx: Transaction) -> None:
            tx.publish(Event(room_id, "room_ended", {"reason": reason, "deleted": deleted}))

        await self._journal.transaction(work, room_id)
        self._dispatcher.observe("room_ended", room_id=room_id, reason=reason, deleted=deleted)

    async def close(self) -> None:
        """Give up what goes on in the background, before the storage is closed."""
        await self._erasing.close()

    def ended(self, event: Event) -> None:
        """Disconnect the members of a room that has ended; called for each `room_ended` that this node delivers."""
        self._presence.end(event.room_id)
        for member in self._hub.of_room(event.room_id):
            member.close(4410, "room_ended")


async def _purge_then(tx: Transaction, wanted: Mapping[str, Any]) -> None:
    await tx.execute(statements.UPDATE_PURGE_AT, wanted)


async def _wait_longer(tx: Transaction, later: Mapping[str, Any]) -> None:
    await tx.execute(statements.UPSERT_UNPURGED, later)


async def _purged_late(tx: Transaction, room_id: str, plugin: str, counts: Mapping[str, int]) -> None:
    """A plugin has deleted what it kept of a room that is gone: it waits no more, and the report tells how much it was."""
    await tx.execute(statements.DELETE_UNPURGED, {"room": room_id, "by_plugin": plugin})
    row = await tx.fetch_one(statements.SELECT_ENDED, {"room": room_id})
    if row is not None:
        deleted = orjson.loads(row["deleted"]) | {f"{plugin}.{category}": count for category, count in counts.items()}
        await tx.execute(statements.UPDATE_DELETED, {"room": room_id, "counts": orjson.dumps(deleted).decode()})


async def _trim_some(tx: Transaction, room_id: str, before: int, now: int, batch: int) -> int:
    """Delete what is older than `before` from the beginning of the room, and tell the members, if it has any, up to where.

    Returns how many messages that was; there may be more while it is not 0.
    """
    room = await tx.fetch_one(statements.LOCK_ROOM, {"room": room_id})
    held = await tx.execute(message_statements.DELETE_OUTDATED_HELD, {"room": room_id, "before": before})
    messages, through, kept = await _outdated(tx, room_id, before, now, batch)
    if kept is not None:
        row = await tx.fetch_one(
            event_statements.SELECT_OUTDATED_EVENT, {"room": room_id, "before": before, "until": kept}
        )
        through = max(through, (row["through"] if row else None) or 0)
    if through:
        await tx.execute(message_statements.DELETE_THROUGH, {"room": room_id, "through": through})
        await tx.execute(event_statements.DELETE_EVENTS_THROUGH, {"room": room_id, "through": through})
        if room is not None and room["ended_at"] is None:
            await tx.append(room_id, event_statements.REMOVED, {"throughSeq": through, "reason": "retention"})
    return messages + held


async def _delete_messages(tx: Transaction, room_id: str, batch: int) -> int:
    """Delete some messages of a room that has ended; nobody is told. Answers how many."""
    messages, through, _ = await _outdated(tx, room_id, statements.NEVER, statements.NEVER, batch)
    if messages:
        await tx.execute(message_statements.DELETE_THROUGH, {"room": room_id, "through": through})
    return messages


async def _delete_events(tx: Transaction, room_id: str, batch: int) -> int:
    """Delete some events of a room that has ended; answers how many."""
    oldest = await tx.fetch_all(event_statements.SELECT_OLDEST_EVENTS, {"room": room_id, "limit": batch})
    if oldest:
        await tx.execute(event_statements.DELETE_EVENTS_THROUGH, {"room": room_id, "through": oldest[-1]["seq"]})
    return len(oldest)


async def _delete_of_sessions(tx: Transaction, sessions: Sequence[Row], now: int, batch: int) -> bool:
    """Delete some receipts of sessions, and with the last of them the sessions that hold no place; answers whether there
    are more.
    """
    wanted = {"sessions": [row["id"] for row in sessions], "limit": batch}
    found = await tx.fetch_all(message_statements.SELECT_RECEIPT_KEYS, wanted)
    keys = [(row["session_id"], row["client_msg_id"]) for row in found]
    if keys:
        await tx.execute(message_statements.DELETE_RECEIPTS, {"keys": keys})
    if len(keys) == batch:
        return True
    over = [row["id"] for row in sessions if row["name_key"] is None or row["seat_until"] < now]
    if over:
        await tx.execute(session_statements.DELETE_SESSIONS, {"sessions": over})
    return False


async def _outdated(tx: Transaction, room_id: str, before: int, now: int, batch: int) -> tuple[int, int, int | None]:
    """(how many, up to which seq, seq of the first that stays): the run of messages at the beginning made before a time.

    Those of a moment in which the clock was ahead are as old as what follows them, so they are read on through until
    something follows. The last is None while the end of the run is not in sight.
    """
    looked, after = 0, 0
    while True:
        wanted = {"room": room_id, "after": after, "limit": batch}
        oldest = await tx.fetch_all(message_statements.SELECT_OLDEST, wanted)
        found, through = 0, 0
        for row in oldest:
            looked += 1
            if before <= row["created_at"] <= now:
                return found, through, row["seq"]
            if row["created_at"] < before:
                found, through = looked, row["seq"]
        if len(oldest) < batch:
            return found, through, statements.NEVER
        if found:
            return found, through, None
        after = oldest[-1]["seq"]


def _is_tally(answer: Mapping[object, object]) -> bool:
    """Whether a plugin's answer can stand in the report of a deletion: category -> count."""
    return is_json(answer) and all(
        isinstance(category, str) and type(count) is int for category, count in answer.items()
    )
