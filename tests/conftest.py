"""What all tests share: on which database they run, and asynchronous fixtures for pytest-tornado's tests.

Fixtures written as coroutines or asynchronous generators run on the loop of the test (`io_loop`), so they are
function-scoped, and so is whatever uses them. With ``--database postgresql`` all servers of tests run on Postgres,
with ``postgresql+redis`` on both.
"""

import asyncio
import functools
import inspect
import signal
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from tornado.ioloop import IOLoop

from anonchat.plugins.migrations import migrations_of
from anonchat.plugins.registry import bundled, load
from anonchat.testing.databases import BETWEEN_NODES, COPIED, VARIABLE, drop_databases_in, make_file, make_template
from anonchat.testing.postgres import PostgresServer
from anonchat.testing.redis import RedisServer

# Where rich is installed, structlog has it draw every traceback: seconds in which no event loop of a test has a turn.
structlog.configure(
    processors=[
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.dev.set_exc_info,
        structlog.processors.TimeStamper(fmt="iso"),
        structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
    ]
)

# Shells have what they start in the background ignore it, and so would all that tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)

POSTGRES = "postgresql"
SCALE = "postgresql+redis"
TESTS = Path(__file__).parent
LONG = ("e2e", "nodes", "web", "floods")
FIXTURE_SECONDS = 30
"""Longest time one half of an asynchronous fixture, set-up or tear-down, may take."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--database``."""
    parser.addoption(
        "--database", choices=("sqlite", POSTGRES, SCALE), default="sqlite", help="what servers of tests run on"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """On Postgres leave out what is about SQLite, on Redis what is about memory: it has run there. Long modules come first."""
    left_out = {"sqlite": (), POSTGRES: ("sqlite",), SCALE: ("sqlite", "memory")}[config.getoption("database")]
    about_others = [item for item in items if any(item.get_closest_marker(name) for name in left_out)]
    config.hook.pytest_deselected(items=about_others)
    items[:] = sorted((item for item in items if item not in set(about_others)), key=_turn)


def _turn(item: pytest.Item) -> tuple[bool, str, Path]:
    """What starts servers and browsers takes long: at the end, some workers would have nothing to do any more.

    By the names of their modules, so that not every worker has a browser at the same time.
    """
    folder, *below = item.path.relative_to(TESTS).parts
    is_short = bool(below) and folder not in LONG
    return is_short, item.path.name, item.path


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """One Postgres for all tests of a worker that need one. Its databases are copies of one that has all tables."""
    with PostgresServer(in_memory=True) as server:
        make_template(server.url(), migrations_of(load(bundled())))
        yield server


@pytest.fixture(scope="session")
def redis() -> Iterator[RedisServer]:
    """One Redis for all tests of a worker that need one. Each uses key prefixes of its own."""
    with RedisServer() as server:
        yield server


@pytest.fixture(scope="session", autouse=True)
def _database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Have all servers of tests run on the database that the command line names."""
    with pytest.MonkeyPatch.context() as patch:
        if request.config.getoption("database") == "sqlite":
            file = tmp_path_factory.mktemp("template") / "anonchat.db"
            make_file(file, migrations_of(load(bundled())))
            patch.setenv(COPIED, str(file))
        else:
            patch.setenv(VARIABLE, request.getfixturevalue("postgres").url())
        if request.config.getoption("database") == SCALE:
            patch.setenv(BETWEEN_NODES, request.getfixturevalue("redis").url().partition("?")[0])
        yield


@pytest.fixture(autouse=True)
def _dropped(tmp_path: Path) -> Iterator[None]:
    """A thousand databases of 8 MB would stay otherwise."""
    yield
    drop_databases_in(tmp_path)


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
