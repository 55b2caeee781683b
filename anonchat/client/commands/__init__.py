"""The lines a person types: text to send, or a command. All commands stand in `anonchat.client.commands.table`."""

from __future__ import annotations

from anonchat.client.commands.floor import Floor, Misused, Next
from anonchat.client.commands.parsing import Command, UnknownCommand, parse
from anonchat.client.commands.table import COMMANDS, Offer, help_text, offered

__all__ = [
    "COMMANDS",
    "Command",
    "Floor",
    "Misused",
    "Next",
    "Offer",
    "UnknownCommand",
    "help_text",
    "offered",
    "parse",
]
