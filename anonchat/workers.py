"""``serve --workers N``: as many servers on one port, each a process of its own; the system spreads connections over them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType

import structlog

from anonchat.config import Settings
from anonchat.errors import StartError
from anonchat.http.listening import hold

log = structlog.get_logger("anonchat.server")

LOOK_SECONDS = 0.2
CANNOT_START = 2  # the exit code of a server that said why
PAUSE_SECONDS = 2.0  # between two starts of the same worker, at least
SHARES_PORT = "--shares-port"
SIGNALS = (signal.SIGTERM, signal.SIGINT)


def check_workers(settings: Settings) -> None:
    """Raise `StartError` where one process has to do."""
    storage = settings.storage
    for role, url, needed in (
        ("database", storage.database, "postgresql://"),
        ("bus", storage.bus, "redis://"),
    ):
        scheme = url.partition(":")[0]
        if scheme in ("sqlite", "memory"):
            raise StartError(
                f"--workers needs storage that several processes share, and [storage] {role} is {scheme}:// for one "
                f"process alone. Name {needed}… there, or leave --workers out."
            )


class Workers:
    """Starts the processes, starts one again that died, and ends all of them with this one."""

    def __init__(self, settings: Settings, command: Sequence[str], count: int, *, with_room: bool = False) -> None:
        """`command` starts one server. Raises `StartError`."""
        check_workers(settings)
        self._settings = settings
        self._command = command
        self._count = count
        self._with_room = with_room
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        self._started: dict[int, float] = {}
        self._is_stopping = False

    def run(self) -> int:
        """Until SIGTERM or SIGINT, or until a process cannot start; returns the exit code."""
        for signal_number in SIGNALS:
            signal.signal(signal_number, self._stop)
        server = self._settings.server
        with hold(server.host, server.port) as held:
            port = held.getsockname()[1]
            for number in range(self._count):
                self._start(number, port)
            code = 0
            while self._processes:
                time.sleep(LOOK_SECONDS)
                code = max(code, self._look(port))
            return code

    def _look(self, port: int) -> int:
        """Take note of what has ended; returns the code of a process that could not start."""
        for number, process in list(self._processes.items()):
            code = process.poll()
            if code is None:
                continue
            del self._processes[number]
            if self._is_stopping:
                continue
            if code == CANNOT_START:  # and has said why
                self._stop(signal.SIGTERM)
                return code
            log.error("a worker died and is started again", worker=number, code=code)
            time.sleep(max(0.0, self._started[number] + PAUSE_SECONDS - time.monotonic()))
            self._start(number, port)
        return 0

    def _start(self, number: int, port: int) -> None:
        quiet = subprocess.DEVNULL if number else None  # the first one says where the server is
        command = [*self._command, "--room"] if self._with_room and not number else self._command
        self._with_room = self._with_room and bool(number)  # once, also if it is started again
        self._processes[number] = subprocess.Popen(
            command, env={**os.environ, **self._variables(number, port)}, stdout=quiet
        )
        self._started[number] = time.monotonic()

    def _variables(self, number: int, port: int) -> Mapping[str, str]:
        metrics = self._settings.server.metrics_port
        own = {} if metrics is None else {"ANONCHAT_SERVER__METRICS_PORT": str(metrics and metrics + number)}
        return {"ANONCHAT_SERVER__PORT": str(port), **own}

    def _stop(self, number: int, _: FrameType | None = None) -> None:
        self._is_stopping = True
        for process in self._processes.values():
            process.send_signal(number)


def serve_workers(settings: Settings, count: int, config: Path | None, *, with_room: bool = False) -> int:
    """Run them until a signal. Returns the exit code. Raises `StartError`."""
    command = [sys.executable, "-P", "-m", "anonchat", "serve", SHARES_PORT]
    if config is not None:
        command += ["--config", str(config)]
    return Workers(settings, command, count, with_room=with_room).run()
