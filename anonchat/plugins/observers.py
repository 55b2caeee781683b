"""What a plugin's observers still have to hear: one thing at a time, in the order of what happened, bounded."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import Any

import structlog

from anonchat.errors import ChatError
from anonchat.observability.metrics import Metrics
from anonchat.plugins.budgets import Begun, Budgets, PluginFailed
from anonchat.plugins.implementations import Implementation

log = structlog.get_logger("anonchat.plugins")

TURN = 64  # observations before everybody else gets a turn
# What it is about may be gone when an observer hears of it, and strangers decide how often that is.
GONE = frozenset(
    {"room_ended", "room_not_found", "message_not_found", "poll_not_found", "not_found", "session_expired"}
)
# Nor is it for the plugin to answer for that these are away, however often.
AWAY = frozenset({"storage_unavailable", "storage_full", "overloaded", "going_away"})

Observation = tuple[Implementation, dict[str, Any]]
"""What is to be called, with which arguments."""


class Observers:
    """The waiting observations of one plugin, and the task that works them off."""

    def __init__(self, plugin: str, metrics: Metrics, budgets: Budgets) -> None:
        self._plugin = plugin
        self._metrics = metrics
        self._budgets = budgets
        self._waiting: deque[Observation] = deque()
        self._failures = 0
        self.worker: asyncio.Task[None] | None = None
        self.is_quarantined = False

    def tell(self, observer: Implementation, arguments: dict[str, Any]) -> None:
        """Later. Above the bound it is dropped and counted."""
        if self.is_quarantined:
            return
        if len(self._waiting) >= self._budgets.observations:
            self._metrics.plugin_dropped.labels(self._plugin, observer.hook).inc()
            return
        self._waiting.append((observer, arguments))
        if self.worker is None:
            self.worker = asyncio.create_task(self._work_off())

    def give_up(self) -> None:
        """The server ends."""
        if self.worker is not None:
            log.error("observations are given up", plugin=self._plugin, waiting=len(self._waiting))
            self.worker.cancel()

    async def _work_off(self) -> None:
        try:
            done = 0
            while self._waiting:
                observer, arguments = self._waiting.popleft()
                try:
                    begun = time.perf_counter()
                    answer = observer.begin(arguments)
                    blocked = time.perf_counter() - begun > self._budgets.blocked_seconds
                    if isinstance(answer, Begun):
                        await observer.finish(answer, self._budgets.observer_seconds)
                    if blocked:
                        raise observer.failed(PluginFailed("blocked the event loop"))
                except ChatError as error:
                    self._refused(observer, error)
                except PluginFailed:
                    self._failed()
                else:
                    self._failures = 0
                done += 1
                if done % TURN == 0:
                    await asyncio.sleep(0)
        finally:
            self.worker = None

    def _refused(self, observer: Implementation, error: ChatError) -> None:
        """That something is gone is no failure; what the storage refuses is one, which is not held against the plugin."""
        if error.code in GONE:
            return
        observer.failed(PluginFailed(f"raised {error.code}"))
        if error.code not in AWAY:
            self._failed()

    def _failed(self) -> None:
        self._failures += 1
        if self._failures >= self._budgets.failures:
            self._quarantine()

    def _quarantine(self) -> None:
        """Nothing more until the next start. The plugin's guards and filters go on, failing closed."""
        self.is_quarantined = True
        self._waiting.clear()
        self._metrics.plugin_quarantined.labels(self._plugin).set(1)
        log.error("plugin is quarantined until the next start: its observers failed", plugin=self._plugin)
