"""The sums in the database: what the tally holds is added to them, and what is old is deleted."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.sql import ClauseElement

from anonchat import Journal, Transaction
from anonchat_analytics.counts import PEAK, STEPS, start_of
from anonchat_analytics.tables import (
    COUNT_VOTES,
    EXPIRE,
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

    async def flush(self) -> None:
        """Add what was counted to the sums. What cannot be written waits in the tally for the next time."""
        async with self._writing:
            waiting = list(self._tally.take().items())
            while waiting:
                lot = dict(waiting[:LOT])
                try:
                    await self._journal.transaction(lambda tx, lot=lot: _write(tx, lot))  # type: ignore[misc]
                except BaseException as error:
                    # Who is cancelled has only stopped waiting: that lot is written all the same.
                    for key, count in waiting if isinstance(error, Exception) else waiting[LOT:]:
                        self._tally.add(key, count)
                    raise
                del waiting[:LOT]

    async def count_votes(self) -> int:
        """Add the votes in polls to the sums, each once, on whichever node it is heard of; answers how many it was."""
        async with self._writing:
            waiting = list(self._tally.take_polls())
            votes = 0
            while waiting:
                lot = waiting[:LOT]
                try:
                    votes += await self._journal.transaction(lambda tx, lot=lot: _write_votes(tx, lot))  # type: ignore[misc]
                except BaseException:
                    for poll in waiting:
                        self._tally.voted(poll)
                    raise
                del waiting[:LOT]
            return votes

    async def server(self, step: str, first: int, end: int) -> Sums:
        """The sums of a span of time, empty steps left out."""
        return await self._between(SELECT_SERVER, step, first, end)

    async def room(self, room_id: str, step: str, first: int, end: int) -> Sums:
        """Likewise, of one room."""
        return await self._between(SELECT_ROOM, step, first, end, room=room_id)

    async def series(self, metric: str, step: str, first: int, end: int) -> Sums:
        """Likewise, of the server, with one metric alone."""
        return await self._between(SELECT_SERIES, step, first, end, metric=metric)

    async def days(self, room_id: str | None = None) -> dict[str, int]:
        """Metric -> sum over all days that are kept, and the highest peak, of the server or of a room."""
        room = {} if room_id is None else {"room": room_id}
        rows = await self._journal.fetch_all(SELECT_SERVER_DAYS if room_id is None else SELECT_ROOM_DAYS, room)
        return {row["metric"]: row["highest" if row["metric"] == PEAK else "total"] for row in rows}

    async def expire(self, before: Mapping[str, int]) -> None:
        """Delete the sums of each step that began before its time."""
        for step, time in before.items():
            for statement in EXPIRE:
                while await self._delete(statement, {"step": step, "before": time, "limit": LOT}) == LOT:
                    """There may be more."""

    async def _delete(self, statement: ClauseElement, wanted: Mapping[str, Any]) -> int:
        return await self._journal.transaction(lambda tx: tx.execute(statement, wanted))

    async def _between(self, statement: ClauseElement, step: str, first: int, end: int, **of: str) -> Sums:
        rows = await self._journal.fetch_all(statement, {"step": step, "first": first, "end": end, **of})
        sums: Sums = {}
        for row in rows:
            sums.setdefault(row["start"], {})[row["metric"]] = row["value"]
        return sums


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
