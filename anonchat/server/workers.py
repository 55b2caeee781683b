"""Several processes on one port, each a node of its own, and the process that watches over them.

The supervisor forks before there is an event loop, and does nothing but wait for signals. Workers have process groups of
their own, so that Ctrl-C reaches them once; they stop by themselves when the supervisor is gone, however it ended.
"""

from __future__ import annotations

import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace

import structlog

from anonchat.app import LOOPBACK
from anonchat.config import Settings
from anonchat.errors import StartError
from anonchat.http.listening import listen

log = structlog.get_logger("anonchat.workers")

READY = signal.SIGUSR1  # of the first worker to the supervisor
LAST_PORT = 65_535
ENDS = (signal.SIGTERM, signal.SIGINT)
WATCHED = (*ENDS, READY, signal.SIGCHLD)

# What serves one process only, by the setting of its URL.
ALONE = {"database": "sqlite:", "bus": "memory:", "ephemeral": "memory:"}


@dataclass(frozen=True, slots=True)
class Pace:
    """When a worker that died is started again, in seconds: after `first`, then twice as long, up to `longest`.

    After `most` deaths in a row it is given up; one that has lived for `stable` begins anew.
    """

    first: float = 0.5
    longest: float = 30.0
    stable: float = 60.0
    most: int = 10

    def wait(self, deaths: int) -> float:
        """The pause after so many deaths in a row."""
        return min(self.longest, self.first * 2.0 ** (deaths - 1))


@dataclass(frozen=True, slots=True)
class Place:
    """What a worker knows of its place: its number from 0 on, and a descriptor that ends when the supervisor does."""

    number: int
    lifeline: int
    supervisor: int
    announces: bool

    def ready(self) -> None:
        """Tell the supervisor that the others can start: the tables are up to date, and nothing is refused."""
        if self.announces:
            os.kill(self.supervisor, READY)


@dataclass(slots=True)
class _Worker:
    number: int
    pid: int | None = None
    started: float = 0.0
    deaths: int = 0
    due: float | None = None


def check_sharing(settings: Settings) -> None:
    """Refuse what several processes cannot share. Raises `StartError`, a sentence for each."""
    if not hasattr(signal, "sigtimedwait"):
        raise StartError(
            "--workers needs Linux, whose kernel spreads connections among the processes that share a port."
        )
    problems = [
        f"--workers needs a [storage] {role} that several processes share, and {alone}// is for one: see docs/scaling.md."
        for role, alone in ALONE.items()
        if getattr(settings.storage, role).startswith(alone)
    ]
    if problems:
        raise StartError("\n".join(problems))


def choose_port(settings: Settings, count: int) -> Settings:
    """Settings with the port that all workers share. Raises `StartError` if somebody has it, who could share it unseen.

    Or one of those for metrics: a worker that cannot have its own would be started again and again.
    """
    first = settings.server.metrics_port
    own = range(first, first + count) if first else ()
    if own and own[-1] > LAST_PORT:
        raise StartError(f"[server] metrics_port counts up for each worker, here to {own[-1]}: choose a lower one.")
    taken = listen(settings.server.host, settings.server.port, "port")
    port = int(taken[0].getsockname()[1])
    try:
        for metrics_port in own:
            taken += listen(LOOPBACK, metrics_port, "metrics_port")
    finally:
        for one in taken:
            one.close()
    return replace(settings, server=replace(settings.server, port=port))


def settings_of(settings: Settings, place: Place) -> Settings:
    """The settings of one worker, whose metrics have the port after that of the worker before."""
    first = settings.server.metrics_port
    own = first + place.number if first else first
    return replace(settings, server=replace(settings.server, metrics_port=own))


class Supervisor:
    """Starts `count` workers, starts those that die again, and hands on the signals that it gets."""

    def __init__(self, work: Callable[[Place], int], count: int, end_seconds: float, pace: Pace | None = None) -> None:
        """`work` is what a worker does, it returns the exit code; what has not ended `end_seconds` after SIGTERM is killed."""
        self._work = work
        self._pace = pace or Pace()
        self._end_seconds = end_seconds
        self._workers = [_Worker(number) for number in range(count)]
        self._is_up = False
        self._ends_at: float | None = None
        self._code = 0

    def run(self) -> int:
        """Until all workers have ended; returns the exit code, that of the first worker if it did not come up."""
        before = signal.pthread_sigmask(signal.SIG_BLOCK, WATCHED)
        self._reading, self._writing = os.pipe()
        try:
            self._start(self._workers[0])
            while any(worker.pid or worker.due is not None for worker in self._workers):
                told = signal.sigtimedwait(WATCHED, self._patience())
                if told is not None:
                    self._hear(signal.Signals(told.si_signo))
                self._turn()
        finally:
            os.close(self._writing)
            os.close(self._reading)
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return self._code

    def _hear(self, number: signal.Signals) -> None:
        if number in ENDS:
            if self._ends_at is None:
                self._ends_at = time.monotonic() + self._end_seconds
            self._tell(number)
        elif number == READY and not self._is_up:
            self._is_up = True
            for worker in self._workers[1:]:
                worker.due = time.monotonic()

    def _turn(self) -> None:
        """See who has ended and who is to be started, at this moment."""
        for worker in self._workers:
            if worker.pid is not None:
                pid, status = os.waitpid(worker.pid, os.WNOHANG)
                if pid:
                    self._ended(worker, os.waitstatus_to_exitcode(status))
        now = time.monotonic()
        if self._ends_at is None:
            for worker in self._workers:
                if worker.due is not None and worker.due <= now:
                    self._start(worker)
            return
        for worker in self._workers:
            worker.due = None
        if now >= self._ends_at:
            self._tell(signal.SIGKILL)

    def _ended(self, worker: _Worker, code: int) -> None:
        worker.pid = None
        if self._ends_at is not None and -code in ENDS:
            return  # it was to end before it had begun to listen to signals
        if self._ends_at is not None or not self._is_up:
            self._code = max(self._code, code if code >= 0 else 128 - code)
            return
        lived = time.monotonic() - worker.started
        worker.deaths = 1 if lived >= self._pace.stable else worker.deaths + 1
        if worker.deaths > self._pace.most:
            log.error("a worker is given up, the others go on", worker=worker.number, deaths=worker.deaths)
            self._code = 1
            return
        wait = self._pace.wait(worker.deaths)
        worker.due = time.monotonic() + wait
        log.warning("a worker died and is started again", worker=worker.number, code=code, seconds=wait)

    def _start(self, worker: _Worker) -> None:
        supervisor = os.getpid()
        worker.due, worker.started = None, time.monotonic()
        sys.stdout.flush()
        sys.stderr.flush()
        worker.pid = os.fork()
        if worker.pid == 0:
            os.close(self._writing)
            _be_worker(self._work, Place(worker.number, self._reading, supervisor, not self._is_up))

    def _tell(self, number: signal.Signals) -> None:
        for worker in self._workers:
            if worker.pid is not None:
                os.kill(worker.pid, number)

    def _patience(self) -> float:
        """Seconds until something is due; without anything, as long as one likes."""
        now = time.monotonic()
        due = [self._ends_at] if self._ends_at is not None else [worker.due for worker in self._workers]
        return max(0.0, min((at - now for at in due if at is not None), default=3_600.0))


def _be_worker(work: Callable[[Place], int], place: Place) -> None:
    """Never returns: what the supervisor has begun is not ended a second time in here."""
    code = 1
    try:
        os.setpgid(0, 0)
        structlog.contextvars.bind_contextvars(worker=place.number)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, WATCHED)
        code = work(place)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
