"""All rows of one database put into another, and compared. Both connections have transactions of their callers.

Tables are read from the databases themselves, so that those of plugins which are switched off are copied, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from sqlalchemy import Connection, TableClause, column, func, insert, inspect, select, table

from anonchat.migrate.revisions import VERSION_TABLE_PREFIX, MigrationError, MigrationSet
from anonchat.migrate.runner import status, upgrade

CHUNK = 1_000  # rows in memory at once
HASH_BYTES = 32

Progress = Callable[[int, int], None]
"""Called with how many rows have been copied or compared, of how many; each row is copied once and compared once."""


@dataclass(slots=True)
class Tally:
    """How many rows a table has, and a hash of all of them that their order does not change.

    It is the sum of the hashes of the rows (AdHash: Bellare and Micciancio, "A New Paradigm for Collision-Free Hashing",
    1997): it sees a row that is missing, doubled or changed by accident, not what somebody has made to deceive it.
    """

    rows: int = 0
    sum: int = 0

    def add(self, row: Mapping[str, Any]) -> None:
        """Count a row in; its columns may come in any order."""
        digest = blake2b(repr(sorted(row.items())).encode(), digest_size=HASH_BYTES).digest()
        self.rows += 1
        self.sum = (self.sum + int.from_bytes(digest)) % 2 ** (8 * HASH_BYTES)


def owners_in(connection: Connection) -> list[str]:
    """Whose tables stand in a database: the core and plugins, also such as are not installed."""
    names = inspect(connection).get_table_names()
    return [name.removeprefix(VERSION_TABLE_PREFIX) for name in names if name.startswith(VERSION_TABLE_PREFIX)]


def copy_tables(
    source: Connection, target: Connection, sets: Sequence[MigrationSet], progress: Progress, *, leave_unknown: bool
) -> dict[str, int]:
    """Fill an empty database; returns how many rows each table has, in an order that foreign keys allow.

    Its tables are made by the migrations of `sets`, as far as those of the source are. A table of the source that none
    of them makes is refused, or left behind with `leave_unknown`. Raises `MigrationError`; the caller then rolls back.
    """
    names = _make_tables(source, target, sets)
    _check_unknown(_tables_in(source) - {*names}, leave=leave_unknown)
    total = sum(source.execute(select(func.count()).select_from(table(name))).scalar_one() for name in names)
    done = 0
    tallies = {name: Tally() for name in names}
    for name, tally in tallies.items():
        into = insert(_described(target, name))
        for rows in _chunks(source, name):
            target.execute(into, rows)
            for row in rows:
                tally.add(row)
            done += len(rows)
            progress(done, 2 * total)
    for name, tally in tallies.items():  # once all is there: what comes later may have changed what was before
        _compare(name, tally, _chunks(target, name))
        done += tally.rows
        progress(done, 2 * total)
    return {name: tally.rows for name, tally in tallies.items()}


def _make_tables(source: Connection, target: Connection, sets: Sequence[MigrationSet]) -> list[str]:
    """The names of the tables that were made, parents before children."""
    if there := inspect(target).get_table_names():
        raise MigrationError(
            f"The target is not empty, it has the table {min(there)}: name a database without tables. Nothing was changed."
        )
    for found, revisions in zip(status(source, sets), sets, strict=True):
        if found.current is not None:
            upgrade(target, [revisions], found.current)
    in_order = [name for name, _ in inspect(target).get_sorted_table_and_fkc_names() if name is not None]
    return [name for name in in_order if not name.startswith(VERSION_TABLE_PREFIX)]


def _tables_in(connection: Connection) -> set[str]:
    names = inspect(connection).get_table_names()
    return {name for name in names if not name.startswith(VERSION_TABLE_PREFIX)}


def _check_unknown(names: set[str], *, leave: bool) -> None:
    if names and not leave:
        raise MigrationError(
            f"Nothing that is installed here knows these tables: {', '.join(sorted(names))}. Install the plugin that made "
            "them, or leave them behind with --leave-unknown; nothing was changed."
        )


def _described(connection: Connection, name: str) -> TableClause:
    """A table with its columns, as they are in this database, in the order of their names."""
    columns = sorted(inspect(connection).get_columns(name), key=lambda found: found["name"])
    return table(name, *(column(found["name"], found["type"]) for found in columns))


def _chunks(connection: Connection, name: str) -> Iterator[Sequence[Mapping[str, Any]]]:
    """All rows of a table, as many at once as fit into memory."""
    with connection.execution_options(yield_per=CHUNK).execute(select(_described(connection, name))) as found:
        for rows in found.mappings().partitions():
            yield [dict(row) for row in rows]


def _compare(name: str, expected: Tally, chunks: Iterator[Sequence[Mapping[str, Any]]]) -> None:
    found = Tally()
    for rows in chunks:
        for row in rows:
            found.add(row)
    if found.rows != expected.rows:
        raise MigrationError(
            f"The table {name} has {expected.rows:,} rows in the source and {found.rows:,} in the target; nothing was kept."
        )
    if found.sum != expected.sum:
        raise MigrationError(f"The rows of the table {name} are not the same in the target; nothing was kept.")
