"""All rows of one database put into another, and compared. Both connections have transactions of their callers.

Tables are read from the databases themselves, so that those of plugins which are switched off are copied, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from sqlalchemy import (
    Connection,
    Select,
    TableClause,
    and_,
    column,
    func,
    insert,
    inspect,
    literal,
    or_,
    select,
    table,
)

from anonchat.migrate.revisions import VERSION_TABLE_PREFIX, MigrationError, MigrationSet
from anonchat.migrate.runner import status, upgrade

CHUNK = 1_000  # rows in memory at once
HASH_BYTES = 32

Progress = Callable[[int, int], None]
"""Called with how many rows have been copied or compared, of how many; each row is copied once and compared once."""

Order = Callable[[TableClause], Select[Any]]


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
    counts = {name: source.execute(select(func.count()).select_from(table(name))).scalar_one() for name in names}
    total = sum(counts.values())
    done = 0
    tallies = {name: Tally() for name in names}
    for name, tally in tallies.items():
        into = insert(_described(target, name))
        for rows in _chunks(source, name, _parents_first(target, name)):
            target.execute(into, rows)
            for row in rows:
                tally.add(row)
            done += len(rows)
            progress(done, 2 * total)
        _check_count(name, counts[name], tally.rows)
        _count_on(target, name)
    for name, tally in tallies.items():  # once all is there: what comes later may have changed what was before
        _compare(name, tally, _chunks(target, name))
        done += tally.rows
        if tally.rows:  # that all is done is told once, whatever is empty
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


def _chunks(connection: Connection, name: str, in_order: Order | None = None) -> Iterator[Sequence[Mapping[str, Any]]]:
    """All rows of a table, as many at once as fit into memory."""
    described = _described(connection, name)
    rows_of = in_order(described) if in_order is not None else select(described)
    with connection.execution_options(yield_per=CHUNK).execute(rows_of) as found:
        for rows in found.mappings().partitions():
            yield [dict(row) for row in rows]


def _parents_first(connection: Connection, name: str) -> Order | None:
    """How to read a table whose rows refer to each other (the first such key counts), so that each finds its parent.

    Rows that refer to each other in a circle are not found; then their number is not that of the table.
    """
    own = [key for key in inspect(connection).get_foreign_keys(name) if key["referred_table"] == name]
    if not own:
        return None
    links = list(zip(own[0]["constrained_columns"], own[0]["referred_columns"], strict=True))

    def in_order(described: TableClause) -> Select[Any]:
        keys = [described.c[parent].label(parent) for _, parent in links]
        is_root = or_(*(described.c[child].is_(None) for child, _ in links))
        placed = select(*keys, literal(0).label("depth")).where(is_root).cte(recursive=True)
        below = described.alias()
        is_below = and_(*(below.c[child] == placed.c[parent] for child, parent in links))
        deeper = [*(below.c[parent] for _, parent in links), placed.c.depth + 1]
        placed = placed.union_all(select(*deeper).join_from(below, placed, is_below))
        is_same = and_(*(described.c[parent] == placed.c[parent] for _, parent in links))
        return select(described).join_from(described, placed, is_same).order_by(placed.c.depth)

    return in_order


def _count_on(connection: Connection, name: str) -> None:
    """A column that the database numbers by a sequence goes on after the highest number that was copied."""
    for found in inspect(connection).get_columns(name):
        if "nextval(" in str(found["default"]) or found.get("identity"):
            sequence = connection.scalar(select(func.pg_get_serial_sequence(name, found["name"])))
            if sequence is None:
                raise MigrationError(
                    f"The numbers of {name}.{found['name']} cannot go on: their sequence does not belong to the column "
                    "(ALTER SEQUENCE ... OWNED BY)."
                )
            highest = select(func.max(column(found["name"]))).select_from(table(name)).scalar_subquery()
            connection.execute(select(func.setval(sequence, highest)).where(highest.is_not(None)))


def _check_count(name: str, source: int, target: int) -> None:
    if source != target:
        raise MigrationError(
            f"The table {name} has {source:,} rows in the source and {target:,} in the target; nothing was kept."
        )


def _compare(name: str, expected: Tally, chunks: Iterator[Sequence[Mapping[str, Any]]]) -> None:
    found = Tally()
    for rows in chunks:
        for row in rows:
            found.add(row)
    _check_count(name, expected.rows, found.rows)
    if found.sum != expected.sum:
        raise MigrationError(f"The rows of the table {name} are not the same in the target; nothing was kept.")
