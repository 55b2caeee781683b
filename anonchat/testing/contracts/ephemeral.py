"""The contract of `Ephemeral`: values that expire, and rates."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

from anonchat.storage.backends import open_backend
from anonchat.storage.roles import Ephemeral
from anonchat.testing import asynchronous
from anonchat.testing.clocks import SettableClock


class EphemeralCase:
    """The base of the contracts."""

    def url(self, folder: Path) -> str:
        """The URL of an ephemeral store that is empty for each `folder`."""
        raise NotImplementedError

    async def pass_time(self, clock: SettableClock, seconds: float) -> None:
        """Let time go by; a backend with a clock of its own has to wait for it."""
        clock.advance(seconds)

    @asynccontextmanager
    async def opened(self, folder: Path, clock: SettableClock) -> AsyncIterator[Ephemeral]:
        """The store of `folder`."""
        ephemeral = cast("Ephemeral", open_backend("ephemeral", self.url(folder), clock))
        await ephemeral.start()
        try:
            yield ephemeral
        finally:
            await ephemeral.close()


class EphemeralContract(EphemeralCase):
    """Values live as long as was said, and one of many comes first."""

    @asynchronous
    async def test_a_value_expires_by_the_clock(self, tmp_path: Path) -> None:
        clock = SettableClock()
        async with self.opened(tmp_path, clock) as ephemeral:
            assert await ephemeral.get("a") is None
            assert await ephemeral.put("a", b"\x00one", 2_000)
            assert await ephemeral.put("b", b"two", 60_000)
            assert await ephemeral.get("a") == b"\x00one"
            await self.pass_time(clock, 2.1)
            assert await ephemeral.get("a") is None
            assert await ephemeral.get("b") == b"two"

    @asynchronous
    async def test_putting_again_counts_from_now(self, tmp_path: Path) -> None:
        clock = SettableClock()
        async with self.opened(tmp_path, clock) as ephemeral:
            await ephemeral.put("a", b"one", 2_000)
            await self.pass_time(clock, 1.5)
            await ephemeral.put("a", b"two", 2_000)
            await self.pass_time(clock, 1.5)
            assert await ephemeral.get("a") == b"two"

    @asynchronous
    async def test_only_one_of_many_is_first(self, tmp_path: Path) -> None:
        clock = SettableClock()
        async with self.opened(tmp_path, clock) as ephemeral:
            names = [str(number).encode() for number in range(50)]
            stored = await asyncio.gather(*(ephemeral.put("a", name, 2_000, only_if_absent=True) for name in names))
            assert sum(stored) == 1
            assert await ephemeral.get("a") == names[stored.index(True)]
            await self.pass_time(clock, 2.1)
            assert await ephemeral.put("a", b"next", 2_000, only_if_absent=True)

    @asynchronous
    async def test_storing_only_over_what_it_holds(self, tmp_path: Path) -> None:
        """Compare and set: of many who read the same, one writes."""
        clock = SettableClock()
        async with self.opened(tmp_path, clock) as ephemeral:
            assert not await ephemeral.put("a", b"new", 2_000, only_if=b"old")
            await ephemeral.put("a", b"old", 2_000)
            names = [str(number).encode() for number in range(50)]
            stored = await asyncio.gather(*(ephemeral.put("a", name, 2_000, only_if=b"old") for name in names))
            assert sum(stored) == 1
            assert await ephemeral.get("a") == names[stored.index(True)]
            await self.pass_time(clock, 2.1)
            assert not await ephemeral.put("a", b"late", 2_000, only_if=names[stored.index(True)])

    @asynchronous
    async def test_removing_only_what_it_holds(self, tmp_path: Path) -> None:
        clock = SettableClock()
        async with self.opened(tmp_path, clock) as ephemeral:
            await ephemeral.put("a", b"mine", 2_000)
            assert not await ephemeral.remove("a", only_if=b"yours")
            assert await ephemeral.get("a") == b"mine"
            assert await ephemeral.remove("a", only_if=b"mine")
            assert not await ephemeral.remove("a")
            await ephemeral.put("b", b"", 2_000)
            assert await ephemeral.remove("b", only_if=b"")
            await ephemeral.put("c", b"late", 1_000)
            await self.pass_time(clock, 1.1)
            assert not await ephemeral.remove("c")

    @asynchronous
    async def test_members_of_a_group_expire_one_by_one(self, tmp_path: Path) -> None:
        clock = SettableClock()
        async with self.opened(tmp_path, clock) as ephemeral:
            assert await ephemeral.members("room") == {}
            await ephemeral.enter("room", {"a": b"\x00 one", "b": b""}, 60_000)
            await ephemeral.enter("room", {"c": b"three"}, 1_000)
            await ephemeral.enter("other", {"d": b"four"}, 1_000)
            assert await ephemeral.members("room") == {"a": b"\x00 one", "b": b"", "c": b"three"}
            await self.pass_time(clock, 1.1)
            assert await ephemeral.members("room") == {"a": b"\x00 one", "b": b""}
            assert await ephemeral.members("other") == {}

    @asynchronous
    async def test_members_of_a_group_enter_and_leave(self, tmp_path: Path) -> None:
        clock = SettableClock()
        async with self.opened(tmp_path, clock) as ephemeral:
            many = {str(number): b"x" for number in range(1_200)}
            await ephemeral.enter("room", many, 60_000)
            await ephemeral.enter("room", {"7": b"again"}, 60_000)
            assert await ephemeral.members("room") == {**many, "7": b"again"}
            await ephemeral.leave("room", [*many][1:])
            await ephemeral.leave("room", ["nobody"])
            assert await ephemeral.members("room") == {"0": b"x"}
            await ephemeral.leave("room", ["0"])
            assert await ephemeral.members("room") == {}


class RateContract(EphemeralCase):
    """A rate lets through exactly what it says."""

    @asynchronous
    async def test_a_burst_is_exact_also_at_once(self, tmp_path: Path) -> None:
        async with self.opened(tmp_path, SettableClock()) as ephemeral:
            waits = await asyncio.gather(*(ephemeral.hit("10/minute", "a") for _ in range(50)))
            assert sum(wait == 0 for wait in waits) == 10
            assert all(0 < wait <= 60_000 for wait in waits if wait)
            assert await ephemeral.hit("10/minute", "b") == 0
            assert await ephemeral.hit("5/minute", "a") == 0

    @asynchronous
    async def test_after_the_wait_it_passes_and_not_before(self, tmp_path: Path) -> None:
        clock = SettableClock()
        async with self.opened(tmp_path, clock) as ephemeral:
            assert [await ephemeral.hit("2/2 seconds", "a") for _ in range(2)] == [0, 0]
            wait = await ephemeral.hit("2/2 seconds", "a")
            assert 0 < wait <= 1_000
            await self.pass_time(clock, wait / 1_000 / 2)
            assert await ephemeral.hit("2/2 seconds", "a") > 0
            await self.pass_time(clock, wait / 1_000)
            assert await ephemeral.hit("2/2 seconds", "a") == 0

    @asynchronous
    async def test_a_cost_counts_as_many(self, tmp_path: Path) -> None:
        async with self.opened(tmp_path, SettableClock()) as ephemeral:
            assert await ephemeral.hit("10/minute", "a", 8) == 0
            assert await ephemeral.hit("10/minute", "a", 3) > 0
            assert await ephemeral.hit("10/minute", "a", 2) == 0
            assert await ephemeral.hit("10/minute", "a") > 0
