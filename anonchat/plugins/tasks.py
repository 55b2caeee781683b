"""What a plugin runs in the background: bounded, named, counted where it fails, ended with the server."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from functools import partial
from typing import Any

import structlog

from anonchat.errors import ChatError
from anonchat.observability.metrics import Metrics
from anonchat.plugins.budgets import PluginFailed

TASKS = 100  # that a plugin may have running at once

log = structlog.get_logger("anonchat.plugin")


class PluginTasks:
    """The tasks of one plugin."""

    def __init__(self, plugin: str, metrics: Metrics) -> None:
        self._plugin = plugin
        self._failures = metrics.plugin_failures
        self._running: set[asyncio.Task[Any]] = set()

    def spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run something. Raises `overloaded` if there are too many tasks already."""
        if len(self._running) >= TASKS:
            work.close()
            raise ChatError("overloaded", f"The plugin {self._plugin!r} has {TASKS} tasks running.")
        task = asyncio.create_task(_contained(work), name=f"plugin:{self._plugin}")
        self._running.add(task)
        task.add_done_callback(partial(self._finished, work))
        return task

    def _finished(self, work: Coroutine[Any, Any, Any], task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._failures.labels(self._plugin, "task").inc()
            log.error("a task of the plugin failed", plugin=self._plugin, exc_info=error)
        work.close()  # it may have been cancelled before it began

    async def stop(self, seconds: float) -> None:
        """Cancel what still runs; what has not ended after `seconds` is left behind and logged."""
        tasks = tuple(self._running)
        for task in tasks:
            task.cancel()
        if tasks and (await asyncio.wait(tasks, timeout=seconds))[1]:
            log.error("tasks of the plugin do not end", plugin=self._plugin, tasks=len(self._running))


async def _contained(work: Coroutine[Any, Any, Any]) -> Any:
    """A plugin that wants to end the process has failed, and no more: a task that raises `SystemExit` would end the server."""
    try:
        return await work
    except SystemExit as error:
        raise PluginFailed("raised SystemExit") from error
