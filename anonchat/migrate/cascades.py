"""The rule that whatever a plugin stores is deleted together with its room, but for sums that tell of nobody."""

from collections.abc import Collection, Mapping

from sqlalchemy import Integer, inspect
from sqlalchemy.engine import Connection, Inspector
from sqlalchemy.engine.interfaces import ReflectedForeignKeyConstraint

from anonchat.migrate.revisions import MigrationError

CASCADE_ROOTS = frozenset({"rooms", "messages"})


def check_declared(owner: str, made: Collection[str], declared: Collection[str]) -> None:
    """Refuse a table that migrations have made and that nobody could check: raises `MigrationError` with its name."""
    for table in sorted(set(made) - set(declared)):
        raise MigrationError(
            f"A migration of the plugin {owner} makes the table {table}, which is not in the MetaData of "
            "register_tables: what it holds could outlive its room. Declare it there."
        )


def check_tables(
    connection: Connection, owner: str, tables: Mapping[str, Collection[str]], sums: Collection[str] = ()
) -> None:
    """Refuse a table whose rows would outlive their room: raises `MigrationError` with the table's name.

    `tables` are the names of the columns by that of their table: a column that is not there is refused, too.

    One of `sums` may outlive it, if it holds nothing but whole numbers, and texts in its primary key. For the others this
    reads the foreign keys the database really has: from each table a chain of `ON DELETE CASCADE` keys over columns that
    are never NULL must lead to `rooms` or `messages`. The key must be a constraint of the table and not a `REFERENCES`
    behind a column: on SQLite the latter loses its cascade, unseen, in the next batch migration.
    Costs about a millisecond a table.
    """
    inspector = inspect(connection)
    existing = frozenset(inspector.get_table_names())
    for table, columns in tables.items():
        if table not in existing:
            raise MigrationError(
                f"The plugin {owner} declares the table {table}, but none of its migrations creates it."
            )
        for column in sorted(set(columns) - {found["name"] for found in inspector.get_columns(table)}):
            raise MigrationError(
                f"The plugin {owner} declares the column {column} of the table {table}, but none of its migrations "
                "creates it."
            )
        if table in sums:
            _check_sums(inspector, owner, table)
        elif not _reaches_root(inspector, table):
            raise MigrationError(
                f"The table {table} of the plugin {owner} would outlive its room: give it a FOREIGN KEY constraint "
                "with ON DELETE CASCADE, on NOT NULL columns, that leads to rooms or messages."
            )


def _check_sums(inspector: Inspector, owner: str, table: str) -> None:
    key = inspector.get_pk_constraint(table)["constrained_columns"]
    for column in inspector.get_columns(table):
        if column["name"] not in key and not isinstance(column["type"], Integer):
            raise MigrationError(
                f"The table {table} of the plugin {owner} is declared as sums, which outlive the rooms, but its column "
                f"{column['name']} is no whole number."
            )


def _reaches_root(inspector: Inspector, table: str) -> bool:
    """Walk the cascading keys from one table; each table is visited once, so a circle ends."""
    waiting, seen = [table], {table}
    while waiting:
        current = waiting.pop()
        if current in CASCADE_ROOTS:
            return True
        for parent in _cascading_parents(inspector, current):
            if parent not in seen:
                seen.add(parent)
                waiting.append(parent)
    return False


def _cascading_parents(inspector: Inspector, table: str) -> list[str]:
    required = {column["name"] for column in inspector.get_columns(table) if not column["nullable"]}
    return [
        key["referred_table"]
        for key in inspector.get_foreign_keys(table)
        if _cascades(key) and required.issuperset(key["constrained_columns"])
    ]


def _cascades(key: ReflectedForeignKeyConstraint) -> bool:
    return str(key.get("options", {}).get("ondelete", "")).upper() == "CASCADE"
