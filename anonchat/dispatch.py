"""The only place that calls hooks: awaits, chains, isolates, bounds and names the culprit.

pluggy itself is synchronous, so its implementations are walked here, in the order of ``[plugins] enabled``.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import structlog

from anonchat.errors import ChatError, StartError
from anonchat.metrics import Metrics
from anonchat.models import Denied, Held, Rejected
from anonchat.plugins import Plugins

T = TypeVar("T")
log = structlog.get_logger("anonchat.plugins")

GUARD_SECONDS = 1.0
OBSERVER_SECONDS = 5.0
LIFE_SECONDS = 30.0
OBSERVATIONS = 10_000  # that may wait for one plugin before new ones are dropped and counted
QUARANTINE = 20  # failures in a row after which a plugin's observers are no longer called


@dataclasses.dataclass(slots=True)
class _Observers:
    """One plugin's waiting observations, and the task that works them off in order."""

    waiting: asyncio.Queue[tuple[str, Callable[..., Any], dict[str, Any]]]
    worker: asyncio.Task[None] | None = None
    failures: int = 0
    quarantined: bool = False


class Dispatcher:
    """Calls the hooks of the enabled plugins."""

    def __init__(self, plugins: Plugins, metrics: Metrics) -> None:
        self._metrics = metrics
        self._hooks = {name: plugins.implementations(name) for name in plugins.hook_names()}
        self._observers = {name: _Observers(asyncio.Queue(OBSERVATIONS)) for name in plugins.names}
        self._names = plugins.names

    def has(self, hook: str) -> bool:
        """Whether anybody implements it: costs one dictionary look-up, so that unused hooks are free."""
        return bool(self._hooks[hook])

    def state(self, plugin: str) -> str:
        """ "running", or "quarantined" after too many failures in a row."""
        return "quarantined" if self._observers[plugin].quarantined else "running"

    async def life(
        self, hook: str, arguments: Callable[[str], dict[str, Any]] | None = None, *, reverse: bool = False
    ) -> None:
        """`setup`, `startup`, `shutdown`. Raises `StartError` that names the plugin; `shutdown` goes on to the others."""
        found = self._hooks[hook]
        for plugin, function in reversed(found) if reverse else found:
            try:
                await self._call(plugin, hook, function, arguments(plugin) if arguments else {}, LIFE_SECONDS)
            except Exception as error:
                if not reverse:
                    raise StartError(f"The plugin {plugin!r} failed in {hook}: {error!r}") from error

    async def guard(self, hook: str, **arguments: Any) -> None:
        """Raises `ChatError` with the first denial, or `plugin_failed` if a guard fails."""
        for plugin, function in self._hooks[hook]:
            verdict = await self._closed(plugin, hook, function, arguments)
            if isinstance(verdict, Denied):
                raise ChatError(verdict.code, verdict.text, retry_after_ms=verdict.retry_after_ms)
            if verdict is not None:
                raise self._nonsense(plugin, hook, verdict)

    async def filter(self, hook: str, name: str, value: T, *, may_hold: bool = False) -> T | Held:
        """Hand `value` through the chain. Raises `ChatError` if one rejects or fails. The first `Held` ends the chain."""
        for plugin, function in self._hooks[hook]:
            verdict = await self._closed(plugin, hook, function, {name: value})
            if verdict is None:
                continue
            if isinstance(verdict, Rejected):
                raise ChatError(verdict.code, verdict.text, retry_after_ms=verdict.retry_after_ms)
            if isinstance(verdict, Held) and may_hold:
                return verdict
            if type(verdict) is not type(value):
                raise self._nonsense(plugin, hook, verdict)
            value = verdict
        return value

    def observe(self, hook: str, **arguments: Any) -> None:
        """Tell the observers, later and in order. Returns at once and never raises."""
        for plugin, function in self._hooks[hook]:
            observers = self._observers[plugin]
            if observers.quarantined:
                continue
            try:
                observers.waiting.put_nowait((hook, function, arguments))
            except asyncio.QueueFull:
                self._metrics.plugin_dropped.labels(plugin, hook).inc()
                continue
            if observers.worker is None:
                observers.worker = asyncio.create_task(self._work_off(plugin, observers))

    async def enrich(self, hook: str, **arguments: Any) -> dict[str, Any]:
        """Plugin name -> what it answered. A plugin that fails is missing."""
        answers: dict[str, Any] = {}
        for plugin, function in self._hooks[hook]:
            try:
                answer = await self._call(plugin, hook, function, arguments, OBSERVER_SECONDS)
            except Exception:
                continue  # logged and counted where it was called
            if isinstance(answer, Mapping):
                answers[plugin] = answer
            elif answer is not None:
                self._nonsense(plugin, hook, answer)
        return answers

    async def settle(self) -> None:
        """Wait until every observation made so far has been worked off."""
        while workers := [observers.worker for observers in self._observers.values() if observers.worker]:
            await asyncio.wait(workers)

    async def _closed(self, plugin: str, hook: str, function: Callable[..., Any], arguments: dict[str, Any]) -> Any:
        """A guard or a filter: whatever goes wrong in it becomes a refusal."""
        try:
            return await self._call(plugin, hook, function, arguments, GUARD_SECONDS)
        except ChatError:
            raise
        except Exception as error:
            raise ChatError("plugin_failed") from error

    async def _call(
        self, plugin: str, hook: str, function: Callable[..., Any], arguments: dict[str, Any], seconds: float
    ) -> Any:
        loop = asyncio.get_running_loop()
        started = loop.time()
        try:
            async with asyncio.timeout(seconds):
                return await function(**arguments)
        except ChatError:
            raise
        except TimeoutError:
            self._metrics.plugin_failures.labels(plugin, hook).inc()
            log.error("plugin took too long", plugin=plugin, hook=hook, seconds=seconds)
            raise
        except Exception:
            self._metrics.plugin_failures.labels(plugin, hook).inc()
            log.exception("plugin failed", plugin=plugin, hook=hook)
            raise
        finally:
            self._metrics.plugin_seconds.labels(plugin, hook).observe(loop.time() - started)

    def _nonsense(self, plugin: str, hook: str, answer: object) -> ChatError:
        self._metrics.plugin_failures.labels(plugin, hook).inc()
        log.error("plugin answered with the wrong type", plugin=plugin, hook=hook, type=type(answer).__name__)
        return ChatError("plugin_failed")

    async def _work_off(self, plugin: str, observers: _Observers) -> None:
        try:
            while not observers.waiting.empty():
                hook, function, arguments = observers.waiting.get_nowait()
                try:
                    await self._call(plugin, hook, function, arguments, OBSERVER_SECONDS)
                except Exception:
                    observers.failures += 1
                    if observers.failures >= QUARANTINE:
                        self._quarantine(plugin, observers)
                else:
                    observers.failures = 0
        finally:
            observers.worker = None

    def _quarantine(self, plugin: str, observers: _Observers) -> None:
        """Stop calling the plugin's observers until the next start. Its guards and filters go on, failing closed."""
        observers.quarantined = True
        while not observers.waiting.empty():
            observers.waiting.get_nowait()
        self._metrics.plugin_quarantined.labels(plugin).set(1)
        log.error("plugin is quarantined until the next start: its observers failed too often", plugin=plugin)
