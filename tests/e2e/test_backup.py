"""Backups of a server that is busy hold everything that was acknowledged before; clients survive a restore (promise D4)."""

from __future__ import annotations

import asyncio
import json
import random
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from anonchat.chaos.crowd import Crowd
from anonchat.testing.processes import ServerProcess

from .life import ENVIRONMENT

SEED = 20_261_121
BACKUPS = 3
KILLS = 10
RESTORE_SECONDS = 1.0  # within which a restore is killed
PLAIN = ENVIRONMENT | {"ANONCHAT_PLUGINS__ENABLED": "[]"}

pytestmark = pytest.mark.sqlite


async def anonchat(folder: Path, *arguments: str) -> None:
    command = (sys.executable, "-P", "-m", "anonchat", *arguments)
    done = await asyncio.to_thread(subprocess.run, command, cwd=folder, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def texts_in(path: Path) -> set[str]:
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return {json.loads(content)["text"] for (content,) in connection.execute("SELECT content FROM messages")}


def acked_by(crowd: Crowd) -> set[str]:
    return {text for sender in crowd.senders for text in sender.account.acked}


@pytest.mark.gen_test
async def test_backups_under_load_and_a_restore(tmp_path: Path) -> None:
    with ServerProcess(tmp_path, PLAIN) as server:
        crowd = Crowd(server, random.Random(SEED))
        async with crowd.talking():
            for number in range(BACKUPS):
                await crowd.progress()
                acked = acked_by(crowd)
                await anonchat(tmp_path, "backup", f"copy-{number}.db")
                assert acked <= texts_in(tmp_path / f"copy-{number}.db")
            await crowd.progress()
            await asyncio.to_thread(server.stop)
            await anonchat(tmp_path, "restore", f"copy-{BACKUPS - 1}.db")
            since = acked_by(crowd)
            assert not since <= texts_in(tmp_path / "anonchat.db"), "nothing was said since, so this proves nothing"
            await asyncio.to_thread(server.start)
            await crowd.progress()
            await crowd.finish()
        ledger = await crowd.ledger()
        stored = {text for _, _, text in await crowd.stored()}
    assert acked_by(crowd) - since <= stored
    assert ledger.fresh_starts >= len(crowd.senders), "whoever came back was told that something may be missing"


@pytest.mark.gen_test
async def test_a_mere_copy_of_the_file_is_caught(tmp_path: Path) -> None:
    """The control: what stands in the write-ahead log is missing."""
    with ServerProcess(tmp_path, PLAIN) as server:
        crowd = Crowd(server, random.Random(SEED))
        async with crowd.talking():
            await crowd.progress()
            acked = acked_by(crowd)
            shutil.copy(tmp_path / "anonchat.db", tmp_path / "copy.db")
            await crowd.finish()
    with closing(sqlite3.connect(tmp_path / "copy.db")) as connection:
        found = {json.loads(content)["text"] for (content,) in connection.execute("SELECT content FROM messages")}
    assert not acked <= found


@pytest.mark.gen_test
async def test_a_restore_that_is_killed_leaves_the_old_database_or_the_new_one(tmp_path: Path) -> None:
    with ServerProcess(tmp_path, PLAIN) as server:
        crowd = Crowd(server, random.Random(SEED))
        async with crowd.talking():
            await crowd.progress()
            await anonchat(tmp_path, "backup", "copy.db")
            await crowd.progress()
            await crowd.finish()
        server.stop()
    fresh, old = texts_in(tmp_path / "copy.db"), texts_in(tmp_path / "anonchat.db")
    assert fresh < old
    found = []
    for _ in range(KILLS):
        shutil.copy(tmp_path / "anonchat.db", tmp_path / "before.db")
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-P", "-m", "anonchat", "restore", "copy.db", "--force", cwd=tmp_path,
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        try:
            await asyncio.wait_for(process.wait(), crowd.chance.uniform(0, RESTORE_SECONDS))
        except TimeoutError:
            process.kill()
            await process.wait()
        found.append(texts_in(tmp_path / "anonchat.db"))
        shutil.copy(tmp_path / "before.db", tmp_path / "anonchat.db")
    assert all(texts in (fresh, old) for texts in found)
    await anonchat(tmp_path, "restore", "copy.db", "--force")
    assert texts_in(tmp_path / "anonchat.db") == fresh
