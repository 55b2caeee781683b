"""The timer of all connections: who is due is looked after once, and a crowd a few at a time."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from anonchat.testing import asynchronous
from anonchat.websocket import keepalive
from anonchat.websocket.keepalive import TOGETHER, Keepalive

TICK_SECONDS = 0.05
CROWD = 500


class Connection:
    """Due at once, and not again."""

    def __init__(self, looked_after: list[Connection]) -> None:
        self.due = 0.0
        self._looked_after = looked_after

    def overdue(self, now: float) -> None:
        self.due = now + 60
        self._looked_after.append(self)

    def close(self, code: int, reason: str = "") -> None:
        raise NotImplementedError

    def abort(self) -> None:
        raise NotImplementedError


@pytest.mark.parametrize("together", [TOGETHER, CROWD], ids=["few in a turn", "control"])
@asynchronous
async def test_a_crowd_that_is_due_at_once_is_looked_after_few_at_a_time_over_a_tick(
    together: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keepalive, "TOGETHER", together)
    looked_after: list[Connection] = []
    watching = Keepalive(TICK_SECONDS)
    crowd = [Connection(looked_after) for _ in range(CROWD)]
    for connection in crowd:
        watching.add(connection)
    most, begun, loop = 0, 0.0, asyncio.get_running_loop()
    while len(looked_after) < CROWD:
        before = len(looked_after)
        await asyncio.sleep(0)
        most = max(most, len(looked_after) - before)
        begun = begun or (loop.time() if looked_after else 0.0)
    assert (most < CROWD / 4) == (together == TOGETHER)  # ticks may overlap in a turn
    assert (loop.time() - begun > TICK_SECONDS / 2) == (together == TOGETHER)
    await asyncio.sleep(3 * TICK_SECONDS)
    assert Counter(looked_after) == Counter(crowd)
    for connection in crowd:
        watching.discard(connection)


@asynchronous
async def test_who_is_gone_before_its_turn_is_left_alone() -> None:
    looked_after: list[Connection] = []
    watching = Keepalive(TICK_SECONDS)
    crowd = [Connection(looked_after) for _ in range(2 * TOGETHER)]
    for connection in crowd:
        watching.add(connection)
    while not looked_after:
        await asyncio.sleep(0)
    for connection in crowd:
        watching.discard(connection)
    await asyncio.sleep(3 * TICK_SECONDS)
    assert len(looked_after) == TOGETHER


@pytest.mark.parametrize("since", [100.0, 300.0], ids=["of an earlier tick", "control"])
@asynchronous
async def test_what_was_given_time_in_a_later_tick_has_that_time(since: float) -> None:
    """Two ticks find the same connection while the event loop stalls: what the second says of it, the first must not end."""
    looked_after: list[Connection] = []
    watching = Keepalive(60)
    connection = Connection(looked_after)
    watching.add(connection)
    connection.due = 200.0  # long over, and set after the tick of the first
    watching._look_after(iter([connection]), since, 0.0)
    assert bool(looked_after) == (since == 300)
    watching.discard(connection)
