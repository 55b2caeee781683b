"""A server in a process of its own on the servers' core, whatever it is written in."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

_ADDRESS = re.compile(r"http://\S+:(\d+)")


class Process:
    """Runs a command that prints its address first. What it writes to standard error goes to ``server.log``."""

    def __init__(self, command: Sequence[str], folder: Path, environ: Mapping[str, str] | None = None) -> None:
        """Start and wait for the address. Raises RuntimeError with the log if it does not come."""
        log = folder / "server.log"
        with log.open("a", encoding="utf-8") as file:
            self._process = subprocess.Popen(
                command,
                cwd=folder,
                env={**os.environ, **(environ or {})},
                stdout=subprocess.PIPE,
                stderr=file,
                text=True,
            )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        found = _ADDRESS.search(line)
        if found is None:
            self.stop()
            raise RuntimeError(f"{command[0]} did not start: {line}{log.read_text(encoding='utf-8')}")
        self.port = int(found[1])

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    def stop(self) -> None:
        """Kill it."""
        self._process.kill()
        self._process.wait(20)
        assert self._process.stdout is not None
        self._process.stdout.close()
