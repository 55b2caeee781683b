"""What can happen to a server and to the way there. Each fault ends by itself; healing is what is waited for then."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType

from anonchat.chaos.crowd import Crowd
from anonchat.chaos.flood import flood_with_nonsense
from anonchat.chaos.sender import Sender

Fault = Callable[[Crowd], Awaitable[None]]

SILENT_SECONDS = (0.2, 2.0)
PAUSED_SECONDS = (0.2, 2.0)
FLOOD_SECONDS = 1.0


async def kill(crowd: Crowd) -> None:
    """``kill -9``, and a new start."""
    crowd.server.kill()
    await asyncio.to_thread(crowd.server.start)


async def restart(crowd: Crowd) -> None:
    """SIGTERM, and a new start."""
    await asyncio.to_thread(crowd.server.stop)
    await asyncio.to_thread(crowd.server.start)


async def cut(crowd: Crowd) -> None:
    """Some connections end in the middle of a word."""
    for sender in _some(crowd):
        await sender.line.cut()


async def silence(crowd: Crowd) -> None:
    """Some lines swallow what is sent, both ways or only the answers; neither side is told."""
    silent = _some(crowd)
    for sender in silent:
        await sender.line.become(up=crowd.chance.choice(["open", "dead"]), down="dead")
    await asyncio.sleep(crowd.chance.uniform(*SILENT_SECONDS))
    for sender in silent:
        await sender.line.cut()  # before it opens: a stream with a hole in it would be nonsense
        await sender.line.become()


async def pause(crowd: Crowd) -> None:
    """The whole process stands still, as on a machine that is out of memory or is moved."""
    os.kill(crowd.server.pid, signal.SIGSTOP)
    try:
        await asyncio.sleep(crowd.chance.uniform(*PAUSED_SECONDS))
    finally:
        os.kill(crowd.server.pid, signal.SIGCONT)


async def flood(crowd: Crowd) -> None:
    """Strangers send nonsense, and everybody in the room sends as much as goes."""
    with crowd.hurrying():
        await flood_with_nonsense(crowd.server.port, crowd.chance, FLOOD_SECONDS)


def _some(crowd: Crowd) -> list[Sender]:
    return crowd.chance.sample(crowd.senders, crowd.chance.randint(1, len(crowd.senders)))


FAULTS: Mapping[str, Fault] = MappingProxyType(
    {fault.__name__: fault for fault in (kill, restart, cut, silence, pause, flood)}
)
