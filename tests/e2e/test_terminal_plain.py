"""``anonchat chat`` as a process with pipes, as a script or a screen reader meets it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pty
import sqlite3
import sys
import termios
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from anonchat.client import Chat, ChatEvent, Closed, Link, Received, Server, join, plain
from anonchat.client.state import RoomState
from anonchat.client.words.sentences import closing, message, sentence
from anonchat.testing import running_server, settings_in
from anonchat.testing.processes import ServerProcess

SECONDS = 60
PROGRAM = """
import sys
from anonchat.client.entrance import run_chat
sys.exit(run_chat(sys.argv[1], sys.argv[2] or None, plain="--plain" in sys.argv))
"""


@pytest.fixture
async def link(tmp_path: Path) -> AsyncIterator[str]:
    async with running_server(settings_in(tmp_path)) as server:
        yield (
            await Server(server.url).create_room("Lunch", description="Where?\nYou are in “Lunch” as Root.")
        ).join_url


class Typist:
    """A running chat, its input and its output."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self.lines: list[str] = []

    def type(self, *lines: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write("".join(f"{line}\n" for line in lines).encode())

    def hang_up(self) -> None:
        """The end of the input."""
        assert self._process.stdin is not None
        self._process.stdin.close()

    async def until(self, part: str) -> str:
        assert self._process.stdout is not None
        async with asyncio.timeout(SECONDS):
            async for line in self._process.stdout:
                self.lines.append(line.decode().rstrip("\n"))
                if part in self.lines[-1]:
                    return self.lines[-1]
        raise AssertionError(f"{part!r} was not said: {self.lines}")

    async def end(self) -> tuple[int, str]:
        """The exit code and what was said on the error output, after the rest of the output."""
        async with asyncio.timeout(SECONDS):
            rest, errors = await self._process.communicate()
        self.lines += rest.decode().splitlines()
        return self._process.returncode or 0, errors.decode()


@asynccontextmanager
async def typist(link: str, name: str, home: Path, *options: str) -> AsyncIterator[Typist]:
    environ = {**os.environ, "XDG_STATE_HOME": str(home)}
    command = (sys.executable, "-c", PROGRAM, link, name, *options)
    process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, stderr=PIPE, env=environ)
    try:
        yield Typist(process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


@pytest.mark.gen_test
async def test_lines_in_and_sentences_out(link: str, tmp_path: Path) -> None:
    async with await join(link, "Bob") as bob, typist(link, "Ann", tmp_path) as ann:
        await bob.send("before you came")
        await ann.until("You are in “Lunch” as Ann.")
        await ann.until("2 here: ")
        sent = await bob.send("hello\nthere \u202e[b]x[/b]")
        assert (await ann.until("hello")).endswith("] Bob: hello / there [b]x[/b]")
        ann.type("/reply 1 hi Bob", "/edit hi, Bob")
        await ann.until("In reply to Bob: hello there")
        await bob.edit(sent.message_id, "hello again")
        await ann.until("Bob changed a message: hello again")
        await bob.delete(sent.message_id)
        await ann.until("A message of Bob of")
        ann.type("/edti oops", "/roll 2d6", "//roll 2d6", "last words")
        await ann.until("Did you mean /edit?")
        await ann.until("There is no command /roll; ")
        ann.hang_up()
        code, errors = await ann.end()
        assert code == 0
        assert "Lunch: " in errors
        assert "\n  | Where?\n  | You are in “Lunch” as Root.\n" in errors
        stored = [wire["content"]["text"] for wire in (await bob.history())["messages"]]
        assert stored == ["before you came", "", "hi, Bob", "/roll 2d6", "last words"]
        async with typist(link, "Ann", tmp_path, "--plain") as again:
            assert await again.until("You are in “Lunch” as Ann.")
            assert again.lines[-2].endswith("] <you>: last words")
            assert any(line.endswith("] <you>, to Bob (deleted): hi, Bob (edited)") for line in again.lines)
            again.type("/leave")
            assert (await again.end())[0] == 0
            assert again.lines[-1] == "You have left the room."


@pytest.mark.gen_test
async def test_a_name_is_made_up_and_a_taken_one_refused(link: str, tmp_path: Path) -> None:
    async with await join(link, "Bob"), typist(link, "", tmp_path) as somebody, typist(link, "Bob", tmp_path) as other:
        name = (await somebody.until("You are in")).removesuffix(".").partition(" as ")[2]
        assert len(name.split()) == 2
        code, errors = await other.end()
        assert (code, "is taken" in errors, "Traceback" in errors) == (1, True, False)


@pytest.mark.gen_test
async def test_people_who_share_a_machine_are_not_one_device(link: str, tmp_path: Path) -> None:
    """Whoever is there at the same time is somebody else; whoever comes back is the same, also under another name."""
    async with typist(link, "Ann", tmp_path) as ann, typist(link, "Bob", tmp_path) as bob:
        await ann.until("You are in")
        await bob.until("You are in")
        devices = devices_in(tmp_path)
        assert len(set(devices.values())) == 2
        bob.type("/quit")
        await bob.end()
        async with typist(link, "Bert", tmp_path) as bert:
            await bert.until("You are in")
            assert devices_in(tmp_path)["Bert"] == devices["Bob"]
        ann.type("/quit")
        await ann.end()
    async with typist(link, "Bob", tmp_path) as bob, typist(link, "Bob", tmp_path) as tab:
        await bob.until("You are in “Lunch” as Bob.")
        await tab.until("You are in “Lunch” as Bob.")
    assert {name: devices_in(tmp_path)[name] for name in devices} == devices


def devices_in(folder: Path) -> dict[str, str]:
    """Name -> device, of the only room."""
    with contextlib.closing(sqlite3.connect(folder / "anonchat.db")) as connection:
        return dict(connection.execute("SELECT username, device_hash FROM sessions"))


@pytest.mark.gen_test
@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ("http://127.0.0.1:1/r/x#y", "the address right? (Connection refused)"),
        ("hello", "begins with http"),
    ],
)
async def test_a_wrong_link_is_told_in_a_sentence(wrong: str, told: str, tmp_path: Path) -> None:
    async with typist(wrong, "Ann", tmp_path) as ann:
        code, errors = await ann.end()
        assert (code, ann.lines, len(errors.splitlines())) == (1, [], 1)
        assert told in errors


@pytest.mark.gen_test
async def test_a_killed_server_is_told_and_survived(tmp_path: Path) -> None:
    with ServerProcess(tmp_path) as process:
        link = (await Server(process.url).create_room("Lunch")).join_url
        async with await join(link, "Bob") as bob, typist(link, "Ann", tmp_path) as ann:
            await ann.until("2 here: ")
            process.kill()
            await ann.until("Connection lost, trying again in ")
            ann.type("written meanwhile")
            process.start()
            await ann.until("Back, ")
            ann.hang_up()
            assert (await ann.end())[0] == 0
            assert [wire["content"]["text"] for wire in (await bob.history())["messages"]] == ["written meanwhile"]


@pytest.mark.gen_test
async def test_quit_ends_it_also_while_something_cannot_be_sent(tmp_path: Path) -> None:
    with ServerProcess(tmp_path) as process:
        link = (await Server(process.url).create_room("Lunch")).join_url
        async with typist(link, "Ann", tmp_path) as ann:
            await ann.until("1 here: ")
            process.kill()
            await ann.until("Connection lost, trying again in ")
            ann.type("are you still there?", "/quit")
            assert (await ann.end())[0] == 0
            told = [line for line in ann.lines if "not sent" in line.lower()]
            assert told[0].startswith("Not sent: are you still there?")
            assert told[1] == "1 message was not sent."


@pytest.mark.gen_test
@pytest.mark.parametrize("code", [4403, 4410])
async def test_whoever_is_put_out_hears_how_many_messages_were_not_sent(tmp_path: Path, code: int) -> None:
    """They wait for a rate, so that nothing can have been sent when the end comes."""
    limits = {"messages_per_session": "1/minute"}
    lines: list[str] = []
    end, pipe = os.pipe()
    async with running_server(settings_in(tmp_path, limits=limits)) as server:
        link = Link.parse((await Server(server.url).create_room("Lunch")).join_url)
        membership = await Server(link.base_url).join(link, "Ann")
        async with Chat(membership) as chat, asyncio.timeout(SECONDS):
            running = asyncio.create_task(plain.PlainChat(chat, lines.append).run(end))
            os.write(pipe, b"one\ntwo\nthree\n")
            while chat.unsent < 2:
                await asyncio.sleep(0.01)
            while chat.unsent > 2:
                await asyncio.sleep(0.01)
            server.sessions.disconnect(membership.session_id, code, "kicked" if code == 4403 else "room_ended")
            assert await running == 1
    assert lines[-2] == "2 messages were not sent."
    os.close(end)
    os.close(pipe)


@pytest.mark.gen_test
async def test_a_line_that_the_terminal_has_cut_is_not_sent(link: str) -> None:
    lines: list[str] = []
    screen, keyboard = pty.openpty()
    flags = termios.tcgetattr(keyboard)
    flags[3] &= ~termios.ECHO
    termios.tcsetattr(keyboard, termios.TCSANOW, flags)
    async with await join(link, "Ann") as ann, asyncio.timeout(SECONDS):
        os.write(screen, b"x" * 4_094 + b"\n" + b"y" * 4_500 + b"\n/quit\n")
        assert await plain.PlainChat(ann, lines.append).run(keyboard) == 0
    # The server may answer after the terminal was looked at.
    told = sorted(line for line in lines if "Not sent: " in line)
    assert [line[10] for line in told] == ["x", "y"], "the first is refused by the server, whole"
    assert "At most 4000 characters; this has 4094." in told[0]
    assert told[1].endswith("Write it in parts, or without --plain.")
    os.close(screen)
    os.close(keyboard)


@pytest.mark.gen_test
@pytest.mark.parametrize(
    ("streams", "environment", "code", "told"),
    [
        ("<&-", {}, 0, "Lunch: "),
        (">&-", {}, 0, "Lunch: "),
        (">/dev/full", {}, 1, "The chat cannot go on: No space left on device."),
        ("", {"PYTHONIOENCODING": "latin-1"}, 0, "Lunch: "),
    ],
)
async def test_odd_streams_leave_no_traceback(
    link: str, tmp_path: Path, streams: str, environment: dict[str, str], code: int, told: str
) -> None:
    command = (sys.executable, "-m", "anonchat", "chat", link, "--name", "Ann")
    environ = {**os.environ, "XDG_STATE_HOME": str(tmp_path), **environment}
    shell = ("sh", "-c", f'exec "$@" {streams}', "sh", *command)
    async with await join(link, "Bob") as bob, asyncio.timeout(SECONDS):
        await bob.send("a heart: ♥")
        process = await asyncio.create_subprocess_exec(*shell, stdin=PIPE, stdout=PIPE, stderr=PIPE, env=environ)
        _, errors = await process.communicate(b"/quit\n")
    assert (process.returncode, "Traceback" in errors.decode(), "Exception" in errors.decode()) == (code, False, False)
    assert told in errors.decode()


class Forgetful(Chat):
    """A room whose messages are purged before they are told: what is told instead, if anything."""

    is_told = False

    async def __anext__(self) -> ChatEvent:
        while isinstance(event := await super().__anext__(), Received) and event.event == "message":
            if self.is_told:
                return Received("messages_removed", {"messageIds": [event.data["id"]]}, event.seq)
        return event


@pytest.mark.gen_test
@pytest.mark.parametrize(("is_told", "patience"), [(False, 0.3), (True, 2 * SECONDS)])
async def test_a_command_does_not_wait_for_ever_for_what_was_purged(
    link: str, monkeypatch: pytest.MonkeyPatch, is_told: bool, patience: float
) -> None:
    monkeypatch.setattr(plain, "PATIENCE", patience, raising=False)
    lines: list[str] = []
    end, pipe = os.pipe()
    os.write(pipe, b"hello\n/who\n/who\n/quit\n")
    async with Forgetful(await Server(Link.parse(link).base_url).join(Link.parse(link), "Ann")) as chat:
        chat.is_told = is_told
        async with asyncio.timeout(SECONDS):
            assert await plain.PlainChat(chat, lines.append).run(end) == 0
    assert lines.count("1 here: <you> Ann") == 2
    os.close(end)
    os.close(pipe)


def test_every_event_has_its_sentence() -> None:
    state = RoomState()
    state.apply("identified", {"sessionId": "me", "username": "Ann", "room": {"title": "T", "isOpen": False}})
    wire = {
        "id": "m", "seq": 1, "changedSeq": 1, "authorSessionId": "b", "authorUsername": "Bob\x1b",
        "createdAt": "2026-11-20T20:15:00.000Z", "content": {"type": "text", "text": "a\nb\x07"},
    }  # fmt: skip
    assert message(wire, state).endswith("] Bob␛: a / b␇")
    moderated = wire | {"id": "n", "authorRole": "moderator", "replyToId": "m"}
    state.apply("message", wire)
    assert message(moderated, state).endswith("] [moderator] Bob␛, to Bob␛ (a b␇): a / b␇")
    assert message(wire | {"authorSessionId": "me"}, state).endswith("] <you>: a / b␇")
    assert message(wire | {"authorUsername": "You"}, state).endswith("] You: a / b␇")
    person = {"sessionId": "b", "username": "Bob"}
    told: dict[str, tuple[dict[str, Any], str | None]] = {
        "presence": ({"event": "join", "user": person, "total": 2}, "Bob joined."),
        "room_closed": ({}, "The room is closed; nobody new can come in."),
        "room_updated": ({"room": {"isOpen": True}}, "The room is open again."),
        "room_ttl_warning": ({"remainingSeconds": 600}, "The room ends in 10 min."),
        "room_ended": (
            {
                "deleted": {
                    "polls.polls_votes": 2,
                    "messages": 1,
                    "participants": 0,
                    "tokens": 3,
                    "wiki.pages": 4,
                    "odd": "x",
                }
            },
            "The room has ended. Deleted for good: 1 message, 2 votes, 7 other records.",
        ),
        "kicked": (
            {"reason": "spam", "coolOffSeconds": 60},
            "A moderator removed you from the room: spam. You may come back in 1 min.",
        ),
        "error": ({"code": "muted", "message": "You are muted."}, "You are muted."),
        "poll_update": ({}, None),
    }
    assert {name: sentence(name, data, state) for name, (data, _) in told.items()} == {
        name: text for name, (_, text) in told.items()
    }
    assert sentence("presence", {"event": "count", "total": 300}, state) is None


def test_endings_are_told_apart() -> None:
    reasons = ["left", "kicked", "banned", "room_ended", "name_lost", "odd"]
    assert len({closing(Closed(4400, reason)) for reason in reasons}) == len(reasons)
