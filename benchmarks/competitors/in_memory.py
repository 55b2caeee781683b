"""Competitors that do nothing but deliver: rooms are made by whoever enters, and nothing is stored."""

from __future__ import annotations

import importlib.metadata
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.competitors import npm
from benchmarks.competitors.base import Competitor
from benchmarks.load.flood import Dialect
from benchmarks.load.library import compiled, compiler
from benchmarks.load.sockets import Ticket
from benchmarks.machine import version_of

HERE = Path(__file__).parent


def plain_message(text: str, identity: str) -> str:
    """A message as anonchat's protocol has it."""
    return json.dumps({"event": "send_message", "data": {"text": text, "clientMsgId": identity}})


def socketio_message(text: str, identity: str) -> str:
    """A Socket.IO event that asks for an acknowledgement."""
    return "421" + json.dumps(["send_message", {"text": text, "clientMsgId": identity}])


PLAIN = Dialect(b"identified", plain_message)
SOCKETIO = Dialect(b"identified", socketio_message, ping="2", pong="3")


def by_path(room: int) -> Ticket:
    """The room stands in the path."""
    return Ticket(f"/{room}")


def by_packet(room: int) -> Ticket:
    """The room stands in the packet with which Socket.IO connects."""
    return Ticket("/socket.io/?EIO=4&transport=websocket", (f'40{{"room":"{room}"}}',))


class InMemory(Competitor):
    """Rooms are numbers."""

    def __init__(self, name: str, title: str, settings: str, dialect: Dialect = PLAIN) -> None:
        super().__init__(name, title, f"{settings}; in memory", dialect)
        self._ticket = by_packet if dialect is SOCKETIO else by_path
        self._made = 0

    def rooms(self, count: int, members: int) -> Sequence[Sequence[Ticket]]:
        """Numbers that no room had yet."""
        first = self._made + 1
        self._made += count
        return [[self._ticket(room)] * members for room in range(first, first + count)]


class Floor(InMemory):
    """The raw sockets of floor.c."""

    def missing(self) -> str | None:
        """A compiler."""
        return None if compiler() else "there is no C compiler"

    def prepare(self) -> None:
        """Compile it."""
        self.command()

    def command(self) -> Sequence[str]:
        """The program."""
        return (str(compiled(HERE / "floor.c")),)

    def version(self) -> str:
        """The compiler's."""
        return version_of(compiler() or "cc", "--version")


class NodeChat(InMemory):
    """A script for Node; `package` is the one whose version is told, `environ` what it finds in its environment."""

    def __init__(
        self, script: str, package: str, name: str, title: str, settings: str, dialect: Dialect, **environ: str
    ) -> None:
        super().__init__(name, title, settings, dialect)
        self.environ.update(environ, NODE_ENV="production")
        self._script = script
        self._package = package

    def missing(self) -> str | None:
        """Node and npm."""
        return npm.missing()

    def prepare(self) -> None:
        """Install packages."""
        npm.install()

    def command(self) -> Sequence[str]:
        """Node and the script."""
        return npm.command(self._script)

    def version(self) -> str:
        """The package's and Node's."""
        return npm.version(self._package)


class PythonChat(InMemory):
    """A script for this Python that needs packages."""

    def __init__(
        self, script: str, packages: Sequence[str], name: str, title: str, settings: str, dialect: Dialect
    ) -> None:
        super().__init__(name, title, settings, dialect)
        self._script = script
        self._packages = packages

    def missing(self) -> str | None:
        """Packages."""
        absent = [name for name in self._packages if not _is_installed(name)]
        return f"not installed: {', '.join(absent)} (pip install 'anonchat[bench]')" if absent else None

    def command(self) -> Sequence[str]:
        """Python and the script."""
        return (sys.executable, "-P", str(HERE / self._script))

    def version(self) -> str:
        """The packages' and Python's."""
        versions = [f"{name} {importlib.metadata.version(name)}" for name in self._packages]
        return ", ".join([*versions, f"Python {sys.version.split()[0]}"])


def _is_installed(package: str) -> bool:
    try:
        importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True
