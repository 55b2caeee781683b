"""The end of things: messages after their time, rooms after theirs. Deletion is real, counted, and needs no activity."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import orjson
import structlog
from sqlalchemy import Table
from sqlalchemy.sql import ClauseElement

from anonchat.clock import Clock
from anonchat.config.settings import RoomSettings
from anonchat.delivery.hub import Hub
from anonchat.delivery.journal import Also, Journal, Transaction
from anonchat.errors import ChatError
from anonchat.models import Event
from anonchat.observability.metrics import Metrics
from anonchat.people.presence import Presence
from anonchat.plugins.dispatch import Dispatcher
from anonchat.storage.roles import Database
from anonchat.store import events as event_statements
from anonchat.store import messages as message_statements
from anonchat.store import rooms as statements

log = structlog.get_logger("anonchat.retention")

WARNINGS_SECONDS = (600, 60)
ROOMS = 100  # that one run of a job looks at
AGAIN_MILLISECONDS = 300_000  # until a plugin that could not purge is asked again
ERASE_PAUSES = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6)  # seconds between attempts to erase
RUNS = 100  # lots of rooms that one run of retention works off before the others get a turn


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
        batch: int,
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
        self._batch = batch
        self._purging: set[str] = set()
        self._hub = hub
        self._presence = presence
        self._categories: dict[str, ClauseElement] = dict(statements.CATEGORIES)
        self._categories |= {name: statements.count_of_room(table) for name, table in tables.items()}

    # --- messages

    async def run(self) -> tuple[int, int]:
        """Delete every message that is older than its room keeps; returns (rooms, messages)."""
        now = self._clock.now()
        rooms, deleted = 0, 0
        for _ in range(RUNS):
            rows = await self._journal.fetch_all(statements.SELECT_RETAINING, {"now": now, "limit": ROOMS})
            for row in rows:
                deleted += await self._trim(row["id"], now - row["retention_seconds"] * 1_000)
            rooms += len(rows)
            if len(rows) < ROOMS:
                break
        if rooms:
            self._metrics.retention_messages.inc(deleted)
            self._dispatcher.observe("retention_finished", rooms=rooms, messages=deleted)
            log.info("retention", rooms=rooms, messages=deleted)
        # Every time: people, too, delete, change and forget what they wrote, and an attempt before may have failed.
        await self._erase()
        return rooms, deleted

    async def _erase(self) -> None:
        """Try for some seconds: whoever reads may stand in the way. Raises `storage_unavailable` if that lasts."""
        for pause in ERASE_PAUSES:
            try:
                await self._database.erase()
                return
            except ChatError:
                await asyncio.sleep(pause)
        await self._database.erase()

    async def _trim(self, room_id: str, before: int) -> int:
        deleted = 0
        while count := await self._journal.transaction(
            lambda tx: _trim_some(tx, room_id, before, self._batch), room_id
        ):
            deleted += count
        return deleted

    # --- rooms

    async def expire(self) -> int:
        """Warn rooms that end soon, and end those whose time has come; returns how many ended."""
        now = self._clock.now()
        wanted = {"horizon": now + max(WARNINGS_SECONDS) * 1_000, "limit": ROOMS}
        ended = 0
        for row in await self._journal.fetch_all(statements.SELECT_EXPIRING, wanted):
            remaining = row["expires_at"] - now
            if remaining <= 0:
                await self.end(row["id"], "expired")
                ended += 1
                continue
            stage = sum(remaining <= warning for warning in warnings(row["expires_at"] - row["created_at"]))
            if stage > row["warned"]:
                await self._warn(row["id"], stage, remaining)
        return ended

    async def _warn(self, room_id: str, stage: int, remaining: int) -> None:
        async def work(tx: Transaction) -> None:
            await tx.execute(statements.UPDATE_WARNED, {"room": room_id, "stage": stage})
            tx.publish(Event(room_id, "room_ttl_warning", {"remainingSeconds": max(1, round(remaining / 1_000))}))

        await self._journal.transaction(work, room_id)

    async def end(self, room_id: str, reason: str, also: Also | None = None) -> None:
        """End a room for good: members are told and disconnected, and it is purged, at once or after the grace.

        `also(tx)` comes first, and may refuse.
        """
        now = self._clock.now()
        ending = {"room": room_id, "now": now, "reason": reason, "purge": now + self._purge_grace}

        async def work(tx: Transaction) -> int:
            if also is not None:
                await also(tx)
            return await tx.execute(statements.UPDATE_ENDED, ending)

        if not await self._journal.transaction(work, room_id):
            return
        deleted: Mapping[str, int] = {}
        if not self._purge_grace:
            deleted = await self._purge_once(room_id, now, reason) or {}
        await self._tell_end(room_id, reason, deleted)

    async def purge(self) -> int:
        """Purge the ended rooms whose grace is over, and those whose purge was cut off; returns how many."""
        wanted = {"now": self._clock.now(), "limit": ROOMS}
        rows = await self._journal.fetch_all(statements.SELECT_PURGEABLE, wanted)
        for row in rows:
            deleted = await self._purge_once(row["id"], row["ended_at"], row["end_reason"])
            if deleted is not None:
                self._dispatcher.observe("room_ended", room_id=row["id"], reason=row["end_reason"], deleted=deleted)
        return len(rows)

    async def _purge_once(self, room_id: str, ended_at: int, reason: str) -> dict[str, int] | None:
        """Like `_purge`; None where the end of the room and the job meet, and the other is at it already."""
        if room_id in self._purging:
            return None
        self._purging.add(room_id)
        try:
            return await self._purge(room_id, ended_at, reason)
        finally:
            self._purging.discard(room_id)

    async def _purge(self, room_id: str, ended_at: int, reason: str) -> dict[str, int]:
        """Delete everything of a room. What is left: its id, when and why it ended, and how much was deleted.

        A plugin that cannot delete what it keeps elsewhere is remembered, and asked again by `purge_again`.
        """
        counts: dict[str, int] = {}
        failed: list[str] = []
        answers = await self._dispatcher.enrich("purge_room", room_id=room_id, fits=_is_tally, failed=failed.append)
        for plugin, answer in answers.items():
            counts |= {f"{plugin}.{category}": count for category, count in answer.items()}
        counts |= await self._journal.read(lambda tx: self._count(tx, room_id))
        # Before the deletion: the counts of the first attempt stand, whatever a later one still finds.
        ended = {"id": room_id, "ended_at": ended_at, "reason": reason, "deleted": orjson.dumps(counts).decode()}
        await self._journal.transaction(lambda tx: tx.execute(statements.INSERT_ENDED, ended), room_id)
        while await self._journal.transaction(lambda tx: _delete_some(tx, room_id, 2**62, self._batch), room_id):
            pass

        async def work(tx: Transaction) -> None:
            await tx.execute(statements.DELETE_ROOM, {"room": room_id})
            for plugin in failed:
                await tx.execute(statements.UPSERT_UNPURGED, self._later(room_id, plugin))

        await self._journal.transaction(work, room_id)
        self._metrics.rooms_purged.inc()
        try:
            await self._database.erase()
        except ChatError as error:
            log.warning("what was deleted is erased by the next run of retention", code=error.code)
        return counts

    async def purge_again(self) -> None:
        """Ask the plugins that could not delete what they keep of a purged room again."""
        due = {"now": self._clock.now(), "limit": ROOMS}
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

    def ended(self, event: Event) -> None:
        """Disconnect the members of a room that has ended; called for each `room_ended` that this node delivers."""
        self._presence.end(event.room_id)
        for member in self._hub.of_room(event.room_id):
            member.close(4410, "room_ended")


async def _wait_longer(tx: Transaction, later: Mapping[str, Any]) -> None:
    await tx.execute(statements.UPSERT_UNPURGED, later)


async def _purged_late(tx: Transaction, room_id: str, plugin: str, counts: Mapping[str, int]) -> None:
    """A plugin has deleted what it kept of a room that is gone: it waits no more, and the report tells how much it was."""
    await tx.execute(statements.DELETE_UNPURGED, {"room": room_id, "by_plugin": plugin})
    row = await tx.fetch_one(statements.SELECT_ENDED, {"room": room_id})
    if row is not None:
        deleted = orjson.loads(row["deleted"]) | {f"{plugin}.{category}": count for category, count in counts.items()}
        await tx.execute(statements.UPDATE_DELETED, {"room": room_id, "counts": orjson.dumps(deleted).decode()})


async def _trim_some(tx: Transaction, room_id: str, before: int, batch: int) -> int:
    """Delete what is older than `before` from the beginning of the room, and tell the members up to where.

    Returns how many messages that was; there may be more while it is not 0.
    """
    await tx.fetch_one(statements.LOCK_ROOM, {"room": room_id})
    held = await tx.execute(message_statements.DELETE_OUTDATED_HELD, {"room": room_id, "before": before})
    messages, through = await _outdated(tx, room_id, before, batch)
    if messages < batch:
        row = await tx.fetch_one(event_statements.SELECT_OUTDATED_EVENT, {"room": room_id, "before": before})
        through = max(through, (row["through"] if row else None) or 0)
    if through:
        await tx.execute(message_statements.DELETE_THROUGH, {"room": room_id, "through": through})
        await tx.execute(event_statements.DELETE_EVENTS_THROUGH, {"room": room_id, "through": through})
        await tx.append(room_id, event_statements.REMOVED, {"throughSeq": through, "reason": "retention"})
    return messages + held


async def _delete_some(tx: Transaction, room_id: str, before: int, batch: int) -> int:
    """Delete some messages of a room that has ended; nobody is told."""
    messages, through = await _outdated(tx, room_id, before, batch)
    if messages:
        await tx.execute(message_statements.DELETE_THROUGH, {"room": room_id, "through": through})
    return messages


async def _outdated(tx: Transaction, room_id: str, before: int, batch: int) -> tuple[int, int]:
    """(how many, up to which seq): the run of messages at the beginning of the room that were made before a time."""
    oldest = await tx.fetch_all(message_statements.SELECT_OLDEST, {"room": room_id, "limit": batch})
    count, through = 0, 0
    for row in oldest:
        if row["created_at"] >= before:
            break
        count, through = count + 1, row["seq"]
    return count, through


def warnings(duration: int) -> Sequence[int]:
    """When a room of that duration is warned, in milliseconds before its end: 10 and 1 minute, or a tenth if short."""
    usual = [seconds * 1_000 for seconds in WARNINGS_SECONDS if seconds * 2_000 < duration]
    return usual or [duration // 10]


def _is_tally(answer: Mapping[object, object]) -> bool:
    """Whether a plugin's answer can stand in the report of a deletion: category -> count."""
    return all(isinstance(category, str) and type(count) is int for category, count in answer.items())
