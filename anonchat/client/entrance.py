"""``anonchat chat``: what a person is told and asked before the chat begins."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import shutil
import sys
from collections.abc import Mapping
from contextlib import suppress
from io import TextIOWrapper
from typing import Any

from anonchat.client.device import devices_for
from anonchat.client.errors import ChatRefused, ClientError
from anonchat.client.link import Link
from anonchat.client.plain import chat_plainly
from anonchat.client.server import Membership, Server
from anonchat.client.text import literal, one_line, quoted
from anonchat.client.times import duration
from anonchat.client.words.suggestions import suggest_name

NO_TEXTUAL = "The full-screen chat needs Textual: pip install 'anonchat[chat]', or use --plain."
ANOTHER_NAME = frozenset({"username_taken", "username_invalid", "name_lost"})


def run_chat(link: str, name: str | None = None, plain: bool = False) -> int:
    """Chat in a room until the person has enough. Returns the exit code; never a traceback for what can go wrong.

    Without `name` it is asked for, if there is a person to ask; else one is made up. A full screen needs a terminal
    on both sides; where there is none, the chat is `plain` by itself.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # where the terminal knows fewer characters than people write
    plain = plain or not (sys.stdin.isatty() and sys.stdout.isatty())
    if not plain and importlib.util.find_spec("textual") is None:
        return _fail(NO_TEXTUAL)
    try:
        known = Link.parse(link)
        _print_about(*asyncio.run(_about(known)))
        membership = _join(known, name)
        if plain:
            return asyncio.run(chat_plainly(membership))
        from anonchat.client.terminal import chat_on_screen

        return chat_on_screen(membership)
    except ClientError as error:
        return _fail(str(error))
    except OSError as error:
        return _fail_to_say(error)
    except (KeyboardInterrupt, EOFError):
        print(file=sys.stderr)
        return 130


def _fail(text: str) -> int:
    print(literal(text), file=sys.stderr)
    return 1


def _fail_to_say(error: OSError) -> int:
    """The output cannot be written. The interpreter would try it once more at its end, and complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if isinstance(error, BrokenPipeError):
        return 1  # whoever read it has gone
    with suppress(OSError):
        _fail(f"The chat cannot go on: {error.strerror or error}.")
    return 1


async def _about(link: Link) -> tuple[Mapping[str, Any], float | None]:
    server = Server(link.base_url)
    return await server.room(link.room_id), await server.remaining(link.room_id)


def _print_about(room: Mapping[str, Any], left: float | None) -> None:
    """Title, size, and how long anything stays: to be known before one comes in."""
    print(
        f"{one_line(room['title'])}: {room['actualParticipants']} of at most {room['maxParticipants']} people",
        file=sys.stderr,
    )
    if room.get("description"):
        print(quoted(room["description"], shutil.get_terminal_size().columns), file=sys.stderr)
    retention = room["retentionSeconds"]
    kept = f"Messages are deleted after {duration(retention)}." if retention else "Messages stay until the room ends."
    end = f"The room ends in {duration(left)}." if left is not None else "The room has no fixed end."
    print(f"{kept} {end}", file=sys.stderr)


def _join(link: Link, name: str | None) -> Membership:
    """Join, asking for a name as often as needed. Raises `ClientError` where nobody can be asked."""
    asked = name is None and sys.stdin.isatty()
    chosen = name or suggest_name()
    while True:
        if asked:
            print(f"Your name [{chosen}]: ", end="", file=sys.stderr, flush=True)
            chosen = input().strip() or chosen
        try:
            return _enter(link, chosen)
        except ChatRefused as refusal:
            if refusal.code not in ANOTHER_NAME or (name is not None and not sys.stdin.isatty()):
                raise
            print(literal(refusal.message), file=sys.stderr)
            asked, chosen = sys.stdin.isatty(), suggest_name()


def _enter(link: Link, name: str) -> Membership:
    """Join under a name. One that is taken may be this person's own, from another device of this machine.

    The device with which it succeeds is this chat's until the process ends.
    """
    server, devices = Server(link.base_url), list(devices_for(link.room_id))
    try:
        while True:
            device = devices.pop(0)
            try:
                return asyncio.run(server.join(link, name, device_id=device.id))
            except ClientError as error:
                device.release()
                if not devices or not (isinstance(error, ChatRefused) and error.code == "username_taken"):
                    raise
    finally:
        for device in devices:
            device.release()
