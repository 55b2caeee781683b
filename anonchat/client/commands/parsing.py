"""What a line is: text to send, or a command of this client."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection
from typing import NamedTuple

from anonchat.client.commands.table import COMMANDS, offered
from anonchat.client.errors import ClientError
from anonchat.client.state import RoomState


class Command(NamedTuple):
    """A command of this client, and what follows its name."""

    name: str
    rest: str


WRITTEN = re.compile(r"/(\w[\w-]*)(?:\s+(.*))?", re.DOTALL)
"""A slash and one word, then what it is about. ``/etc/passwd`` is none."""

READ_NO_LINES = frozenset({"analytics", *(offer.plugin for offer in COMMANDS.values() if offer.plugin)})
"""Plugins whose commands are all in the table. Others may know ones that are sent as text."""


class UnknownCommand(ClientError):
    """What was meant as a command is none, and is not sent for everybody to read."""


def parse(line: str, plugins: Collection[str], state: RoomState) -> Command | str:
    """A command that is offered, or the text to send; ``//who`` sends ``/who``. Raises `UnknownCommand`.

    A command that this client does not know is sent only if it is not like one that is offered, and the server has a
    plugin of which this client knows nothing: that one may know it.
    """
    if line.startswith("//"):
        return line[1:]
    found = WRITTEN.fullmatch(line)
    if found is None:
        return line
    name, rest = found[1], found[2] or ""
    offers = offered(plugins, state)
    if name in offers:
        return Command(name, rest.strip())
    known = COMMANDS.get(name)
    if known is not None and (known.plugin is None or known.plugin in plugins):
        raise UnknownCommand(f"Only moderators may /{name}.")
    # Few people mistype the first letter; and another word may well be a plugin's.
    alike = [offer for offer in offers if offer[0] == name[0].lower()]
    if similar := difflib.get_close_matches(name.lower(), alike, n=1):
        raise UnknownCommand(f"Did you mean /{similar[0]}? //{name} sends it as text.")
    if known is not None or READ_NO_LINES.issuperset(plugins):
        raise UnknownCommand(f"There is no command /{name}; /help lists them, //{name} sends it as text.")
    return line
