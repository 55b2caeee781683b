"""The sums in the database: what the tally holds is added to them, and what is old is deleted."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Mapping, Sequence
from math import ceil
from typing import Any

from sqlalchemy.sql import ClauseElement

from anonchat import Journal, Transaction
from anonchat_analytics.counts import PEAK, STEPS, start_of
from anonchat_analytics.tables import (
    COUNT_VOTES,
    EXPIRE,
    EXPIRE_FLUSHES,
    FLUSH,
    SELECT_ROOM,
    SELECT_ROOM_DAYS,
    SELECT_SERIES,
    SELECT_SERVER,
    SELECT_SERVER_DAYS,
    WRITE,
)
from anonchat_analytics.tally import SERVER, Key, Poll, Tally, merge

LOT = 500  # counts, or old sums, that one transaction writes or deletes

Sums = dict[int, dict[str, int]]
"""When the hour or day began, in milliseconds -> metric -> sum."""


class Ledger:
    """Reads and writes the sums. Errors are those of the journal: `storage_unavailable`, `storage_full`, `overloaded`."""

    def __init__(self, journal: Journal, tally: Tally) -> None:
        self._journal = journal
        self._tally = tally
        self._writing = asyncio.Lock()
        self._node = secrets.token_hex(8)
        self._lots = 0  # that were taken from the tally so far
        self._lot: Mapping[Key, int] = {}  # the last of them, until it is stored

    async def flush(self) -> None:
        """Add what was counted to the sums. What cannot be written waits for the next time."""
        async with self._writing:
            if self._lot:
                await self._write_lot()
            for _ in range(ceil(len(self._tally) / LOT)):  # what is counted meanwhile waits, too
                self._lot, self._lots = self._tally.take(LOT), self._lots + 1
                await self._write_lot()

    async def _write_lot(self) -> None:
        """If this fails, or is cancelled, nobody knows whether the lot is stored: it is kept as it is until that is sure."""
        lot, last = self._lot, max(hour for _, _, hour in self._lot)
        flush = {"node": self._node, "lots": self._lots, "hour": last}
        await self._journal.transaction(lambda tx: _write_once(tx, flush, lot))
        self._lot = {}

    async def count_votes(self, tell: Callable[[int], None]) -> None:
        """Add the votes in polls to the sums, each once, on whichever node it is heard of; tell how many it was."""
        async with self._writing:
            waiting = list(self._tally.take_polls())
            while waiting:
                lot = waiting[:LOT]
                try:
                    tell(await self._journal.transaction(lambda tx, lot=lot: _write_votes(tx, lot)))  # type: ignore[misc]
                except BaseException:
                    for poll in waiting:
                        self._tally.voted(poll)
                    raise
                del waiting[:LOT]

    async def server(self, step: str, first: int, end: int) -> Sums:
        """The sums of a span of time, empty steps left out."""
        return await self._between(SELECT_SERVER, step, first, end)

    async def room(self, room_id: str, step: str, first: int, end: int) -> Sums:
        """Likewise, of one room."""
        return await self._between(SELECT_ROOM, step, first, end, room=room_id)

    async def series(self, metric: str, step: str, first: int, end: int) -> Sums:
        """Likewise, of the server, with one metric alone."""
        return await self._between(SELECT_SERIES, step, first, end, metric=metric)

    async def days(self, blur: int, room_id: str | None = None) -> dict[str, int]:
        """Metric -> sum over all days that are kept, each rounded, and the highest peak, of the server or of a room."""
        room = {} if room_id is None else {"room": room_id}
        statement = SELECT_SERVER_DAYS if room_id is None else SELECT_ROOM_DAYS
        rows = await self._journal.fetch_all(statement, {"blur": blur, **room})
        return {row["metric"]: row["highest" if row["metric"] == PEAK else "total"] for row in rows}

    async def expire(self, before: Mapping[str, int]) -> None:
        """Delete the sums of each step that began before its time."""
        for step, time in before.items():
            for statement in EXPIRE:
                while await self._delete(statement, {"step": step, "before": time, "limit": LOT}) == LOT:
                    """There may be more."""
        await self._delete(EXPIRE_FLUSHES, {"before": before["hour"]})

    async def _delete(self, statement: ClauseElement, wanted: Mapping[str, Any]) -> int:
        return await self._journal.transaction(lambda tx: tx.execute(statement, wanted))

    async def _between(self, statement: ClauseElement, step: str, first: int, end: int, **of: str) -> Sums:
        rows = await self._journal.fetch_all(statement, {"step": step, "first": first, "end": end, **of})
        sums: Sums = {}
        for row in rows:
            sums.setdefault(row["start"], {})[row["metric"]] = row["value"]
        return sums


async def _write_once(tx: Transaction, flush: Mapping[str, Any], lot: Mapping[Key, int]) -> None:
    """Add a lot to the sums unless it is in them already: the answer to its commit may have been lost."""
    if await tx.fetch_one(FLUSH, flush) is not None:
        await _write(tx, lot)


async def _write(tx: Transaction, lot: Mapping[Key, int]) -> None:
    """Add a lot to the sums of its hours and days. What is counted of a room is counted of the server, but for its peak."""
    sums: dict[tuple[str, str, str, int], int] = {}
    for (room_id, metric, hour), count in lot.items():
        for step in STEPS:
            for place in {room_id} if metric == PEAK else {room_id, SERVER}:
                merge(sums, (place, metric, step, start_of(step, hour)), count)
    rows: dict[ClauseElement, list[dict[str, Any]]] = {}
    # Rows and statements always come in the same order, so that two nodes never wait for each other.
    for (place, metric, step, start), value in sorted(sums.items()):
        statement = WRITE[place != SERVER, metric == PEAK]
        row = {"step": step, "start": start, "metric": metric, "value": value}
        rows.setdefault(statement, []).append(row | {"room_id": place} if place != SERVER else row)
    for statement in WRITE.values():
        if statement in rows:
            await tx.execute_many(statement, rows[statement])


async def _write_votes(tx: Transaction, polls: Sequence[Poll]) -> int:
    """Unlike counts these may be written twice: the second time nobody has voted since."""
    votes: dict[Key, int] = {}
    for poll in sorted(polls):
        row = await tx.fetch_one(COUNT_VOTES, {"message_id": poll.message_id, "voters": poll.voters})
        if row is not None:
            merge(votes, (poll.room_id, "votes", poll.hour), row["votes"])
    await _write(tx, votes)
    return sum(votes.values())
