"""The contract of bad days: too much work, a full disk, a database that is closed."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from anonchat.errors import ChatError
from anonchat.storage.roles import Database, Statements
from anonchat.testing import asynchronous
from anonchat.testing.contracts.databases import INSERT, DatabaseCase, count, opened, row, store, value_of


class FailureContract(DatabaseCase):
    """Nobody waits for ever, nobody is told a lie, and it heals."""

    most_waiting = 20_000
    """How many pieces of work may wait before one more is refused."""

    async def fill(self, database: Database) -> None:
        """Let the disk be full from now on. Without it the tests of a full disk are skipped."""
        pytest.skip("this backend does not say how its disk is filled")

    async def make_room(self, database: Database) -> None:
        """The opposite of `fill`."""

    @asynchronous
    async def test_too_much_work_is_refused_and_the_rest_is_done(self, tmp_path: Path) -> None:
        async def nothing(tx: Statements) -> None:
            return None

        async with opened(self.url(tmp_path)) as database:
            jobs = [database.transaction(nothing) for _ in range(self.most_waiting + 50)]
            outcomes = await asyncio.gather(*jobs, return_exceptions=True)
            refused = [outcome for outcome in outcomes if outcome is not None]
            assert 0 < len(refused) <= 50
            assert {_code(outcome) for outcome in refused} == {"overloaded"}
            await store(database, "afterwards")

    @asynchronous
    async def test_a_full_disk_refuses_writes_serves_reads_and_heals(self, tmp_path: Path) -> None:
        async def large(tx: Statements) -> None:
            await tx.execute_many(INSERT, [row(f"large {number}", "x" * 4_000) for number in range(500)])

        heard: list[str] = []
        async with opened(self.url(tmp_path)) as database:
            await store(database, "before", "kept")
            await self.fill(database)
            for _ in range(3):
                refused = await asyncio.gather(
                    database.transaction(large, lambda: heard.append("a lie")), return_exceptions=True
                )
                assert _code(refused[0]) == "storage_full"
                assert await value_of(database, "before") == "kept"
            await self.make_room(database)
            await database.transaction(large)
            assert await count(database) == 501
        assert heard == []

    @asynchronous
    async def test_a_closed_database_says_so(self, tmp_path: Path) -> None:
        async with opened(self.url(tmp_path)) as database:
            await store(database, "a")
        for act in (store(database, "b"), value_of(database, "a"), database.check()):
            with pytest.raises(ChatError) as refused:
                await act
            assert refused.value.code == "storage_unavailable"

    @asynchronous
    async def test_closing_finishes_what_waits(self, tmp_path: Path) -> None:
        async with opened(self.url(tmp_path)) as database:
            waiting = [asyncio.ensure_future(store(database, number)) for number in range(100)]
            await asyncio.sleep(0)
        await asyncio.gather(*waiting)
        async with opened(self.url(tmp_path)) as database:
            assert await count(database) == 100
            await database.check()
            await database.erase()


def _code(outcome: Any) -> str:
    assert isinstance(outcome, ChatError), outcome
    return outcome.code
