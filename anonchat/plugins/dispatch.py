"""The only place that calls hooks: awaits, chains, isolates, bounds and names the culprit.

pluggy itself is synchronous, so its implementations are walked here, in the order of ``[plugins] enabled``.
"""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import orjson
import structlog

from anonchat.delivery.journal import Transaction
from anonchat.errors import ChatError, StartError
from anonchat.models import Denied, Held, Rejected
from anonchat.observability.metrics import Metrics
from anonchat.plugins.budgets import Begun, Budgets, PluginFailed
from anonchat.plugins.implementations import Implementation
from anonchat.plugins.observers import Observers
from anonchat.plugins.registry import Plugins

T = TypeVar("T")
log = structlog.get_logger("anonchat.plugins")


def is_json(answer: object) -> bool:
    """Whether something can be written as JSON with text keys."""
    try:
        orjson.dumps(answer)
    except TypeError:
        return False
    return True


def _anything(_first: object, _second: object) -> bool:
    return True


class Dispatcher:
    """Calls the hooks of the enabled plugins."""

    def __init__(
        self,
        plugins: Plugins,
        metrics: Metrics,
        budgets: Budgets | None = None,
        check: Callable[[str, str, bool], None] | None = None,
    ) -> None:
        """`check(plugin, event, is durable)` raises for an event that the plugin may not send in a transaction."""
        self._metrics = metrics
        self.budgets = budgets or Budgets()
        self._hooks = {
            name: [
                Implementation(plugin, name, function, metrics) for plugin, function in plugins.implementations(name)
            ]
            for name in plugins.hook_names()
        }
        self._not_set_up = {setup.plugin for setup in self._hooks["setup"]}
        self._check = check or (lambda _plugin, _event, _durable: None)
        self._observers = {name: Observers(name, metrics, self.budgets) for name in plugins.names}

    def has(self, hook: str, plugin: str | None = None) -> bool:
        """Whether anybody (or this plugin) implements it: one dictionary look-up, so that unused hooks are free."""
        found = self._hooks[hook]
        return bool(found) if plugin is None else any(one.plugin == plugin for one in found)

    def state(self, plugin: str) -> str:
        """ "running", or "quarantined" after too many failures in a row."""
        return "quarantined" if self._observers[plugin].is_quarantined else "running"

    async def life(
        self, hook: str, arguments: Callable[[str], dict[str, Any]] | None = None, *, reverse: bool = False
    ) -> None:
        """`setup`, `startup`, `shutdown`. Raises `StartError` that names the plugin; `shutdown` goes on to the others.

        A plugin whose `setup` did not come to its end is not shut down.
        """
        found = self._hooks[hook]
        seconds = self.budgets.shutdown_seconds if reverse else self.budgets.life_seconds
        for one in reversed(found) if reverse else found:
            plugin = one.plugin
            if hook == "shutdown" and plugin in self._not_set_up:
                continue
            try:
                await one.call(arguments(plugin) if arguments else {}, seconds)
            except PluginFailed as error:
                if not reverse:
                    # The text of an exception may be told here: nobody has written anything yet.
                    raise StartError(
                        f"The plugin {plugin!r} failed in {hook}: it {error}: {error.__cause__}"
                    ) from error
            if hook == "setup":
                self._not_set_up.discard(plugin)

    async def guard(self, hook: str, **arguments: Any) -> None:
        """Raises `ChatError` with the first denial, or `plugin_failed` if a guard fails."""
        for guard in self._hooks[hook]:
            try:
                verdict = guard.begin(arguments)
                if isinstance(verdict, Begun):
                    verdict = await guard.finish(verdict, self.budgets.guard_seconds)
            except PluginFailed as error:
                raise ChatError("plugin_failed") from error
            if isinstance(verdict, Denied):
                raise _refusal(guard, verdict)
            if verdict is not None:
                raise guard.nonsense(verdict)

    async def filter(
        self,
        hook: str,
        name: str,
        value: T,
        *,
        may_hold: bool = False,
        fits: Callable[[Any, Any], bool] = _anything,
    ) -> tuple[T, Held | None]:
        """Hand `value` through the chain; answers what became of it, and the first `Held`.

        Raises `ChatError` if one rejects or fails.

        `fits(before, after)` says whether an answer is one that a plugin may give.
        """
        held: Held | None = None
        for one in self._hooks[hook]:
            try:
                verdict = one.begin({name: value})
                if isinstance(verdict, Begun):
                    verdict = await one.finish(verdict, self.budgets.guard_seconds)
            except PluginFailed as error:
                raise ChatError("plugin_failed") from error
            if verdict is None:
                continue
            if isinstance(verdict, Rejected):
                raise _refusal(one, verdict)
            if isinstance(verdict, Held) and may_hold and _is_held(verdict):
                held = held or verdict
                continue
            if type(verdict) is not type(value) or not fits(value, verdict):
                raise one.nonsense(verdict)
            value = verdict
        return value, held

    async def write(self, hook: str, tx: Transaction, **arguments: Any) -> None:
        """Let plugins write in a transaction of the core. Raises `ChatError`, then nothing of the transaction happens.

        What the storage does to a statement of theirs is raised as it is: the storage may run the transaction again.

        Called wherever the transaction is driven, on SQLite in the thread of the database: the hooks await only `tx`,
        so no time can be set to them.
        """
        for one in self._hooks[hook]:
            own = tx.checked_by(functools.partial(self._check, one.plugin))
            started = time.perf_counter()
            try:
                await one.function(tx=own, **arguments)
            except (Exception, SystemExit) as error:
                if tx.is_to_blame(error) or (isinstance(error, ChatError) and error.can_be_told):
                    raise
                failure = PluginFailed(repr(error))
                failure.__cause__ = error
                raise ChatError("plugin_failed") from one.failed(failure)
            finally:
                one.watch.observe(time.perf_counter() - started)

    def observe(self, hook: str, **arguments: Any) -> None:
        """Tell the observers, later and in order. Returns at once and never raises."""
        for observer in self._hooks[hook]:
            self._observers[observer.plugin].tell(observer, arguments)

    async def enrich(
        self,
        hook: str,
        *,
        fits: Callable[[Any], bool] = is_json,
        failed: Callable[[str], None] | None = None,
        only: str | None = None,
        **arguments: Any,
    ) -> dict[str, Any]:
        """Plugin name -> the mapping that it answered. A plugin that fails, or whose answer does not fit, is missing.

        `failed` is called with the name of each plugin that raised or took too long; with `only` one plugin is asked.
        """
        answers: dict[str, Any] = {}
        for one in self._hooks[hook]:
            plugin = one.plugin
            if only not in (None, plugin):
                continue
            try:
                answer = await one.call(arguments, self.budgets.observer_seconds)
            except PluginFailed:  # logged and counted where it was called
                if failed is not None:
                    failed(plugin)
                continue
            if isinstance(answer, Mapping) and fits(answer):
                answers[plugin] = answer
            elif answer is not None:
                one.nonsense(answer)
        return answers

    async def settle(self) -> None:
        """Work off the observations made so far; what is not done in `shutdown_seconds` is given up and logged."""
        workers = [observers.worker for observers in self._observers.values() if observers.worker]
        if not workers:
            return
        await asyncio.wait(workers, timeout=self.budgets.shutdown_seconds)
        for observers in self._observers.values():
            observers.give_up()
        await asyncio.gather(*workers, return_exceptions=True)


def _refusal(by: Implementation, verdict: Denied | Rejected) -> ChatError:
    if not _is_text(verdict.code):
        return by.nonsense(verdict)
    refusal = ChatError(verdict.code, verdict.text, retry_after_ms=verdict.retry_after_ms)
    return refusal if refusal.can_be_told else by.nonsense(verdict)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_held(verdict: Held) -> bool:
    """Whether it can be stored: the types are those of `Held`."""
    return _is_text(verdict.reason) and (
        verdict.until is None or (type(verdict.until) is int and 0 <= verdict.until < 2**62)
    )
