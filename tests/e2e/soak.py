"""Mixed load for ten minutes, with a random fault every 20 seconds: ``python -m tests.e2e.soak [seconds [every]]``.

In the first fifth of the time the process is killed or stopped. Then its caches are filled, faults come that it outlives, and
what it uses is measured. Exit code 1 if the ledger is not whole, or something grows.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import itertools
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from random import Random

from anonchat.chaos.crowd import Crowd
from anonchat.chaos.faults import FAULTS, Fault
from anonchat.chaos.report import lines_of
from anonchat.chaos.storm import Happening, Storm
from anonchat.chaos.trial import RATE, Outcome, surroundings
from anonchat.client import ClientError, Server, join
from anonchat.testing.processes import ServerProcess

from .disk import Disk
from .usage import SAMPLE_SECONDS, Usage, settled, slope, watch

SECONDS, EVERY = 600.0, 20.0
SEED = 20_261_121
ENDING = ("kill", "restart")
ENDING_SHARE = 0.2  # of the time in which the process is ended
DISK_SECONDS = 3.0
REMEMBERED = 25_000  # messages; a node keeps 20,000 receipts, and the newest events of active rooms
FILL_SECONDS = 300.0
VISITORS = 3
VISIT_SECONDS = 30.0
MOST_GROWTH = {"memory": 10.0, "descriptors": 10.0, "threads": 4.0, "tasks": 20.0}
TOKEN = "the-operator-of-the-soak"
PLUGGED = {
    "ANONCHAT_ROOMS__REPLAY_EVENTS": "2000",
    "ANONCHAT_PLUGINS__ENABLED": '["polls", "pins", "notifications", "analytics"]',
    "ANONCHAT_SERVER__OPERATOR_TOKEN": TOKEN,
}


def faults_of(disk: Disk) -> list[Fault]:
    """A disk that is full, fails or is slow for a while."""

    def fault(name: str, told: str) -> Fault:
        async def happen(_: Crowd) -> None:
            disk.become(told)
            await asyncio.sleep(DISK_SECONDS)
            disk.become()

        happen.__name__ = name
        return happen

    return [fault("full", f"w {errno.ENOSPC} 0"), fault("failing", f"s {errno.EIO} 0"), fault("slow", "s 0 500")]


async def fill(crowd: Crowd) -> None:
    """Send as many messages as a node keeps receipts of, and have it flooded once: what grows afterwards grows for ever."""
    await FAULTS["flood"](crowd)
    enough = crowd.acked + REMEMBERED
    with crowd.hurrying():
        async with asyncio.timeout(FILL_SECONDS):
            while crowd.acked < enough:
                await asyncio.sleep(SAMPLE_SECONDS)


async def visit(link: str, number: int) -> None:
    """Come into a room, talk, change one's mind, vote, and leave nothing behind."""
    async with await join(link, f"Visitor {number}") as chat:
        ack = await chat.send("Hello")
        await chat.send("Hello, too", reply_to=ack.message_id)
        await chat.request("edit_message", {"messageId": ack.message_id, "text": "Hello again"})
        poll = await chat.request("create_poll", {"question": "What?", "options": ["One", "Two"], "secrecy": "open"})
        await chat.request("vote", {"pollId": poll.data["pollId"], "optionIds": ["1"]})
        await chat.request("get_history", {"limit": 50})
        await chat.request("delete_message", {"messageId": ack.message_id})
        await chat.leave(forget=True)


async def visit_often(link: str, numbers: itertools.count[int]) -> None:
    """One visit after another, until cancelled; some end in the middle, as the server does."""
    while True:
        with contextlib.suppress(ClientError, TimeoutError):
            async with asyncio.timeout(VISIT_SECONDS):
                await visit(link, next(numbers))


async def soak(seconds: float, every: float, folder: Path) -> bool:
    """Whether everything was whole and nothing grew."""
    disk, samples = Disk(folder), list[Usage]()
    began = asyncio.get_running_loop().time()

    def tell(happening: Happening, _: Crowd) -> None:
        memory = f"{samples[-1].memory:6.0f} MB" if samples else ""
        took = happening.ended - happening.began
        print(f"{happening.ended - began:6.0f} s  {happening.name:8} {took:5.1f} s {memory}", flush=True)

    outliving = [fault for name, fault in FAULTS.items() if name not in ENDING] + faults_of(disk)
    with ServerProcess(folder, {**surroundings(), **PLUGGED, **disk.environment()}) as server:
        crowd, numbers = Crowd(server, Random(SEED), RATE), itertools.count()
        created = await Server(server.url).create_room("Visits", ephemeral=False)
        storms = [Storm(crowd, faults, tell) for faults in ([FAULTS[name] for name in ENDING], outliving)]
        async with crowd.talking():
            others = [asyncio.create_task(visit_often(created.moderator_url, numbers)) for _ in range(VISITORS)]
            await storms[0].rage(seconds * ENDING_SHARE, every)
            await fill(crowd)
            others.append(asyncio.create_task(watch(server, TOKEN, samples)))
            await storms[1].rage(seconds * (1 - ENDING_SHARE), every)
            for other in others:
                other.cancel()
            await asyncio.gather(*others, return_exceptions=True)
            await crowd.finish()
        happenings = [happening for storm in storms for happening in storm.happenings]
        outcome = Outcome([sender.account for sender in crowd.senders], happenings, await crowd.ledger(), None)
        print(*lines_of(outcome), f"{next(numbers):,} visits", sep="\n")
        print(f"{server.log.count('Traceback')} tracebacks in the log")
    return told_of_usage(settled(samples)) and outcome.is_whole


def told_of_usage(samples: Sequence[Usage]) -> bool:
    """Print what was used; whether it stayed the same."""
    for name in ("memory", "descriptors", "threads", "tasks"):
        values = [getattr(sample, name) for sample in samples]
        print(
            f"{name:12} {values[0]:8,.1f} at first, {values[-1]:8,.1f} at last, {max(values):8,.1f} at most, "
            f"{slope(samples, name):+9,.1f} an hour"
        )
    return all(getattr(samples[-1], name) - getattr(samples[0], name) <= most for name, most in MOST_GROWTH.items())


if __name__ == "__main__":
    seconds, every = (float(text) for text in [*sys.argv[1:], *map(str, (SECONDS, EVERY)[len(sys.argv) - 1 :])])
    with tempfile.TemporaryDirectory() as temporary:
        sys.exit(not asyncio.run(soak(seconds, every, Path(temporary))))
