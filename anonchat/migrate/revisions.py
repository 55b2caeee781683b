"""What is known of migrations without loading Alembic: their files, their order, and whether any is due.

The core and each plugin own one folder of revision files, a straight line named `0001_first.py`, `0002_second.py` and
so on; file `0002_...` holds the revision `<owner>_0002`. Because the name tells the revision, a server whose database
is up to date learns that from a directory listing and never imports Alembic.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

# Alembic's version column has 32 characters, so the name of an owner has 27: `<owner>_0001`.
_OWNER = re.compile(r"[a-z][a-z0-9_]{0,26}")
_REVISION_FILE = re.compile(r"(\d{4})_\w+\.py")
VERSION_TABLE_PREFIX = "schema_version_"


class MigrationError(Exception):
    """Why the database was not migrated, in one sentence for the operator; nothing was changed."""


@dataclass(frozen=True, slots=True)
class MigrationSet:
    """The revisions of one owner.

    `owner` is `core` or the plugin's name, `folder` holds the revision files directly, `package` is what an operator
    upgrades with pip and is only named in messages. Raises `MigrationError` when the owner's name cannot name a table.
    """

    owner: str
    folder: Path
    package: str | None = None

    def __post_init__(self) -> None:
        if not _OWNER.fullmatch(self.owner):
            raise MigrationError(
                f"{self.owner!r} cannot own migrations: rename it to at most 27 lowercase letters, digits and "
                "underscores, a letter first."
            )

    @property
    def version_table(self) -> str:
        """The table that holds this owner's current revision."""
        return VERSION_TABLE_PREFIX + self.owner

    @property
    def product(self) -> str:
        """What to upgrade when the code of this owner is too old."""
        return self.package or "anonchat"

    def revision(self, number: int) -> str:
        """The name of the revision with this number, counted from 1."""
        return f"{self.owner}_{number:04}"


@dataclass(frozen=True, slots=True)
class Migrations:
    """What the enabled owners need: the core's revisions first, and of each plugin's tables the names of the columns.

    `sums` names those of them that outlive the rooms.
    """

    sets: Sequence[MigrationSet]
    tables: Mapping[str, Mapping[str, Sequence[str]]]
    sums: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Step:
    """One revision that was applied or undone; `summary` is the first line of its docstring.

    `made` are the tables that were there after it and not before.
    """

    owner: str
    revision: str
    summary: str
    made: frozenset[str] = field(default=frozenset(), compare=False)


@dataclass(frozen=True, slots=True)
class Status:
    """Where one owner's tables stand; `current` is None before the first revision, `head` when there is no file."""

    owner: str
    current: str | None
    head: str | None
    pending: tuple[str, ...]


def reason(error: Exception) -> str:
    """The kind of an error and the first line of its text: SQLAlchemy adds statement and links below."""
    return ": ".join([type(error).__name__, *str(error).splitlines()[:1]])


def revision_files(revisions: MigrationSet) -> list[Path]:
    """The revision files of an owner, first to last, read from the directory alone.

    Raises `MigrationError` when the folder is missing or the numbers do not run 1, 2, 3 without a gap or a double,
    which is what two branches merged by hand look like.
    """
    if not revisions.folder.is_dir():
        raise MigrationError(
            f"The migrations of {revisions.owner} are missing from {revisions.folder}: reinstall {revisions.product}."
        )
    files = sorted(path for path in revisions.folder.glob("*.py") if path.name != "__init__.py")
    for number, path in enumerate(files, start=1):
        match = _REVISION_FILE.fullmatch(path.name)
        if match is None or int(match[1]) != number:
            raise MigrationError(
                f"The migrations of {revisions.owner} are not in one line: {path} should be named {number:04}_<what>.py"
            )
    return files


def head_revision(revisions: MigrationSet) -> str | None:
    """The last revision of an owner, None when it has none."""
    files = revision_files(revisions)
    return revisions.revision(len(files)) if files else None


def needs_upgrade(recorded: Mapping[str, str], sets: Sequence[MigrationSet]) -> bool:
    """Whether `anonchat.migrate.upgrade` must run, given what the database has recorded by owner.

    Also True when the database is newer than the code: `upgrade` then says so. Costs one directory listing an owner.
    """
    return any(recorded.get(revisions.owner) != head_revision(revisions) for revisions in sets)
