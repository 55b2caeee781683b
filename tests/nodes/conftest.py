"""Servers that a module of tests may break, and ``--soak``: more nodes, and faults that last as long as they do in life."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from anonchat.plugins.migrations import migrations_of
from anonchat.plugins.registry import bundled, load
from anonchat.testing.databases import VARIABLE, drop_databases_in, make_template
from anonchat.testing.postgres import PostgresServer
from anonchat.testing.redis import RedisServer


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--soak``."""
    parser.addoption("--soak", action="store_true", help="tests of several nodes last for minutes")


@pytest.fixture
def is_soak(request: pytest.FixtureRequest) -> bool:
    """Whether there is time for the long form."""
    return bool(request.config.getoption("--soak", default=False))


@pytest.fixture(scope="module")
def own_redis() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


@pytest.fixture(scope="module")
def own_postgres() -> Iterator[PostgresServer]:
    with PostgresServer(in_memory=True) as server:
        make_template(server.url(), migrations_of(load(bundled())))
        yield server


@pytest.fixture
def folder(own_postgres: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where nodes run; its database is in the Postgres of the module."""
    monkeypatch.setenv(VARIABLE, own_postgres.url())
    yield tmp_path
    drop_databases_in(tmp_path)
