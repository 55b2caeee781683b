"""A goodbye in batches: everybody is told when to come back, not all at the same moment."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from contextlib import suppress

from anonchat.delivery.hub import Hub, Member
from anonchat.http.in_flight import InFlight
from anonchat.messages.writer import Writer
from anonchat.websocket.handler import Sockets

BATCH = 1_000
SHARE = 0.5  # of the whole time for a shutdown that saying goodbye may take
COME_BACK_MILLISECONDS = (1_000, 5_000)


async def drain(sockets: Sockets, requests: InFlight, hub: Hub, writer: Writer, seconds: float) -> None:
    """Say goodbye batch by batch, within half of `seconds`: `going_away`, what is in flight, then a close with 1001.

    What was read from a member is stored and answered before its close frame, which would be the last it sees. Requests
    are answered, too: who is told nothing of a join would join once more.
    """
    sockets.draining = requests.is_ending = True
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds * SHARE
    members = list(hub)
    batches = [members[start : start + BATCH] for start in range(0, len(members), BATCH)]
    pause = seconds * SHARE / 2 / len(batches) if len(batches) > 1 else 0
    for batch in batches:
        for member in batch:
            _say_goodbye(member)
        with suppress(TimeoutError):
            async with asyncio.timeout_at(deadline):
                await _finish(batch, writer)
        for member in batch:
            member.close(1001, "going_away")
        await asyncio.sleep(pause)
    sockets.transports.close_all(1001, "going_away")  # who has not identified is told too
    with suppress(TimeoutError):
        async with asyncio.timeout_at(deadline):
            await sockets.emptied()
            await requests.finished()


async def _finish(members: Sequence[Member], writer: Writer) -> None:
    await asyncio.gather(*(member.finish() for member in members))
    await writer.finish()


def _say_goodbye(member: Member) -> None:
    wait = random.randint(*COME_BACK_MILLISECONDS)
    member.enqueue(member.wire.encode("going_away", {"reconnectAfterMs": wait}))
