"""What the contracts of `Database` share: how a database is opened, and statements on a table that every server has."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

from sqlalchemy import bindparam, func, insert, select, update

from anonchat.clock import Clock
from anonchat.plugins.migrations import migrations_of
from anonchat.plugins.registry import Plugins
from anonchat.storage.backends import open_backend
from anonchat.storage.roles import Database, Statements
from anonchat.store.sql import insert_or_ignore, one_of, pair_of, upsert
from anonchat.store.tables import meta

# Keys of the contract; what the core itself stores in this table is left alone.
_OURS = meta.c.key.startswith("contract.")

INSERT = insert(meta)
INSERT_OR_IGNORE = insert_or_ignore(meta, meta.c.key)
UPSERT = upsert(meta, [meta.c.key], ["value"])
UPDATE = update(meta).where(meta.c.key == bindparam("name")).values(value=bindparam("new_value"))
SELECT = select(meta.c.value).where(meta.c.key == bindparam("name"))
SELECT_KEYS = select(meta.c.key).where(one_of(meta.c.key, "names")).order_by(meta.c.key)
SELECT_PAIRS = select(meta.c.key).where(pair_of(meta.c.key, meta.c.value, "pairs")).order_by(meta.c.key)
COUNT = select(func.count()).select_from(meta).where(_OURS)


def row(name: object, value: object = "") -> dict[str, str]:
    """The parameters of an insert."""
    return {"key": f"contract.{name}", "value": str(value)}


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Database]:
    """The database of a URL, with the core's tables."""
    database = cast("Database", open_backend("database", url, Clock()))
    await database.start(migrations_of(Plugins(())))
    try:
        yield database
    finally:
        await database.close()


# Work may share its commit with others, which a backend can do for all of it or for what is done in one room.
ROOMS = (None, "room")


def store(database: Database, name: object, value: object = "", room: str | None = None) -> Awaitable[None]:
    """Store one row in a transaction of its own, which waits from now on."""

    async def work(tx: Statements) -> None:
        await tx.execute(INSERT, row(name, value))

    return database.transaction(work, None, room)


async def value_of(database: Database, name: object) -> str | None:
    """The value of one row, or None."""
    found = await database.fetch_one(SELECT, {"name": f"contract.{name}"})
    return None if found is None else str(found["value"])


async def count(database: Database) -> int:
    """How many rows the contract has stored."""
    found = await database.fetch_one(COUNT)
    assert found is not None
    return int(found[0])


class DatabaseCase:
    """The base of the contracts."""

    def url(self, folder: Path) -> str:
        """The URL of a database that is new in each `folder`."""
        raise NotImplementedError
