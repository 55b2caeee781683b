"""What the plugins of a server mean to people in the terminal: commands, cards, sentences. Real servers, line by line."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from anonchat.app import Server as RunningServer
from anonchat.client import Chat, CreatedRoom, Pace, Server, join
from anonchat.client.commands import COMMANDS, offered
from anonchat.client.plain import PlainChat
from anonchat.plugins import bundled
from anonchat.testing import running_server, settings_in

SECONDS = 20
OPTIONS = {"polls": {"create": "everyone"}, "moderation": {"newcomer_seconds": 3_600}}
QUICK = Pace(shortest_wait=0.02, longest_wait=0.1)

pytestmark = pytest.mark.gen_test(timeout=60)


class Reader:
    """Somebody at a plain terminal: what they type, and the lines that they read."""

    def __init__(self, chat: Chat, pipe: int) -> None:
        self.chat = chat
        self.lines: list[str] = []
        self._pipe = pipe
        self._read = 0
        self._more = asyncio.Event()

    def write(self, line: str) -> None:
        self.lines.append(line)
        self._more.set()

    def type(self, line: str) -> None:
        os.write(self._pipe, f"{line}\n".encode())

    async def until(self, part: str) -> str:
        """The next line, after those that were waited for before, with this in it."""
        async with asyncio.timeout(SECONDS):
            while True:
                for number, line in enumerate(self.lines[self._read :], self._read):
                    if part in line:
                        self._read = number + 1
                        return line
                self._more.clear()
                await self._more.wait()

    async def says(self, line: str, part: str) -> str:
        """Type a line, and wait for what it does."""
        self.type(line)
        return await self.until(part)


@asynccontextmanager
async def reader(link: str, name: str) -> AsyncIterator[Reader]:
    """Join by a link and sit down at a terminal."""
    end, pipe = os.pipe()
    try:
        async with await join(link, name, pace=QUICK) as chat:
            someone = Reader(chat, pipe)
            running = asyncio.create_task(PlainChat(chat, someone.write).run(end))
            try:
                await someone.until("You are in")
                yield someone
            finally:
                os.close(pipe)
                pipe = -1
                await running
    finally:
        os.close(end)
        if pipe >= 0:
            os.close(pipe)


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[RunningServer]:
    plugins = {"enabled": bundled(), "options": OPTIONS}
    async with running_server(settings_in(tmp_path, plugins=plugins)) as running:
        yield running


@pytest.fixture
async def room(server: RunningServer) -> CreatedRoom:
    return await Server(server.url).create_room("Lunch", settings={"moderation": {"preset": "relaxed"}})


@pytest.fixture
async def people(room: CreatedRoom) -> AsyncIterator[tuple[Reader, Reader]]:
    """Maud, who is the moderator, and Anna Maria."""
    async with AsyncExitStack() as stack:
        maud = await stack.enter_async_context(reader(room.moderator_url, "Maud"))
        anna = await stack.enter_async_context(reader(room.join_url, "Anna Maria"))
        await maud.until("Anna Maria joined.")
        yield maud, anna


async def test_a_poll_is_asked_answered_and_closed(people: tuple[Reader, Reader]) -> None:
    maud, anna = people
    maud.type("/poll --hidden Tea or coffee? | Tea | Coffee")
    card = await anna.until("[moderator] Maud: Poll #")
    number = card.partition("#")[2].partition(":")[0]
    assert card.endswith(f"Poll #{number}: Tea or coffee?")
    assert await anna.until("  1. Tea") == "  1. Tea"
    assert (await anna.until("Hidden: nobody in the room sees who voted what")).endswith("the poll is deleted.")
    await anna.until(f"0 people voted. Vote with /vote #{number} and a number.")
    await anna.says("/vote", "Write /vote [#poll] N…: ")
    await anna.says("/vote 3", "This poll has no such option.")
    await anna.says("/vote 1", "Your vote for 1 is counted.")
    await anna.says(f"/vote #{number} 2", "Your vote for 2 is counted.")
    await maud.says("/vote 2", "Your vote for 2 is counted.")
    await anna.says("/closepoll", "Only moderators may do that.")
    await anna.says("/unvote", "Your vote is taken back.")
    maud.type("/closepoll")
    for someone in people:
        await someone.until("The poll “Tea or coffee?” is closed: Tea 0, Coffee 1.")
    await anna.says("/vote 1", "There is no such poll here.")
    await anna.says(f"/vote #{number} 1", "This poll is closed.")


async def test_without_plugins_there_are_no_such_commands(tmp_path: Path) -> None:
    async with running_server(settings_in(tmp_path)) as server:
        room = await Server(server.url).create_room("Lunch")
        async with reader(room.moderator_url, "Maud") as maud:
            await maud.says("/help", "/quit")
            told = {line.split()[0].removeprefix("/") for line in maud.lines if line.startswith("/")}
            assert told == offered((), True).keys()
            for name in sorted(COMMANDS.keys() - told):
                await maud.says(f"/{name} x", f"//{name} sends it as text.")
            assert (await maud.chat.history())["messages"] == []
