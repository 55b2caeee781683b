"""The watchdog: what is longer than a block is told, and nothing shorter."""

from __future__ import annotations

import asyncio
import time

import pytest
from structlog.testing import capture_logs

from anonchat.clock import TICK_SECONDS
from anonchat.observability.metrics import Metrics
from anonchat.observability.watchdog import Watchdog
from anonchat.testing import asynchronous

BLOCKED_SECONDS = 1.0


@pytest.mark.parametrize(("seconds", "told"), [(0.97, 0), (2.0, 1)], ids=["shorter", "longer"])
@asynchronous
async def test_a_block_is_told_when_it_has_lasted_the_whole_time(seconds: float, told: int) -> None:
    """The event loop takes its turns at whole ticks. The thread looks at 0.1 after each, which is where it is started; at the
    second look after the shorter block has begun, the last turn was more than a second ago.
    """
    metrics = Metrics()
    watchdog = Watchdog(metrics, {}, BLOCKED_SECONDS)
    loop = asyncio.get_running_loop()
    begun = (loop.time() // TICK_SECONDS + 1) * TICK_SECONDS
    await asyncio.sleep(begun + 0.1 - loop.time())
    watchdog.start()
    try:
        await asyncio.sleep(begun + TICK_SECONDS + 0.18 - loop.time())
        time.sleep(seconds)  # noqa: ASYNC251 (this is what is to be noticed)
        await asyncio.sleep(TICK_SECONDS)
    finally:
        await asyncio.to_thread(watchdog.stop)
    found = metrics.registry.get_sample_value("anonchat_loop_blocked_total", {"by": "anonchat"}) or 0
    assert found == told


@pytest.mark.parametrize("is_busy", [True, False], ids=["busy", "waiting"])
@asynchronous
async def test_it_tells_who_was_busy_from_who_had_no_processor(is_busy: bool) -> None:
    watchdog = Watchdog(Metrics(), {}, BLOCKED_SECONDS)
    with capture_logs() as logged:
        watchdog.start()
        try:
            began = time.thread_time()
            while not logged and time.thread_time() < began + 10:
                if not is_busy:
                    time.sleep(0.1)  # noqa: ASYNC251 (this is what is to be noticed)
        finally:
            await asyncio.to_thread(watchdog.stop)
    assert [line["processor_seconds"] > 0.05 for line in logged] == [is_busy]
