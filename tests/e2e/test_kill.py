"""What was acknowledged survives ``kill -9`` at any moment, once, in one order for all (promises D1 to D4)."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest

from anonchat.chaos.crowd import Crowd
from anonchat.chaos.faults import kill
from anonchat.chaos.ledger import Ledger
from anonchat.testing.processes import ServerProcess

from .life import LONGEST_SECONDS, SOAK, broken_server

SEED = 20_261_120
KILLS = 50 if SOAK else 20
ROUND, ROUNDS = 3, 6  # kills after which a control looks for what is wrong, and how often it does so at most
MOMENT_SECONDS = 0.15
ENVIRONMENT = {
    "ANONCHAT_ROOMS__REPLAY_EVENTS": "10000",
    "ANONCHAT_LIMITS__MESSAGES_PER_SESSION": "off",
    "ANONCHAT_LIMITS__EVENTS_PER_SESSION": "off",
    "ANONCHAT_LIMITS__REQUESTS_PER_NETWORK": "off",
    "ANONCHAT_PLUGINS__ENABLED": "[]",
    "ANONCHAT_LOG__LEVEL": "warning",
}


async def kill_often(crowd: Crowd, kills: int) -> Ledger:
    """Kill and start anew at random moments, while everybody sends as much as goes; then let everybody finish."""
    async with crowd.talking():
        for _ in range(kills):
            await crowd.progress()
            await asyncio.sleep(crowd.chance.uniform(0, MOMENT_SECONDS))  # the random moment itself
            await kill(crowd)
        await crowd.finish()
    return await crowd.ledger()


@pytest.mark.gen_test(timeout=LONGEST_SECONDS)
async def test_nothing_acknowledged_is_lost_doubled_or_reordered(tmp_path: Path) -> None:
    print(f"seed {SEED}")
    with ServerProcess(tmp_path, ENVIRONMENT) as server:
        crowd = Crowd(server, random.Random(SEED))
        ledger = await kill_often(crowd, KILLS)
        print(f"{ledger}, {KILLS} kills")
        assert ledger.is_whole
        assert ledger.acked == ledger.sent > 0
        assert (ledger.fresh_starts, ledger.refusals.total()) == (0, 0)
        assert all(sender.visits > KILLS for sender in crowd.senders)
        stored = await crowd.stored()
    assert [seq for seq, _, _ in stored] == list(range(1, ledger.sent + 1))
    for sender in crowd.senders:
        assert sender.account.seen == stored


@pytest.mark.gen_test(timeout=LONGEST_SECONDS)
@pytest.mark.parametrize(("fault", "found"), [("early_ack", "lost"), ("forgotten_sends", "duplicated")])
async def test_a_broken_promise_is_caught(tmp_path: Path, fault: str, found: str) -> None:
    """The controls: a server that acknowledges before the commit, and one that does not know a repetition."""
    print(f"seed {SEED}")
    with broken_server(tmp_path, ENVIRONMENT, fault) as server:
        for _ in range(ROUNDS):
            ledger = await kill_often(Crowd(server, random.Random(SEED)), ROUND)
            if getattr(ledger, found):
                break
    assert getattr(ledger, found)
