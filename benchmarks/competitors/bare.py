"""Competitors that do nothing but deliver: rooms are made by whoever enters, and nothing is stored."""

from __future__ import annotations

import importlib.metadata
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.competitors.process import Process
from benchmarks.load.flood import Dialect
from benchmarks.load.library import BUILD, compiled, compiler
from benchmarks.load.sockets import Ticket
from benchmarks.machine import version_of

HERE = Path(__file__).parent
NODE = HERE / "node"
INSTALLED = BUILD / "node"


def plain_message(text: str, identity: str) -> str:
    """A message as anonchat's protocol has it."""
    return json.dumps({"event": "send_message", "data": {"text": text, "clientMsgId": identity}})


def socketio_message(text: str, identity: str) -> str:
    """A Socket.IO event that asks for an acknowledgement."""
    return "421" + json.dumps(["send_message", {"text": text, "clientMsgId": identity}])


PLAIN = Dialect(b"identified", plain_message)
FLOOR = Dialect(b"ready", plain_message)
SOCKETIO = Dialect(b"identified", socketio_message, ping="2", pong="3")


def by_path(room: int) -> Ticket:
    """The room stands in the path."""
    return Ticket(f"/{room}")


def by_event(room: int) -> Ticket:
    """It stands in Socket.IO's connect packet."""
    return Ticket("/socket.io/?EIO=4&transport=websocket", (f'40{{"room":"{room}"}}',))


class Bare:
    """A server of which only the command differs."""

    def __init__(self, name: str, title: str, settings: str, dialect: Dialect, ticket: Callable[[int], Ticket]) -> None:
        self.name = name
        self.title = title
        self.settings = settings
        self.dialect = dialect
        self.environ = {"NODE_ENV": "production"}
        self._ticket = ticket
        self._made = 0
        self._process: Process | None = None

    def missing(self) -> str | None:
        """Nothing."""
        return None

    def prepare(self) -> None:
        """Do nothing."""

    def command(self) -> Sequence[str]:
        """What runs it."""
        raise NotImplementedError

    def version(self) -> str:
        """Of the server and what it runs on."""
        raise NotImplementedError

    def start(self, folder: Path) -> None:
        """Start it."""
        self._process = Process(self.command(), folder, self.environ)
        self._made = 0

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.stop()
            self._process = None

    @property
    def _running(self) -> Process:
        if self._process is None:
            raise RuntimeError(f"{self.title} does not run.")
        return self._process

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._running.pid

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._running.port

    def rooms(self, count: int, members: int) -> Sequence[Sequence[Ticket]]:
        """Numbers that no room had yet."""
        first = self._made + 1
        self._made += count
        return [[self._ticket(room)] * members for room in range(first, first + count)]


class Floor(Bare):
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


class Node(Bare):
    """A script for Node with packages of npm."""

    def __init__(self, script: str, package: str, *arguments: object) -> None:
        super().__init__(*arguments)  # type: ignore[arg-type]
        self._script = script
        self._package = package

    def missing(self) -> str | None:
        """Node and npm."""
        absent = [name for name in ("node", "npm") if shutil.which(name) is None]
        return f"{' and '.join(absent)} cannot be found" if absent else None

    def prepare(self) -> None:
        """Install the packages of package-lock.json beside copies of the scripts."""
        INSTALLED.mkdir(parents=True, exist_ok=True)
        lock = INSTALLED / "package-lock.json"
        is_new = not lock.exists() or lock.read_bytes() != (NODE / lock.name).read_bytes()
        for path in NODE.glob("*.js*"):
            shutil.copy(path, INSTALLED)
        if is_new or not (INSTALLED / "node_modules").exists():
            subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--loglevel=error"], cwd=INSTALLED, check=True)

    def command(self) -> Sequence[str]:
        """Node and the script."""
        return ("node", str(INSTALLED / self._script))

    def version(self) -> str:
        """The package's and Node's."""
        installed = json.loads((INSTALLED / "node_modules" / self._package / "package.json").read_text())
        return f"{self._package} {installed['version']}, node {version_of('node', '--version')}"


class Python(Bare):
    """A script for this Python."""

    def __init__(self, script: str, packages: Sequence[str], *arguments: object) -> None:
        super().__init__(*arguments)  # type: ignore[arg-type]
        self._script = script
        self._packages = packages

    def command(self) -> Sequence[str]:
        """Python and the script."""
        return (sys.executable, "-P", str(HERE / self._script))

    def missing(self) -> str | None:
        """Packages."""
        absent = [name for name in self._packages if not self._has(name)]
        return f"not installed: {', '.join(absent)} (pip install 'anonchat[bench]')" if absent else None

    def version(self) -> str:
        """The packages' and Python's."""
        versions = [f"{name} {importlib.metadata.version(name)}" for name in self._packages]
        return ", ".join([*versions, f"Python {sys.version.split()[0]}"])

    def _has(self, package: str) -> bool:
        try:
            importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            return False
        return True
