"""What a plugin's observers still have to hear: one thing at a time, in the order of what happened, bounded."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

import structlog

from anonchat.budgets import Budgets, PluginFailed
from anonchat.metrics import Metrics

log = structlog.get_logger("anonchat.plugins")

TURN = 64  # observations before everybody else gets a turn

Observation = tuple[str, Callable[..., Any], dict[str, Any]]
"""Hook, function, arguments."""


class Observers:
    """The waiting observations of one plugin, and the task that works them off."""

    def __init__(
        self,
        plugin: str,
        call: Callable[[str, str, Callable[..., Any], dict[str, Any], float], Awaitable[Any]],
        metrics: Metrics,
        budgets: Budgets,
    ) -> None:
        """`call(plugin, hook, function, arguments, seconds)` raises `PluginFailed`."""
        self._plugin = plugin
        self._call = call
        self._metrics = metrics
        self._budgets = budgets
        self._waiting: deque[Observation] = deque()
        self._failures = 0
        self.worker: asyncio.Task[None] | None = None
        self.is_quarantined = False

    def tell(self, hook: str, function: Callable[..., Any], arguments: dict[str, Any]) -> None:
        """Later. Above the bound it is dropped and counted."""
        if self.is_quarantined:
            return
        if len(self._waiting) >= self._budgets.observations:
            self._metrics.plugin_dropped.labels(self._plugin, hook).inc()
            return
        self._waiting.append((hook, function, arguments))
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
                await self._observe(*self._waiting.popleft())
                done += 1
                if done % TURN == 0:
                    await asyncio.sleep(0)
        finally:
            self.worker = None

    async def _observe(self, hook: str, function: Callable[..., Any], arguments: dict[str, Any]) -> None:
        try:
            await self._call(self._plugin, hook, function, arguments, self._budgets.observer_seconds)
        except PluginFailed:
            self._failures += 1
            if self._failures >= self._budgets.failures:
                self._quarantine()
        else:
            self._failures = 0

    def _quarantine(self) -> None:
        """Nothing more until the next start. The plugin's guards and filters go on, failing closed."""
        self.is_quarantined = True
        self._waiting.clear()
        self._metrics.plugin_quarantined.labels(self._plugin).set(1)
        log.error("plugin is quarantined until the next start: its observers failed", plugin=self._plugin)
