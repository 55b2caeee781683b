"""Copies of a SQLite database: whole, durable, private, and without what was deleted before.

Copies are made by ``VACUUM INTO``. Unlike the online backup API it writes only rows that are there, no free pages and
no gaps within pages, so that what was deleted cannot come back from a copy; it sees one moment; and it never starts
over because a server writes meanwhile, which the API does for every write of another process.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from anonchat import StartError
from anonchat_sqlite.migration import recorded_revisions

PRIVATE = 0o600
BUSY_SECONDS = 60.0
STEPS = 100_000  # of SQLite's machine, some milliseconds
ELSEWHERE = "Is this the right folder? Go to that of the server, or name its configuration with --config."


def open_reading(path: Path) -> sqlite3.Connection:
    """A connection that cannot write. Raises `StartError` if there is no file."""
    if not path.is_file():
        raise StartError(f"There is no database at {path}. {ELSEWHERE}")
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=BUSY_SECONDS, isolation_level=None)


def write_copy(source: Path, target: Path) -> None:
    """Copy a database to a new file that only its owner may read, and check the copy. Raises `StartError`."""
    os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, PRIVATE))
    try:
        with closing(open_reading(source)) as connection:
            connection.set_progress_handler(lambda: 0, STEPS)  # so that a signal is heard in the midst of it
            connection.execute("VACUUM INTO ?", (str(target),))
        problem = flaw_of(target)
    except sqlite3.Error as error:
        raise StartError(f"{source} cannot be copied: {error}.") from error
    if problem:
        raise StartError(f"The copy of {source} is not whole: {problem}.")
    flush(target)


def write_backup(source: Path, file: Path, *, force: bool) -> int:
    """A backup appears under its name only when it is complete and on the disk; returns its bytes. Raises `StartError`."""
    if not recorded_revisions(source):
        raise StartError(f"There is no database of anonchat at {source}. {ELSEWHERE}")
    if any(file.exists() and own.exists() and file.samefile(own) for own in _files_of(source)):
        raise StartError(f"{file} is the database itself. Name another file for its copy.")
    try:
        if file.exists() and not force:
            raise FileExistsError
        with _folder_beside(file) as folder:
            copy = folder / "copy"
            write_copy(source, copy)
            _publish(copy, file, force=force)
            flush(file.parent)
    except FileExistsError:
        raise StartError(f"{file} is there already. Choose another name, or overwrite it with --force.") from None
    except OSError as error:
        raise StartError(f"{file} cannot be written: {error.strerror}.") from error
    return file.stat().st_size


@contextmanager
def restored_copy(backup: Path, database: Path) -> Iterator[Path]:
    """A checked copy of a backup in a folder beside the database, which is removed at the end. Raises `StartError`."""
    if not backup.is_file():
        raise StartError(f"There is no file {backup}.")
    if "core" not in recorded_revisions(backup):
        raise StartError(f"{backup} is not a backup of anonchat, or it is damaged. Nothing was changed.")
    try:
        with _folder_beside(database) as folder:
            copy = folder / database.name
            write_copy(backup, copy)
            yield copy
    except OSError as error:
        raise StartError(f"{backup} cannot be restored to {database}: {error.strerror}.") from error


def replace_database(database: Path, fresh: Path, kept: Path | None) -> None:
    """Put `fresh` in the place of the database, which is kept under another name if that is wanted.

    SQLite would apply a write-ahead log that stayed behind to the new file, so the old one is emptied or moved first.
    At every moment there is a database under the name.
    """
    flush(fresh)
    if database.exists():
        with suppress(sqlite3.Error), closing(sqlite3.connect(database)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    for suffix in ("-wal", "-shm"):
        leftover = database.with_name(database.name + suffix)
        if kept is not None and leftover.exists():
            leftover.replace(kept.with_name(kept.name + suffix))
        leftover.unlink(missing_ok=True)
    if kept is not None and database.exists():
        kept.hardlink_to(database)
    fresh.replace(database)
    flush(database.parent)


def flaw_of(path: Path) -> str | None:
    """What is wrong inside a database, or None. Reads the whole file: about a second for each gigabyte."""
    with closing(open_reading(path)) as connection:
        verdict = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if verdict != "ok":
            return str(verdict)
        orphan = connection.execute('SELECT "table", parent FROM pragma_foreign_key_check LIMIT 1').fetchone()
    return f"rows of {orphan[0]} refer to rows of {orphan[1]} that are not there" if orphan else None


def flush(path: Path) -> None:
    """Wait until a file or the entries of a folder are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _files_of(database: Path) -> Iterator[Path]:
    """A database and what lies beside it while a server works on it."""
    return (database.with_name(database.name + suffix) for suffix in ("", "-wal", "-shm", ".lock"))


def _publish(copy: Path, file: Path, *, force: bool) -> None:
    """Give a copy its name, at once; without `force` raises FileExistsError if that is taken by now."""
    if not force:
        try:
            file.hardlink_to(copy)
        except FileExistsError:
            raise
        except OSError:
            pass  # a disk without links: only there somebody else may take the name in this moment
        else:
            return
    copy.replace(file)


@contextmanager
def _folder_beside(file: Path) -> Iterator[Path]:
    """A private folder on the same disk as `file`, so that what is made in it can be moved there at once."""
    with tempfile.TemporaryDirectory(prefix=f".{file.name}-", dir=file.absolute().parent) as folder:
        yield Path(folder)
