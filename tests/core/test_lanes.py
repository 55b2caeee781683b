"""One at a time for each key, in order, whoever gives up."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anonchat.messages.lanes import Lanes


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    keys=st.lists(st.sampled_from("ab"), min_size=1, max_size=12),
    cancelled=st.sets(st.integers(0, 11)),
    yields=st.integers(0, 3),
)
def test_one_at_a_time_in_the_order_of_coming(keys: list[str], cancelled: set[int], yields: int) -> None:
    inside: dict[str, int] = {}
    came: dict[str, list[int]] = {"a": [], "b": []}

    async def pass_through(lanes: Lanes, number: int, key: str) -> None:
        await lanes.enter(key)
        try:
            assert key not in inside
            inside[key] = number
            came[key].append(number)
            for _ in range(yields):
                await asyncio.sleep(0)
        finally:
            inside.pop(key, None)
            lanes.leave(key)

    async def run() -> None:
        lanes = Lanes()
        tasks = [asyncio.create_task(pass_through(lanes, number, key)) for number, key in enumerate(keys)]
        await asyncio.sleep(0)
        for number in cancelled:
            if number < len(tasks):
                tasks[number].cancel()
                await asyncio.sleep(0)
        done = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(outcome is None or isinstance(outcome, asyncio.CancelledError) for outcome in done)
        assert all(numbers == sorted(numbers) for numbers in came.values())
        passed = {number for numbers in came.values() for number in numbers}
        assert passed | cancelled >= set(range(len(keys)))
        assert not lanes._held

    asyncio.run(run())


def test_a_key_that_nobody_holds_is_entered_without_waiting() -> None:
    lanes = Lanes()
    entering = lanes.enter("a")
    with pytest.raises(StopIteration):
        entering.send(None)
    lanes.leave("a")
    assert not lanes._held
