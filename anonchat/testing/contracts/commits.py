"""The contract of commits: when callers are woken, when `committed` is called, and what a power cut may take."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from anonchat.storage.roles import Statements
from anonchat.testing import asynchronous
from anonchat.testing.contracts.databases import INSERT, ROOMS, DatabaseCase, count, opened, row

JOBS = 200
LINES = 200


class CommitContract(DatabaseCase):
    """An answer comes after the commit, and its consequences after the answer."""

    @pytest.mark.parametrize("room", ROOMS)
    @asynchronous
    async def test_callers_first_then_consequences_in_order(self, tmp_path: Path, room: str | None) -> None:
        heard: list[tuple[str, int]] = []

        async with opened(self.url(tmp_path)) as database:

            async def call(number: int) -> None:
                async def work(tx: Statements) -> None:
                    await tx.execute(INSERT, row(number))

                await database.transaction(work, lambda: heard.append(("committed", number)), room)
                heard.append(("woken", number))

            await asyncio.gather(*(call(number) for number in range(JOBS)))
            await _turns()
        assert [number for what, number in heard if what == "committed"] == list(range(JOBS))
        assert all(heard.index(("woken", number)) < heard.index(("committed", number)) for number in range(JOBS))

    @asynchronous
    async def test_who_stops_waiting_is_committed_all_the_same(self, tmp_path: Path) -> None:
        heard: list[int] = []

        async with opened(self.url(tmp_path)) as database:

            async def call(number: int) -> None:
                async def work(tx: Statements) -> None:
                    await tx.execute(INSERT, row(number))

                await database.transaction(work, lambda: heard.append(number))

            tasks = [asyncio.create_task(call(number)) for number in range(20)]
            await asyncio.sleep(0)
            for task in tasks[::2]:
                task.cancel()
            outcomes = await asyncio.gather(*tasks, return_exceptions=True)
            await _turns()
            assert sum(isinstance(outcome, asyncio.CancelledError) for outcome in outcomes) == 10
            assert await count(database) == 20
        assert heard == list(range(20))

    @asynchronous
    async def test_work_that_raised_has_no_consequences(self, tmp_path: Path) -> None:
        heard: list[str] = []

        async def failing(tx: Statements) -> None:
            await tx.execute(INSERT, row("lost"))
            raise LookupError

        async def work(tx: Statements) -> None:
            await tx.execute(INSERT, row("kept"))

        async with opened(self.url(tmp_path)) as database:
            outcomes = await asyncio.gather(
                database.transaction(failing, lambda: heard.append("failed")),
                database.transaction(work, lambda: heard.append("kept")),
                return_exceptions=True,
            )
            await _turns()
        assert isinstance(outcomes[0], LookupError)
        assert heard == ["kept"]

    @asynchronous
    async def test_a_consequence_that_raises_stops_no_other(self, tmp_path: Path) -> None:
        heard: list[str] = []
        told: list[dict[str, object]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))

        async def nothing(tx: Statements) -> None:
            return None

        def broken() -> None:
            raise LookupError

        async with opened(self.url(tmp_path)) as database:
            await asyncio.gather(
                database.transaction(nothing, broken), database.transaction(nothing, lambda: heard.append("second"))
            )
            await database.transaction(nothing, lambda: heard.append("later"))
            await _turns()
        assert heard == ["second", "later"]
        assert len(told) == 1

    def test_what_was_answered_survives_a_kill(self, tmp_path: Path) -> None:
        """A process of its own writes and says so, until it is killed."""
        url = self.url(tmp_path)
        command = (sys.executable, "-m", "anonchat.testing.contracts.writing", url)
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            told = [process.stdout.readline() for _ in range(LINES)]
            process.kill()
            told += process.stdout.readlines()
        numbers = [int(line) for line in told if line.endswith("\n")]
        if not numbers:
            pytest.fail("the writing process did not start")
        assert asyncio.run(_counted(url)) >= len(numbers)
        assert numbers == list(range(len(numbers)))


async def _counted(url: str) -> int:
    async with opened(url) as database:
        return await count(database)


async def _turns() -> None:
    """What was to be called soon has been called."""
    for _ in range(3):
        await asyncio.sleep(0)
