"""What is measured: a server that can be started in a process of its own, and that has rooms."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

from benchmarks.competitors.process import Process
from benchmarks.load.flood import Dialect
from benchmarks.load.sockets import Ticket
from benchmarks.machine import pinned


class Competitor(ABC):
    """A server under measurement. `name` is as on the command line, `title` as in tables and charts.

    `settings` says what was chosen for it, and why; it is printed beside the figures.
    """

    def __init__(self, name: str, title: str, settings: str, dialect: Dialect) -> None:
        self.name = name
        self.title = title
        self.settings = settings
        self.dialect = dialect
        self.environ: dict[str, str] = {}
        self.folder = Path()
        self._cores = frozenset[int]()
        self._process: Process | None = None

    def missing(self) -> str | None:
        """What this machine lacks to run it, or None."""
        return None

    def prepare(self) -> None:  # noqa: B027 - most have nothing to do
        """Install or compile what it needs; called once, before any measurement."""

    @abstractmethod
    def command(self) -> Sequence[str]:
        """What runs it and prints its address first."""

    @abstractmethod
    def version(self) -> str:
        """Of the server and what it runs on."""

    @abstractmethod
    def rooms(self, count: int, members: int) -> Sequence[Sequence[Ticket]]:
        """New rooms, each with tickets for so many members."""

    def start(self, folder: Path, cores: frozenset[int]) -> None:
        """Start it on these cores, with its files in `folder`."""
        self.folder, self._cores = folder, cores
        with pinned(cores):
            self.launch()

    def launch(self) -> None:
        """Start its processes."""
        self._process = Process(self.command(), self.folder, self.environ)

    def restart(self, folder: Path | None = None) -> None:
        """End it and start it again on the same cores, perhaps with its files elsewhere."""
        self.stop()
        self.start(folder or self.folder, self._cores)

    def stop(self) -> None:
        """Kill it; does nothing if it does not run."""
        if self._process is not None:
            self._process.stop()
            self._process = None

    @property
    def _running(self) -> Process:
        if self._process is None:
            raise RuntimeError(f"{self.title} does not run.")
        return self._process

    @property
    def is_running(self) -> bool:
        """Whether it was started and not ended."""
        return self._process is not None

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._running.pid

    @property
    def port(self) -> int:
        """Where it listens on loopback."""
        return self._running.port
