"""What was acknowledged is in the database after a loss of power, at whatever moment (promise D1).

A server runs on a disk that notes every write and every sync. Afterwards the files are made as a real disk might have them:
all that was synced, and of the rest any part, in any order, torn between sectors.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from random import Random

import pytest

from anonchat.testing.clients import Rest, connected
from anonchat.testing.processes import ServerProcess

from .disk import Disk, Platter, acts_in, needs_compiler
from .life import ENVIRONMENT, LONGEST_SECONDS, SOAK, broken_server

SEED = 20_261_121
CUTS = 500 if SOAK else 60
PEOPLE = 3
MESSAGES = 2_000 if SOAK else 400  # of each of them
IN_FLIGHT = 8
OFTEN = ENVIRONMENT | {
    "ANONCHAT_PLUGINS__ENABLED": "[]",
    "ANONCHAT_RETENTION__INTERVAL_SECONDS": "1",  # each run empties the write-ahead log
}

pytestmark = [pytest.mark.sqlite, needs_compiler]

Mark = tuple[int, str]
"""How long the log of the disk was when an ack came, and for which text."""


async def talk(port: int, log: Path) -> list[Mark]:
    """Everybody sends without a pause."""
    rest, marks = Rest(port), list[Mark]()
    room = (await rest.acall("POST", "/api/rooms", {"title": "Room", "ephemeral": False})).body

    def length() -> int:
        return log.stat().st_size

    async def one(name: str) -> None:
        body = {"inviteToken": room["inviteToken"], "username": name}
        joined = (await rest.acall("POST", f"/api/rooms/{room['roomId']}/join", body)).body
        async with connected(port) as socket:
            await socket.send("identify", {"token": joined["sessionToken"]})
            await socket.until("history_chunk")
            for number in range(MESSAGES + IN_FLIGHT):
                if number < MESSAGES:
                    text = f"{name} {number}"
                    await socket.send("send_message", {"text": text, "clientMsgId": text})
                if number >= IN_FLIGHT:
                    ack = (await socket.until("message_ack"))["data"]
                    marks.append((length(), ack["clientMsgId"]))
                    socket.passed.clear()

    async with asyncio.TaskGroup() as people:
        for number in range(PEOPLE):
            people.create_task(one(f"Person {number}"))
    return marks


def after_power_losses(disk: Disk, moments: Sequence[int], chance: Random) -> Iterator[tuple[int, Path]]:
    """For each moment, which is a length of the log, the database as it may be found then."""
    platter, acts = Platter(), deque(acts_in(disk.log))
    for number, moment in enumerate(sorted(moments)):
        while acts and acts[0].end <= moment:
            platter.take(acts.popleft())
        folder = disk.folder / f"found-{number}"
        folder.mkdir()
        for path, content in platter.after_power_loss(chance).items():
            (folder / Path(path).name).write_bytes(content)
        yield moment, folder / "anonchat.db"


def texts_in(database: Path) -> set[str]:
    """All messages of a database; one that is not whole has lost all of them."""
    try:
        with closing(sqlite3.connect(database)) as connection:
            verdict = connection.execute("PRAGMA integrity_check").fetchall()
            found = connection.execute("SELECT content FROM messages").fetchall()
    except sqlite3.DatabaseError:
        return set()
    return {json.loads(content)["text"] for (content,) in found} if verdict == [("ok",)] else set()


def lost(disk: Disk, marks: Sequence[Mark], chance: Random) -> set[str]:
    """What had been acknowledged and was not there, over many losses of power."""
    moments = [end for end, _ in chance.sample(list(marks), min(CUTS, len(marks)))]
    gone: set[str] = set()
    for moment, database in after_power_losses(disk, moments, chance):
        gone |= {text for end, text in marks if end <= moment} - texts_in(database)
    return gone


@pytest.mark.gen_test(timeout=LONGEST_SECONDS)
async def test_what_was_acknowledged_survives_a_loss_of_power(tmp_path: Path) -> None:
    disk = Disk(tmp_path, keeps_log=True)
    with ServerProcess(tmp_path, OFTEN | disk.environment()) as server:
        marks = await talk(server.port, disk.log)
    assert len(marks) == PEOPLE * MESSAGES
    kinds = Counter(act.kind for act in acts_in(disk.log))
    print(f"seed {SEED}, {kinds['w']} writes, {kinds['s']} syncs, {CUTS} losses of power")
    assert lost(disk, marks, Random(SEED)) == set()


@pytest.mark.gen_test(timeout=LONGEST_SECONDS)
async def test_a_commit_that_is_not_synced_is_caught(tmp_path: Path) -> None:
    """The control: the same server with ``synchronous=OFF``."""
    disk = Disk(tmp_path, keeps_log=True)
    with broken_server(tmp_path, OFTEN | disk.environment(), "unsynced_commits") as server:
        marks = await talk(server.port, disk.log)
    assert lost(disk, marks, Random(SEED))
