"""The lines a person types: text to send, or a command."""

from __future__ import annotations

import difflib
import re
from typing import NamedTuple

from anonchat.client.errors import ClientError

HELP = {
    "help": ("", "show the commands"),
    "who": ("", "who is here"),
    "reply": ("N text", "answer the N-th message from the bottom (1 is the last)"),
    "edit": ("text", "change your last message"),
    "delete": ("", "delete your last message"),
    "older": ("", "load older messages"),
    "leave": ("[forget]", "leave for good; with forget, delete what you wrote"),
    "quit": ("", "close the chat; your name stays reserved for a while"),
}
"""Name -> (what follows it, what it does)."""


class Command(NamedTuple):
    """A command of this client, and what follows its name."""

    name: str
    rest: str


WRITTEN = re.compile(r"/(\w[\w-]*)(?:\s+(.*))?", re.DOTALL)
"""A slash and one word, then what it is about. ``/etc/passwd`` is none."""


class UnknownCommand(ClientError):
    """What was meant as a command is none, and is not sent for everybody to read."""


def parse(line: str, *, has_plugins: bool) -> Command | str:
    """A command of this client, or the text to send; ``//who`` sends ``/who``. Raises `UnknownCommand`.

    A command that this client does not know is sent only if it is not like one of its own and the server `has_plugins`,
    of which one may know it.
    """
    if line.startswith("//"):
        return line[1:]
    found = WRITTEN.fullmatch(line)
    if found is None:
        return line
    name, rest = found[1], found[2] or ""
    if name in HELP:
        return Command(name, rest.strip())
    if similar := difflib.get_close_matches(name.lower(), HELP, n=1):
        raise UnknownCommand(f"Did you mean /{similar[0]}? //{name} sends it as text.")
    if not has_plugins:
        raise UnknownCommand(f"There is no command /{name}; /help lists them, //{name} sends it as text.")
    return line


def help_text() -> str:
    """All commands, one a line."""
    width = max(len(f"/{name} {what}") for name, (what, _) in HELP.items())
    return "\n".join(f"{f'/{name} {what}':<{width}}  {does}" for name, (what, does) in HELP.items())
