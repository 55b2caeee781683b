"""A server with the plugin, and what its operator and moderators read."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest

from anonchat.app import Server
from anonchat.testing import running_server, settings_in
from anonchat.testing.clocks import SettableClock
from anonchat.testing.databases import is_on_postgres, run_sql
from anonchat.testing.people import Reply, request

OPERATOR = "an operator's token"


class Analytics:
    """Starts servers on one database, and reads what they counted. Numbers are exact unless a test asks otherwise."""

    def __init__(self, folder: Path, clock: SettableClock) -> None:
        self.folder = folder
        self.clock = clock

    def server(
        self, *, others: tuple[str, ...] = (), tables: Mapping[str, Any] | None = None, **options: Any
    ) -> AbstractAsyncContextManager[Server]:
        """A running server; `options` are the plugin's, `others` further plugins, `tables` of the configuration."""
        plugins = {"enabled": ("analytics", *others), "options": {"analytics": {"blur": 1, **options}}}
        settings = settings_in(
            self.folder, server={"port": 0, "operator_token": OPERATOR}, plugins=plugins, **(tables or {})
        )
        return running_server(settings, self.clock)

    async def read(self, server: Server, path: str, token: str = OPERATOR) -> Reply:
        """An answer that has everything in it that has happened so far."""
        await server.dispatcher.settle()
        return await request(server, "GET", f"/api/analytics/{path}", token=token)

    async def counts(self, server: Server, period: str = "hour") -> dict[str, int]:
        """Metric -> value, of the whole server; those that are 0 left out."""
        return values((await self.read(server, "summary")).body[period])

    async def samples(self, server: Server) -> dict[str, float]:
        """The plugin's Prometheus metrics, as they are scraped."""
        await server.dispatcher.settle()
        reply = await request(server, "GET", "/metrics", token=OPERATOR)
        lines = [line.split(" ") for line in reply.body.decode().splitlines() if line.startswith("anonchat_analytics_")]
        return {name.removeprefix("anonchat_analytics_"): float(value) for name, value in lines}

    def rows(self, table: str) -> list[tuple[Any, ...]]:
        """Everything in a table, as it lies in the file."""
        return self._select(f"SELECT * FROM {table} ORDER BY 1, 2, 3")

    def columns(self, table: str) -> list[str]:
        """The names of a table's columns."""
        told = f"SELECT name FROM pragma_table_info('{table}')"
        if is_on_postgres():
            told = f"SELECT column_name FROM information_schema.columns WHERE table_name = '{table}' ORDER BY ordinal_position"
        return [name for (name,) in self._select(told)]

    def hours(self, metric: str, step: str = "hour") -> dict[int, int]:
        """When it began -> sum, of the server."""
        return {row[1]: row[3] for row in self.rows("analytics_server_sums") if (row[0], row[2]) == (step, metric)}

    def _select(self, statement: str) -> list[tuple[Any, ...]]:
        return run_sql(self.folder, statement)


def values(period: Mapping[str, Any]) -> dict[str, int]:
    """Metric -> value of a period in an answer; those that are 0 left out."""
    return {metric: count["value"] for metric, count in period["counts"].items() if count["value"]}


@pytest.fixture
def clock() -> SettableClock:
    """Return a clock that stands at 08:00 UTC, 15 January 2027."""
    return SettableClock(1_800_000_000_000)


@pytest.fixture
def analytics(tmp_path: Path, clock: SettableClock) -> Analytics:
    return Analytics(tmp_path, clock)
