"""A whole trial: a server in a folder, people who talk in it, faults, and the ledger at the end."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from anonchat.chaos.crowd import Crowd, NotHealed
from anonchat.chaos.faults import Fault
from anonchat.chaos.ledger import Account, Ledger
from anonchat.chaos.storm import Happening, Storm
from anonchat.client import ClientError
from anonchat.testing.processes import ServerProcess, environment

RATE = 100.0


@dataclass(frozen=True, slots=True)
class Plan:
    """For how many seconds, with a fault `every` so many seconds on average; `rate` messages are sent each second."""

    seconds: float
    every: float
    seed: int
    faults: Sequence[Fault]
    rate: float = RATE


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of it. `failure` says why it ended early; there is no `ledger` where the server does not answer."""

    accounts: Sequence[Account]
    happenings: Sequence[Happening]
    ledger: Ledger | None
    failure: str | None

    @property
    def is_whole(self) -> bool:
        """Whether the server went on after each fault and kept what it had promised."""
        return self.failure is None and self.ledger is not None and self.ledger.is_whole


def undergo(
    plan: Plan, folder: Path, tell: Callable[[Happening, Crowd], None], command: tuple[str, ...] = ()
) -> Outcome:
    """Have a server in `folder` undergo a plan; `command` starts it, else it is that of this installation.

    It ends in any case, and last: a thread may be about to start it anew.
    """
    server = ServerProcess(folder, surroundings(), command)
    try:
        server.start()
        return asyncio.run(_undergo(plan, server, tell))
    finally:
        server.kill()


async def _undergo(plan: Plan, server: ServerProcess, tell: Callable[[Happening, Crowd], None]) -> Outcome:
    crowd = Crowd(server, Random(plan.seed), plan.rate)
    storm = Storm(crowd, plan.faults, tell)
    failure = None
    try:
        async with crowd.talking():
            await storm.rage(plan.seconds, plan.every)
            await crowd.finish()
    except NotHealed as error:
        failure = str(error)
    accounts = [sender.account for sender in crowd.senders]
    try:
        return Outcome(accounts, storm.happenings, await crowd.ledger(), failure)
    except ClientError as error:
        return Outcome(accounts, storm.happenings, None, failure or str(error))


def surroundings() -> Mapping[str, str]:
    """Variables of a server that must not meet the data and the settings of the real one: an empty one is not set.

    Plugins and limits are off. A replay may be long, so that nearly everybody is told exactly what was missed.
    """
    ours = environment(
        rooms={"replay_events": 10_000},
        sessions={"grace_seconds": 1},
        storage={"database": "sqlite:///anonchat.db"},
        log={"level": "warning"},
    )
    return dict.fromkeys((name for name in os.environ if name.startswith("ANONCHAT_")), "") | ours
