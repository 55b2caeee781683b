"""What the command line does to a database from outside of a server: copy it, put a copy in its place, migrate, examine.

A storage backend offers this beside its `Database`, as the entry point ``maintenance.<scheme>``. It is optional: a
database server brings tools of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, TypeVar, cast

from sqlalchemy import Connection

from anonchat.errors import StartError
from anonchat.installed import offered

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of ``anonchat doctor``: what was looked at, what was found, and what to do about it."""

    check: str
    state: Literal["ok", "warn", "fail"]
    text: str
    advice: str = ""


CLOCKS_SECONDS = 1.0  # that two clocks may differ by


def clock_findings(whose: str, read: float, before: float, after: float) -> Sequence[Finding]:
    """Whether the clock of a server, `read` between two looks at ours, agrees with it; all in seconds since 1970."""
    apart = max(before - read, read - after)
    if apart <= CLOCKS_SECONDS:
        return ()
    text = f"The clock of {whose} and that of this machine are {apart:,.0f} seconds apart."
    return (
        Finding("clock", "warn", text, "Set all of them by NTP: what is over, and what is deleted, hangs on them."),
    )


class Maintenance(Protocol):
    """Made with the URL of a database. All methods block, and raise `StartError` with a sentence for the operator."""

    def is_served(self) -> bool:
        """Whether a server works on the database now."""

    def backup(self, file: Path, *, force: bool) -> int:
        """Write a consistent copy while a server may run; returns its bytes. Overwrites only with `force`.

        The copy holds nothing of rows that were deleted before.
        """

    def restoring(self, file: Path, *, keep: bool) -> AbstractContextManager[str]:
        """The URL of a checked copy of a backup, to be worked on; it takes the database's place at the end.

        If the body raises, the database stays as it was. With `keep` the replaced one is kept beside. Refuses while a
        server works on the database.
        """

    def replaced(self) -> Path | None:
        """The database that `restoring` has kept, or None if nothing was there to be replaced."""

    def read(self, look: Callable[[Connection], T]) -> T:
        """What `look` answers, given a connection that sees one moment and cannot write. Refuses if there is no database."""

    def read_alone(self, look: Callable[[Connection], T]) -> T:
        """`read`, with nobody else writing until it is over. Refuses while a server works on the database."""

    def migrate(self, change: Callable[[Connection], T]) -> T:
        """What `change` answers, given a connection in one transaction that may change tables.

        Refuses while a server works on the database.
        """

    def findings(self) -> Iterable[Finding]:
        """What ``anonchat doctor`` should know: room, rights, integrity. Changes nothing."""


def maintenance_of(url: str) -> Maintenance:
    """What the backend of a database URL offers. Raises `StartError` if it offers nothing."""
    from anonchat.storage.backends import GROUP, check_login, load_backend

    check_login("database", url)
    scheme = url.partition(":")[0]
    for point in offered(GROUP).select(name=f"maintenance.{scheme}"):
        return cast("Maintenance", load_backend(point)(url))
    raise StartError(f"The storage backend {scheme!r} has no maintenance of its own: use the tools of that database.")
