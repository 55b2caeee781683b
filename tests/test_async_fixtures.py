"""What tests/conftest.py adds to pytest-tornado: asynchronous fixtures, and a loop that leaves nothing running."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest


@pytest.fixture
def steps() -> Iterator[list[str]]:
    """Return a list that must hold both halves of `opened` once that is torn down."""
    taken: list[str] = []
    yield taken
    assert taken == ["opened", "closed"]


@pytest.fixture
async def opened(steps: list[str]) -> AsyncIterator[asyncio.AbstractEventLoop]:
    """Return the loop that the set-up ran on, and let the tear-down run on the same one."""
    loop = asyncio.get_running_loop()
    steps.append("opened")
    yield loop
    assert asyncio.get_running_loop() is loop
    steps.append("closed")


@pytest.fixture
async def answer() -> int:
    """Return a value after the loop has turned once."""
    await asyncio.sleep(0)
    return 42


@pytest.fixture
def cancelled() -> Iterator[list[bool]]:
    """Return a list that must hold one entry when the loop is gone."""
    noted: list[bool] = []
    yield noted
    assert noted == [True]


@pytest.mark.gen_test
async def test_fixtures_run_on_the_loop_of_the_test(
    opened: asyncio.AbstractEventLoop, answer: int, steps: list[str]
) -> None:
    assert opened is asyncio.get_running_loop()
    assert answer == 42
    assert steps == ["opened"]


@pytest.mark.gen_test
async def test_what_a_test_leaves_running_is_cancelled(cancelled: list[bool]) -> None:
    started = asyncio.Event()

    async def linger() -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    task = asyncio.create_task(linger())
    await started.wait()
    assert not task.done()
