"""`Maintenance` of one SQLite file."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection, NullPool, create_engine
from sqlalchemy.exc import DBAPIError

from anonchat import Finding, MigrationError, StartError
from anonchat_sqlite.copies import flaw_of, open_reading, replace_database, restored_copy, write_backup
from anonchat_sqlite.database import create_private, lock_of, path_of
from anonchat_sqlite.migration import migration_connection

T = TypeVar("T")

MEGABYTE = 1_000_000
LITTLE_SPACE = 500 * MEGABYTE
NO_SPACE = 50 * MEGABYTE


class SQLiteMaintenance:
    """Works on the file of ``sqlite:///...``."""

    def __init__(self, url: str) -> None:
        self.path = path_of(url)
        self.kept = self.path.with_name(self.path.name + ".before-restore")

    def is_served(self) -> bool:
        return lock_of(self.path).is_taken()

    def backup(self, file: Path, *, force: bool) -> int:
        return write_backup(self.path, file, force=force)

    @contextmanager
    def restoring(self, file: Path, *, keep: bool) -> Iterator[str]:
        is_earlier = self.kept.exists()
        is_own = is_earlier and file.exists() and file.samefile(self.kept)
        if keep and is_earlier:
            away = "Move it away under another name" if is_own else "Remove it"
            raise StartError(
                f"{self.kept} is there already, from an earlier restore. {away}, or use --force to keep nothing."
            )
        with self._alone(), restored_copy(file, self.path) as copy:
            yield f"sqlite:///{copy.absolute()}"
            replace_database(self.path, copy, self.kept if keep else None)
            if is_earlier and not is_own:  # nothing is to be kept
                for suffix in ("", "-wal", "-shm"):
                    self.kept.with_name(self.kept.name + suffix).unlink(missing_ok=True)

    def replaced(self) -> Path | None:
        return self.kept if self.kept.exists() else None

    def read(self, look: Callable[[Connection], T]) -> T:
        engine = create_engine("sqlite://", creator=lambda: open_reading(self.path), poolclass=NullPool)
        try:
            with engine.connect() as connection:
                connection.exec_driver_sql("BEGIN")
                return look(connection)
        except DBAPIError as error:
            raise StartError(f"The database {self.path} cannot be read: {error.orig}.") from error
        finally:
            engine.dispose()

    def read_alone(self, look: Callable[[Connection], T]) -> T:
        with self._alone():
            return self.read(look)

    def migrate(self, change: Callable[[Connection], T]) -> T:
        try:
            with self._alone():
                create_private(self.path)
                with migration_connection(self.path) as connection:
                    return change(connection)
        except MigrationError as error:
            raise StartError(str(error)) from error

    def findings(self) -> Iterator[Finding]:
        folder = self.path.absolute().parent
        if not _is_writable(folder):
            advice = "Create the folder, or give it to the user that runs anonchat."
            yield Finding("folder", "fail", f"{folder} cannot be written.", advice)
            return
        yield Finding("folder", "ok", f"{folder} can be written.")
        yield _space(folder)
        if not self.path.exists():
            yield Finding("database", "ok", f"{self.path} is not there yet; the first start makes it.")
            return
        yield from self._integrity()

    def _integrity(self) -> Iterator[Finding]:
        try:
            flaw = flaw_of(self.path)
        except sqlite3.Error as error:
            flaw = str(error)
        if flaw:
            yield Finding("database", "fail", f"{self.path}: {flaw}.", "Stop the server and restore a backup.")
        else:
            yield Finding("database", "ok", f"{self.path} is whole.")
        if self.path.stat().st_mode & 0o077:
            text = f"{self.path} can be read by other users of this machine."
            yield Finding("privacy", "warn", text, f"chmod 600 {self.path}*")

    @contextmanager
    def _alone(self) -> Iterator[None]:
        lock = lock_of(self.path)
        try:
            free = lock.take()
        except OSError as error:
            raise StartError(f"{self.path.parent} cannot be written: {error.strerror}.") from error
        if not free:
            raise StartError(f"A server is running on {self.path}. Stop it first; nothing was changed.")
        try:
            yield
        finally:
            lock.release()


def _is_writable(folder: Path) -> bool:
    try:
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def _space(folder: Path) -> Finding:
    free = shutil.disk_usage(folder).free
    text = f"{free // MEGABYTE:,} MB are free."
    if free < LITTLE_SPACE:
        return Finding(
            "disk", "fail" if free < NO_SPACE else "warn", text, "Make room: on a full disk sends are refused."
        )
    return Finding("disk", "ok", text)
