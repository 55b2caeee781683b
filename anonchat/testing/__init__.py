"""For authors of plugins and backends: a real server in a test, people who use it, a clock that can be set.

`anonchat.testing.people` has the people, `anonchat.testing.clocks` the clock, `anonchat.testing.processes` a server in
a process of its own that can be killed. Nothing here needs more than pytest.

Importing this module is cheap; pytest loads it in every run in which anonchat is installed.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec

if TYPE_CHECKING:
    from anonchat.app import Server
    from anonchat.clock import Clock
    from anonchat.config import Settings
    from anonchat.plugins.budgets import Budgets as Budgets

Arguments = ParamSpec("Arguments")
TEST_SECONDS = 60.0

# Tests act faster than people: without this each of them would have to wait.
UNLIMITED = {
    "requests_per_network": "off",
    "rooms_per_fingerprint": "off",
    "rooms_per_network": "off",
    "joins_per_fingerprint": "off",
    "joins_per_network": "off",
    "messages_per_session": "off",
    "typing_per_session": "off",
    "events_per_session": "off",
    "sockets_per_network": 100_000,
    "violations_per_network": "off",
    # A person of a test who listens to nobody for a while answers no ping either.
    "ping_seconds": 300.0,
    "pong_seconds": 240.0,
}


def __getattr__(name: str) -> Any:
    """`Budgets`, which is loaded when it is asked for (PEP 562)."""
    if name == "Budgets":
        from anonchat.plugins.budgets import Budgets

        return Budgets
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def settings_in(folder: Path, **tables: Mapping[str, Any]) -> Settings:
    """Settings of a server on a free port with the database of `folder`, without limits and plugins.

    Each keyword is a table of the configuration: ``settings_in(tmp_path, limits={"text_length": 10})``.
    """
    from anonchat.config import Settings
    from anonchat.testing.databases import storage_in

    defaults: dict[str, dict[str, Any]] = {
        "server": {"port": 0},
        "storage": storage_in(folder),
        "limits": UNLIMITED,
        "plugins": {"enabled": ()},
    }
    settings = Settings()
    for name in {*defaults, *tables}:
        changed = replace(getattr(settings, name), **{**defaults.get(name, {}), **tables.get(name, {})})
        settings = replace(settings, **{name: changed})
    return settings


@asynccontextmanager
async def running_server(
    settings: Settings,
    clock: Clock | None = None,
    *,
    plugins: Mapping[str, object] | None = None,
    budgets: Budgets | None = None,
) -> AsyncIterator[Server]:
    """A server in this process and event loop, on a real socket; stopped at the end.

    `plugins` are plugin objects by name, which need not be installed: ``running_server(settings, plugins={"dice": Dice()})``.
    `budgets` are what each of them may take. Raises `StartError`.
    """
    from anonchat.app import Server

    server = Server(settings, clock, plugins=plugins, budgets=budgets)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


def asynchronous(test: Callable[Arguments, Coroutine[Any, Any, None]]) -> Callable[Arguments, None]:
    """Decorate an ``async def test_...`` so that plain pytest runs it, in an event loop of its own, for a minute at most."""

    @functools.wraps(test)
    def run(*arguments: Arguments.args, **named: Arguments.kwargs) -> None:
        asyncio.run(asyncio.wait_for(test(*arguments, **named), TEST_SECONDS))

    return run
