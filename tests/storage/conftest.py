"""One Postgres for all tests of a worker that need one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from anonchat.testing.databases import VARIABLE
from anonchat.testing.postgres import PostgresServer


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """The server."""
    with PostgresServer() as server:
        yield server


@pytest.fixture
def on_postgres(postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the databases of folders made on it."""
    monkeypatch.setenv(VARIABLE, postgres.url())
