"""The lines a person types: text to send, or a command."""

from __future__ import annotations

from typing import NamedTuple

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


def parse(line: str) -> Command | str:
    """A command of this client, or the text to send.

    Other lines that begin with a slash are sent, since a plugin of the server may know them; ``//who`` sends ``/who``.
    """
    if line.startswith("//"):
        return line[1:]
    name, _, rest = line[1:].partition(" ")
    if line.startswith("/") and name in HELP:
        return Command(name, rest.strip())
    return line


def help_text() -> str:
    """All commands, one a line."""
    width = max(len(f"/{name} {what}") for name, (what, _) in HELP.items())
    return "\n".join(f"{f'/{name} {what}':<{width}}  {does}" for name, (what, does) in HELP.items())
