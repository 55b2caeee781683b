"""The time that a plugin's call may take: it is counted while the event loop turns, and then it is over."""

from __future__ import annotations

import asyncio
import time

import pytest

from anonchat.plugins.budgets import TICKS, PluginFailed, bounded

SECONDS = 0.2


async def wait_for(answer: asyncio.Future[str]) -> str:
    return await answer


async def hang() -> None:
    await asyncio.Event().wait()


def test_time_in_which_the_loop_had_no_turn_does_not_count() -> None:
    async def main() -> None:
        answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        call = asyncio.create_task(bounded(SECONDS, wait_for, answer))
        for _ in range(TICKS - 1):
            await asyncio.sleep(0)
            time.sleep(2 * SECONDS)  # noqa: ASYNC251 - somebody else takes all of the time
        await asyncio.sleep(0)
        answer.set_result("ready")
        assert await call == "ready"

    asyncio.run(main())


def test_who_hangs_is_given_up_in_time() -> None:
    async def main() -> None:
        started = time.perf_counter()
        with pytest.raises(PluginFailed, match=r"took longer than 0\.2 s"):
            await bounded(SECONDS, hang)
        assert time.perf_counter() - started >= SECONDS

    asyncio.run(main())


def test_the_cancellation_of_the_caller_passes() -> None:
    async def main() -> None:
        call = asyncio.create_task(bounded(SECONDS, hang))
        await asyncio.sleep(0)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call

    asyncio.run(main())
