"""The contract of single pieces of work: what they write, what is undone, and what their statements do."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from anonchat.errors import ChatError
from anonchat.storage.roles import Statements
from anonchat.testing import asynchronous
from anonchat.testing.contracts.databases import (
    COUNT,
    INSERT,
    INSERT_OR_IGNORE,
    ROOMS,
    SELECT,
    SELECT_KEYS,
    SELECT_PAIRS,
    UPDATE,
    UPSERT,
    DatabaseCase,
    count,
    opened,
    row,
    store,
    value_of,
)


class TransactionContract(DatabaseCase):
    """Work is all or nothing, each piece for itself."""

    @asynchronous
    async def test_what_is_written_is_seen_at_once_inside_and_later_by_readers(self, tmp_path: Path) -> None:
        async def work(tx: Statements) -> str:
            await tx.execute(INSERT, row("a", "one"))
            found = await tx.fetch_one(SELECT, {"name": "contract.a"})
            assert found is not None
            assert list(found.keys()) == ["value"]
            return str(found["value"]) + str(found[0])

        async with opened(self.url(tmp_path)) as database:
            assert await database.transaction(work) == "oneone"
            assert await value_of(database, "a") == "one"
            assert await value_of(database, "b") is None

    @asynchronous
    async def test_it_is_all_there_after_closing_and_opening(self, tmp_path: Path) -> None:
        async with opened(self.url(tmp_path)) as database:
            await store(database, "a", "kept")
        async with opened(self.url(tmp_path)) as database:
            assert await value_of(database, "a") == "kept"

    @asynchronous
    async def test_its_size_grows_with_what_is_written(self, tmp_path: Path) -> None:
        async with opened(self.url(tmp_path)) as database:
            before = await database.size()
            await store(database, "large", "x" * 1_000_000)
            assert await database.size() > before > 0

    @pytest.mark.parametrize("kind", [LookupError, TimeoutError])
    @pytest.mark.parametrize("room", ROOMS)
    @asynchronous
    async def test_work_that_raises_is_undone_alone(
        self, tmp_path: Path, room: str | None, kind: type[Exception]
    ) -> None:
        """Also where it shared a commit with others, before and after it."""

        async def failing(tx: Statements) -> None:
            await tx.execute(INSERT, row("lost"))
            raise kind("mine")

        async with opened(self.url(tmp_path)) as database:
            jobs = [
                store(database, 1, room=room),
                database.transaction(failing, None, room),
                store(database, 2, room=room),
                database.transaction(failing, None, room),
            ]
            outcomes = await asyncio.gather(*jobs, return_exceptions=True)
            assert [type(outcome) for outcome in outcomes] == [type(None), kind, type(None), kind]
            assert await count(database) == 2

    @pytest.mark.parametrize("room", ROOMS)
    @asynchronous
    async def test_a_conflict_is_told_as_such_and_undone_alone(self, tmp_path: Path, room: str | None) -> None:
        async def twice(tx: Statements) -> None:
            await tx.execute(INSERT, row("other"))
            await tx.execute(INSERT, row("same"))

        async with opened(self.url(tmp_path)) as database:
            jobs = [
                store(database, "same", room=room),
                database.transaction(twice, None, room),
                store(database, "last", room=room),
            ]
            outcomes = await asyncio.gather(*jobs, return_exceptions=True)
            conflict = outcomes[1]
            assert isinstance(conflict, ChatError)
            assert conflict.code == "conflict"
            assert (outcomes[0], outcomes[2], await count(database)) == (None, None, 2)

    @asynchronous
    async def test_upsert_and_insert_or_ignore(self, tmp_path: Path) -> None:
        async def work(tx: Statements) -> tuple[int, int]:
            await tx.execute(UPSERT, row("a", "first"))
            await tx.execute(UPSERT, row("a", "second"))
            ignored = await tx.execute(INSERT_OR_IGNORE, row("a", "third"))
            taken = await tx.execute(INSERT_OR_IGNORE, row("b", "fourth"))
            return ignored, taken

        async with opened(self.url(tmp_path)) as database:
            assert await database.transaction(work) == (0, 1)
            assert [await value_of(database, name) for name in "ab"] == ["second", "fourth"]

    @asynchronous
    async def test_many_rows_and_lists(self, tmp_path: Path) -> None:
        async def work(tx: Statements) -> int:
            await tx.execute_many(INSERT, [row(number) for number in range(300)])
            await tx.execute_many(INSERT, [row("odd ' \" \\ , {} name"), row("\u2603")])
            return await tx.execute(UPDATE, {"name": "contract.7", "new_value": "seven"})

        async with opened(self.url(tmp_path)) as database:
            assert await database.transaction(work) == 1
            assert await value_of(database, 7) == "seven"
            for names in ([], ["7"], ["7", "1", "missing"], ["odd ' \" \\ , {} name", "\u2603"]):
                wanted = {"names": [f"contract.{name}" for name in names]}
                rows = await database.fetch_all(SELECT_KEYS, wanted)
                assert [found["key"] for found in rows] == sorted(set(wanted["names"]) - {"contract.missing"})

    @asynchronous
    async def test_lists_of_pairs(self, tmp_path: Path) -> None:
        async with opened(self.url(tmp_path)) as database:
            await asyncio.gather(*(store(database, name, f"of {name}") for name in "abc"))
            for pairs in ([], [("a", "of a")], [("a", "of b"), ("b", "of b"), ("c", "of c")], [["c", "of c"]]):
                wanted = {"pairs": [(f"contract.{name}", value) for name, value in pairs]}
                rows = await database.fetch_all(SELECT_PAIRS, wanted)
                assert [found["key"][-1] for found in rows] == [name for name, value in pairs if value == f"of {name}"]

    @asynchronous
    async def test_a_read_sees_one_moment(self, tmp_path: Path) -> None:
        """Two rows are moved together all the while; nobody ever sees one of them moved."""

        async def move(tx: Statements) -> None:
            for name in ("left", "right"):
                found = await tx.fetch_one(SELECT, {"name": f"contract.{name}"})
                assert found is not None
                await tx.execute(UPDATE, {"name": f"contract.{name}", "new_value": str(int(found["value"]) + 1)})

        async def look(tx: Statements) -> tuple[str, str, int]:
            left = await tx.fetch_one(SELECT, {"name": "contract.left"})
            for _ in range(50):
                await tx.fetch_one(COUNT)
            right = await tx.fetch_one(SELECT, {"name": "contract.right"})
            assert left is not None
            assert right is not None
            return left["value"], right["value"], 0

        async with opened(self.url(tmp_path)) as database:
            await asyncio.gather(store(database, "left", 0), store(database, "right", 0))
            for _ in range(40):
                moved = asyncio.ensure_future(database.transaction(move))
                left, right, _ = await database.read(look)
                assert left == right
                await moved
            assert await value_of(database, "left") == "40"

    @asynchronous
    async def test_a_read_does_not_wait_for_a_writer(self, tmp_path: Path) -> None:
        seen = asyncio.Event()

        async def long(tx: Statements) -> int:
            """Until somebody has read; bounded, so that a backend in which reads wait fails and does not hang."""
            await tx.execute(INSERT, row("a"))
            for number in range(200_000):
                if seen.is_set():
                    return number
                await tx.fetch_one(COUNT)
            pytest.fail("no read came through while work was going on")

        async with opened(self.url(tmp_path)) as database:
            writing = asyncio.ensure_future(database.transaction(long))
            await asyncio.sleep(0)
            assert await count(database) == 0
            seen.set()
            await writing
            assert await count(database) == 1
