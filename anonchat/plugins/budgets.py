"""How much a plugin may take, and the one way in which its code is awaited."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

from anonchat.errors import ChatError

T = TypeVar("T")
TICKS = 4  # of a budget, each of which counts as long as it should last, however late it comes


@dataclass(frozen=True, slots=True)
class Budgets:
    """Bounds for each plugin; all times in seconds. A test gives smaller ones to be quick."""

    guard_seconds: float = 1.0
    """One call of a guard or a filter."""

    observer_seconds: float = 5.0
    """One call of an observer or an enricher."""

    handler_seconds: float = 30.0
    """One call of the handler of a client event or a route."""

    life_seconds: float = 30.0
    """`setup` and `startup`, each."""

    shutdown_seconds: float = 5.0
    """`shutdown`; beside it, working off what observers wait for, and the end of cancelled tasks."""

    blocked_seconds: float = 1.0
    """The event loop without a turn, before the watchdog names who blocks it."""

    observations: int = 10_000
    """Observations that may wait for a plugin before new ones are dropped and counted."""

    broadcasts: str = "1000/second"
    """Events that are not kept, of one plugin to one room; above it they are dropped and counted."""

    failures: int = 20
    """Failed observations in a row after which a plugin's observers are no longer called."""


class PluginFailed(Exception):
    """What a plugin's code did wrong, in words without anybody's data; its cause is what the plugin raised."""


async def bounded(seconds: float, function: Callable[..., Awaitable[T]], /, *arguments: Any, **named: Any) -> T:
    """Await `function(...)` for at most `seconds`. Raises what `begin` raises."""
    answer = begin(function, arguments, named)
    return await answer.finish(seconds) if isinstance(answer, Begun) else answer


def begin(function: Callable[..., Awaitable[T]], arguments: Sequence[Any], named: Mapping[str, Any]) -> T | Begun[T]:
    """Call `function` up to where it first waits: its answer, or what is to be finished.

    Most calls wait for nothing, and so need no timer, which costs more than they do, and no coroutine around them.

    A `ChatError` that can be told passes, and so does the cancellation of the caller. Whatever else goes wrong becomes
    `PluginFailed`: also `SystemExit`, which would end the server, and a cancellation that nobody asked for, which would end
    the caller.
    """
    try:
        steps = function(*arguments, **named).__await__()
        return Begun(steps, next(steps))
    except StopIteration as end:
        return cast(T, end.value)
    except ChatError as error:
        _check_told(error)
        raise
    except asyncio.CancelledError as error:
        raise _uncalled_for(error) from error
    except (Exception, SystemExit) as error:
        raise PluginFailed(f"raised {type(error).__name__}") from error


class Begun(Generic[T]):
    """A call that waits for something."""

    __slots__ = ("_steps", "_waits_for", "since")

    def __init__(self, steps: Generator[Any, Any, T], waits_for: Any) -> None:
        self._steps = steps
        self._waits_for = waits_for
        self.since = 0.0
        """When it was called, for whoever keeps the time."""

    async def finish(self, seconds: float) -> T:
        """Await the rest of it for at most `seconds`, see `_Clock`. Raises what `begin` raises."""
        budget = asyncio.timeout(None)
        clock = _Clock(budget, seconds)
        try:
            async with budget:
                return await self
        except ChatError as error:
            _check_told(error)
            raise
        except asyncio.CancelledError as error:
            raise _uncalled_for(error) from error
        except (Exception, SystemExit) as error:
            late = budget.expired()
            raise PluginFailed(
                f"took longer than {seconds:g} s" if late else f"raised {type(error).__name__}"
            ) from error
        finally:
            clock.stop()

    def __await__(self) -> Generator[Any, Any, T]:
        """What follows the first step, as ``yield from`` would go on (PEP 380)."""
        waits_for = self._waits_for
        while True:
            try:
                yield waits_for
            except BaseException as error:
                step: Callable[[], Any] = functools.partial(self._steps.throw, error)
            else:
                step = self._steps.__next__
            try:
                waits_for = step()
            except StopIteration as end:
                return cast(T, end.value)


class _Clock:
    """Ends a budget when its time is over. The time runs in ticks of the event loop: while that has no turn, nobody's does.

    So what is ready is not given up because the server had too much else to do, as when thousands come at once.
    """

    __slots__ = ("_budget", "_left", "_seconds", "_timer")

    def __init__(self, budget: asyncio.Timeout, seconds: float) -> None:
        self._budget = budget
        self._seconds = seconds / TICKS
        self._left = TICKS
        self._timer = asyncio.get_running_loop().call_later(self._seconds, self._tick)

    def _tick(self) -> None:
        self._left -= 1
        loop = asyncio.get_running_loop()
        if self._left:
            self._timer = loop.call_later(self._seconds, self._tick)
        else:
            self._budget.reschedule(loop.time())

    def stop(self) -> None:
        """The call has come to its end."""
        self._timer.cancel()


def _check_told(error: ChatError) -> None:
    if not error.can_be_told:
        raise PluginFailed("raised an error that cannot be told") from error


def _uncalled_for(error: asyncio.CancelledError) -> PluginFailed:
    """The failure of a plugin that cancels itself. Raises `error` where it is the caller who is cancelled."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise error
    return PluginFailed("cancelled by itself")
