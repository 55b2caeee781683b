"""Lets pytest-tornado's tests use fixtures written as coroutines or asynchronous generators.

They run on the loop of the test (`io_loop`), so they are function-scoped, and so is whatever uses them.
"""

import asyncio
import functools
import inspect
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator, Iterator
from typing import Any

import pytest
from tornado.ioloop import IOLoop

FIXTURE_SECONDS = 30
"""Longest time one half of an asynchronous fixture, set-up or tear-down, may take."""


@pytest.fixture
def io_loop() -> Iterator[IOLoop]:
    """Return a loop for one test, current in its thread; afterwards what still runs on it is cancelled.

    Replaces the fixture of pytest-tornado, which calls functions that Tornado deprecated.
    """
    loop = IOLoop(make_current=False)
    asyncio.set_event_loop(loop.asyncio_loop)
    yield loop
    try:
        loop.run_sync(_cancel_leftovers, timeout=FIXTURE_SECONDS)
    finally:
        loop.close(all_fds=True)
        asyncio.set_event_loop(None)


async def _cancel_leftovers() -> None:
    """Cancel every other task of the running loop and close its unfinished asynchronous generators."""
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.get_running_loop().shutdown_asyncgens()


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(
    fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
) -> Generator[None, object, object]:
    """Set up an asynchronous fixture through a synchronous function that drives it on the loop of the test.

    The function is put in place for this one set-up: the definition outlives the loop. Asking for `io_loop` here
    also makes it end after the fixture.
    """
    function = fixturedef.func
    if inspect.isasyncgenfunction(function):
        driven: Callable[..., Any] = _drive_generator(function, request.getfixturevalue("io_loop"))
    elif inspect.iscoroutinefunction(function):
        driven = _drive_coroutine(function, request.getfixturevalue("io_loop"))
    else:
        return (yield)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fixturedef, "func", driven)
        return (yield)


def _drive_coroutine(function: Callable[..., Coroutine[object, object, object]], loop: IOLoop) -> Callable[..., object]:
    @functools.wraps(function)
    def driven(**arguments: object) -> object:
        return loop.run_sync(functools.partial(function, **arguments), timeout=FIXTURE_SECONDS)

    return driven


def _drive_generator(function: Callable[..., AsyncGenerator[object]], loop: IOLoop) -> Callable[..., Iterator[object]]:
    @functools.wraps(function)
    def driven(**arguments: object) -> Iterator[object]:
        values = function(**arguments)
        yield loop.run_sync(functools.partial(anext, values), timeout=FIXTURE_SECONDS)
        ended = object()
        last = loop.run_sync(functools.partial(anext, values, ended), timeout=FIXTURE_SECONDS)
        if last is not ended:
            raise RuntimeError(f"the fixture {function.__name__} yielded more than once")

    return driven
