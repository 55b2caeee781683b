"""A thread that notices when the event loop is blocked, and names who blocks it."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import Mapping
from types import FrameType

import structlog

from anonchat.clock import TICK_SECONDS, next_tick
from anonchat.observability.metrics import Metrics

log = structlog.get_logger("anonchat.watchdog")


class Watchdog:
    """Looks twice a second whether the event loop has taken its turn, or more often where less than a second is a block."""

    def __init__(self, metrics: Metrics, packages: Mapping[str, str], blocked_seconds: float) -> None:
        self._metrics = metrics
        self._packages = packages
        self._blocked_seconds = blocked_seconds
        self._beat_seconds = min(TICK_SECONDS, blocked_seconds / 2)
        self._stopped = threading.Event()
        self._due = time.monotonic()
        self._had = 0.0  # seconds of a processor, before the last turn
        self._timer: asyncio.TimerHandle | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """To be called in the event loop that is to be watched."""
        self._take_turn()
        self._thread = threading.Thread(
            target=self._watch, args=(threading.get_ident(),), name="anonchat-watchdog", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        if self._timer is not None:
            self._timer.cancel()
        if self._thread is not None:
            self._thread.join()

    def _take_turn(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        tick = next_tick(now, self._beat_seconds)
        self._due = time.monotonic() + tick - now
        self._had = time.thread_time()
        self._timer = loop.call_at(tick, self._take_turn)

    def _watch(self, loop_thread: int) -> None:
        told = 0.0
        while not self._stopped.wait(self._beat_seconds):
            due = self._due
            if time.monotonic() - due > self._blocked_seconds and due != told:
                told = due
                self._tell(sys._current_frames().get(loop_thread), self._processor_seconds(loop_thread))

    def _processor_seconds(self, loop_thread: int) -> float | None:
        """What the event loop has had of a processor since its last turn; None where the system does not tell (macOS)."""
        try:
            return round(time.clock_gettime(time.pthread_getcpuclockid(loop_thread)) - self._had, 2)
        except (AttributeError, OSError):
            return None

    def _tell(self, frame: FrameType | None, processor_seconds: float | None) -> None:
        """Little of a processor means that something was waited for, or that the machine had none to give."""
        where = f"{frame.f_code.co_filename}:{frame.f_lineno}" if frame is not None else "?"
        culprit = "anonchat"
        while frame is not None:
            package = str(frame.f_globals.get("__name__", "")).partition(".")[0]
            if package in self._packages:
                culprit = self._packages[package]
                break
            frame = frame.f_back
        self._metrics.loop_blocked.labels(culprit).inc()
        told = {"by": culprit, "where": where, "seconds": self._blocked_seconds, "processor_seconds": processor_seconds}
        log.error("the event loop is blocked", **told)
