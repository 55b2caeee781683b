"""`Ephemeral` in memory: rates, and memory that strangers cannot fill."""

from __future__ import annotations

import pytest

from anonchat.rates import MOST_LIMITED
from anonchat.testing.clocks import SettableClock
from anonchat_memory import MemoryEphemeral


@pytest.mark.gen_test
async def test_a_rate_lets_a_burst_pass_and_then_one_at_a_time() -> None:
    clock = SettableClock()
    ephemeral = MemoryEphemeral("memory://", clock)
    assert [await ephemeral.hit("2/10 seconds", "a") for _ in range(3)] == [0, 0, 5_000]
    assert await ephemeral.hit("2/10 seconds", "b") == 0
    clock.advance(5)
    assert [await ephemeral.hit("2/10 seconds", "a") for _ in range(2)] == [0, 5_000]


@pytest.mark.gen_test
async def test_a_clock_that_was_set_back_locks_nobody_out_for_longer_than_a_burst() -> None:
    clock = SettableClock()
    ephemeral = MemoryEphemeral("memory://", clock)
    assert [await ephemeral.hit("2/10 seconds", "a") for _ in range(2)] == [0, 0]
    clock.advance(-3_600)
    assert await ephemeral.hit("2/10 seconds", "a") == 5_000
    clock.advance(5)
    assert await ephemeral.hit("2/10 seconds", "a") == 0


@pytest.mark.gen_test
async def test_keys_that_strangers_choose_fill_no_memory() -> None:
    ephemeral = MemoryEphemeral("memory://", SettableClock())
    for number in range(MOST_LIMITED + 1_000):
        assert await ephemeral.hit("1/hour", f"network {number}") == 0
    assert len(ephemeral._rates) <= MOST_LIMITED
    assert await ephemeral.hit("1/hour", f"network {MOST_LIMITED + 999}") > 0
