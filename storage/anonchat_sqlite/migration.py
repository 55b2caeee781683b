"""A SQLite database opened for migrating: one process at a time, all or nothing, and never somebody else's file."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from sqlalchemy import URL, Connection, NullPool, create_engine, event
from sqlalchemy.exc import DBAPIError

from anonchat import MigrationError, Migrations
from anonchat.migrate.revisions import VERSION_TABLE_PREFIX, Step, needs_upgrade

_MAGIC = b"SQLite format 3\x00"  # https://www.sqlite.org/fileformat.html#the_database_header


def migrate(path: Path, migrations: Migrations) -> list[Step]:
    """Bring every owner's tables up to date, all or nothing; returns the steps taken. Raises `MigrationError`."""
    if not needs_upgrade(recorded_revisions(path), migrations.sets):
        return []
    # Imported here: Alembic costs more than the rest of a start, and most starts need none of it.
    from anonchat.migrate.runner import upgrade_tables

    with migration_connection(path) as connection:
        return upgrade_tables(connection, migrations)


@contextmanager
def migration_connection(path: Path, *, wait_seconds: float = 60.0) -> Iterator[Connection]:
    """A connection in one exclusive transaction, committed at the end, rolled back by any exception.

    Other processes that migrate the same file wait up to `wait_seconds`, then see what this one committed; readers go
    on. A missing file is created. Foreign keys are off inside, because the table that a batch migration drops would
    take every child row with it; so before a commit that changes anything all foreign keys and pages are checked,
    which reads the whole file. Raises `MigrationError` for a file that is not a SQLite database of anonchat, is
    corrupt, locked for too long, or inconsistent afterwards; the file is then as it was.
    """
    _refuse_other_files(path)
    url = URL.create("sqlite", database=str(path))
    # With isolation_level=None the driver sends no BEGIN of its own, which would not be IMMEDIATE.
    engine = create_engine(url, poolclass=NullPool, connect_args={"isolation_level": None, "timeout": wait_seconds})
    event.listen(engine, "connect", _switch_foreign_keys_off)
    event.listen(engine, "begin", _begin_immediate)
    try:
        with engine.connect() as connection, connection.begin():
            _refuse_other_tables(connection, path)
            with _only_transaction(connection) as driver:
                changes = driver.total_changes
                yield connection
            if driver.total_changes != changes:
                _check_consistency(connection, path)
    except DBAPIError as error:
        raise MigrationError(_explain(path, error)) from error
    finally:
        engine.dispose()


def recorded_revisions(path: Path) -> dict[str, str]:
    """The current revision of each owner, removed plugins included; empty when there is nothing or it is unreadable.

    For `anonchat.migrate.revisions.needs_upgrade`, without SQLAlchemy and without a lock: what cannot be read here is
    explained by `migration_connection`. Costs about a millisecond.
    """
    with suppress(sqlite3.Error), closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as reader:
        tables = reader.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND substr(name, 1, ?) = ?",
            (len(VERSION_TABLE_PREFIX), VERSION_TABLE_PREFIX),
        ).fetchall()
        found = {}
        for (table,) in tables:
            quoted = table.replace('"', '""')
            revisions = reader.execute(f'SELECT version_num FROM "{quoted}"').fetchall()
            if len(revisions) == 1:
                found[table.removeprefix(VERSION_TABLE_PREFIX)] = revisions[0][0]
        return found
    return {}


def _refuse_other_files(path: Path) -> None:
    """Look at the file before SQLite does: it takes a foreign file below 512 bytes for an empty database."""
    try:
        with path.open("rb") as file:
            start = file.read(len(_MAGIC))
    except FileNotFoundError:
        return
    except OSError as error:
        raise MigrationError(f"The database {path} cannot be read: {error.strerror}.") from error
    if start and start != _MAGIC:
        raise MigrationError(f"{path} is not a SQLite database: name another file, this one was not touched.")


def _refuse_other_tables(connection: Connection, path: Path) -> None:
    query = "SELECT name FROM sqlite_master WHERE type = 'table'"
    tables = connection.exec_driver_sql(query).scalars().all()
    if tables and not any(table.startswith(VERSION_TABLE_PREFIX) for table in tables):
        raise MigrationError(
            f"{path} is the database of another program (it has the table {tables[0]} and none of anonchat's): "
            "name another file, this one was not touched."
        )


def _switch_foreign_keys_off(driver: sqlite3.Connection, _record: object) -> None:
    driver.execute("PRAGMA foreign_keys = OFF")  # has no effect inside a transaction, so it comes before BEGIN


def _begin_immediate(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


@contextmanager
def _only_transaction(connection: Connection) -> Iterator[sqlite3.Connection]:
    """Keep a step from ending the transaction: `executescript` of the driver commits without being asked."""
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    driver.set_authorizer(_refuse_commit)
    try:
        yield driver
    finally:
        driver.set_authorizer(None)


def _refuse_commit(action: int, operation: str | None, *_: str | None) -> int:
    ends = action == sqlite3.SQLITE_TRANSACTION and operation in {"COMMIT", "ROLLBACK"}
    return sqlite3.SQLITE_DENY if ends else sqlite3.SQLITE_OK


def _check_consistency(connection: Connection, path: Path) -> None:
    orphan = connection.exec_driver_sql('SELECT "table", parent FROM pragma_foreign_key_check LIMIT 1').first()
    if orphan is not None:
        raise MigrationError(
            f"After migrating {path}, rows of {orphan[0]} would refer to rows of {orphan[1]} that are not there: "
            "report it to the author of that table, nothing was changed."
        )
    verdict = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar_one()
    if verdict != "ok":
        raise MigrationError(f"The database {path} is corrupt: restore a backup, nothing was changed.")


def _explain(path: Path, error: DBAPIError) -> str:
    code = getattr(error.orig, "sqlite_errorcode", None)
    match code and code & 0xFF:  # the low byte is the kind, the rest a detail
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            return f"The database {path} is corrupt: restore a backup, nothing was changed."
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return f"The database {path} is in use by another process: stop it and start again, nothing was changed."
        case sqlite3.SQLITE_FULL:
            return f"The disk of the database {path} is full: make room and start again, nothing was changed."
        case _:
            return f"The database {path} cannot be migrated ({error.orig}), nothing was changed."
