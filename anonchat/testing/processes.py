"""A server in a process of its own, to be stopped, killed and started again on the same file and port."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from anonchat.testing import UNLIMITED
from anonchat.testing.databases import is_on_postgres, storage_in

STOP_SECONDS = 60
_ADDRESS = re.compile(r"http://\S+:(\d+)")


def environment(**tables: Mapping[str, object]) -> dict[str, str]:
    """Variables of a server without limits and plugins; each keyword is a table: ``environment(limits={...})``."""
    defaults: dict[str, Mapping[str, object]] = {"limits": UNLIMITED, "plugins": {"enabled": []}}
    return {
        f"ANONCHAT_{table.upper()}__{name.upper()}": value if isinstance(value, str) else json.dumps(value)
        for table in {*defaults, *tables}
        for name, value in {**defaults.get(table, {}), **tables.get(table, {})}.items()
    }


class ServerProcess:
    """``anonchat serve`` in `folder`. Its log goes to ``server.log`` there; the port stays the same over restarts."""

    def __init__(self, folder: Path, environ: Mapping[str, str] | None = None, command: tuple[str, ...] = ()) -> None:
        self._folder = folder
        self._environ = dict(environ or {})
        self._command = command or (sys.executable, "-P", "-m", "anonchat", "serve")
        self._process: subprocess.Popen[str] | None = None
        self.port = 0

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        """Everything that it has logged, over all its lives."""
        path = self._folder / "server.log"
        return path.read_text(encoding="utf-8") if path.exists() else ""

    @property
    def pid(self) -> int:
        """The id of the running process."""
        if self._process is None:
            raise RuntimeError("The server does not run.")
        return self._process.pid

    def start(self) -> None:
        """Start and wait for the address on its first line. Raises RuntimeError with the log if it does not come up."""
        storage = storage_in(self._folder) if is_on_postgres() else {}
        named = {f"ANONCHAT_STORAGE__{role.upper()}": url for role, url in storage.items()}
        environ = {**os.environ, **named, **self._environ, "ANONCHAT_SERVER__PORT": str(self.port)}
        with (self._folder / "server.log").open("a", encoding="utf-8") as log:
            self._process = subprocess.Popen(
                self._command, cwd=self._folder, env=environ, stdout=subprocess.PIPE, stderr=log, text=True
            )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        found = _ADDRESS.search(line)
        if found is None:
            self.kill()
            raise RuntimeError(f"The server did not start: {line}{self.log}")
        self.port = int(found[1])

    def kill(self) -> None:
        """``kill -9``: nothing is finished, nothing is said."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """SIGTERM; returns the exit code. Raises RuntimeError, and kills it, if it has not ended after a minute."""
        return self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> int:
        process, self._process = self._process, None
        if process is None:
            return 0
        process.send_signal(number)
        try:
            return process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired as error:
            process.kill()
            process.wait(STOP_SECONDS)
            raise RuntimeError(f"The server did not end within {STOP_SECONDS} seconds of {number.name}.") from error
        finally:
            assert process.stdout is not None
            process.stdout.close()

    def __enter__(self) -> ServerProcess:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
