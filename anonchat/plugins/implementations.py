"""One plugin's implementation of one hook: begun, bounded, timed, and named where it fails."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import structlog

from anonchat.errors import ChatError
from anonchat.observability.metrics import Metrics
from anonchat.plugins.budgets import Begun, PluginFailed, begin

log = structlog.get_logger("anonchat.plugins")


class Implementation:
    """`function` is what the plugin wrote."""

    __slots__ = ("_metrics", "function", "hook", "plugin", "watch")

    def __init__(self, plugin: str, hook: str, function: Callable[..., Any], metrics: Metrics) -> None:
        self.plugin = plugin
        self.hook = hook
        self.function = function
        self.watch = metrics.plugin_seconds.of(plugin, hook)
        self._metrics = metrics

    def begin(self, arguments: Mapping[str, Any]) -> Any:
        """The answer, or the `Begun` that is to be finished.

        Raises `PluginFailed`, logged and counted, and the `ChatError` of the plugin.
        """
        started = time.perf_counter()
        try:
            answer = begin(self.function, (), arguments)
        except PluginFailed as failure:
            raise self.failed(failure) from failure.__cause__
        if isinstance(answer, Begun):
            answer.since = started
        else:
            self.watch.observe(time.perf_counter() - started)
        return answer

    async def finish(self, call: Begun[Any], seconds: float) -> Any:
        """The answer. Raises what `begin` raises."""
        try:
            return await call.finish(seconds)
        except PluginFailed as failure:
            raise self.failed(failure) from failure.__cause__
        finally:
            self.watch.observe(time.perf_counter() - call.since)

    async def call(self, arguments: Mapping[str, Any], seconds: float) -> Any:
        """The answer. Raises `PluginFailed`; a `ChatError` is one, too, where nothing can be refused."""
        try:
            answer = self.begin(arguments)
            return await self.finish(answer, seconds) if isinstance(answer, Begun) else answer
        except ChatError as error:
            raise self.failed(PluginFailed(f"raised {error.code}")) from error

    def failed(self, failure: PluginFailed) -> PluginFailed:
        """Log and count a failure."""
        self._metrics.plugin_failures.labels(self.plugin, self.hook).inc()
        cause = failure.__cause__
        # What a plugin raised may repeat what a person wrote: of that, the log shows only kind and place.
        said = type(cause).__name__ if cause is not None and str(failure) == repr(cause) else str(failure)
        log.error("plugin failed", plugin=self.plugin, hook=self.hook, failure=said, exc_info=cause)
        return failure

    def nonsense(self, answer: object) -> ChatError:
        """Log and count an answer that does not fit; what is to be raised where it is asked for an answer."""
        self._metrics.plugin_failures.labels(self.plugin, self.hook).inc()
        log.error(
            "plugin gave an answer that does not fit",
            plugin=self.plugin,
            hook=self.hook,
            type=type(answer).__name__,
        )
        return ChatError("plugin_failed")
