"""What is measured: a server that can be started, and that has rooms."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from benchmarks.load.flood import Dialect
from benchmarks.load.sockets import Ticket


class Competitor(Protocol):
    """A server under measurement; `start` runs it, and from then on it has a process and a port."""

    name: str
    """As on the command line."""

    title: str
    """As in tables and charts."""

    settings: str
    """What was chosen for it, and why; printed beside the figures."""

    dialect: Dialect

    def missing(self) -> str | None:
        """What this machine lacks to run it, or None."""

    def prepare(self) -> None:
        """Install or compile what it needs; called once, before any measurement."""

    def start(self, folder: Path) -> None:
        """Start it with its files in `folder`."""

    def stop(self) -> None:
        """End it; does nothing if it does not run."""

    @property
    def pid(self) -> int:
        """The process's id."""

    @property
    def port(self) -> int:
        """Where it listens on loopback."""

    def version(self) -> str:
        """Of the server and what it runs on."""

    def rooms(self, count: int, members: int) -> Sequence[Sequence[Ticket]]:
        """New rooms, each with tickets for so many members."""
