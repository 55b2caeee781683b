"""The revisions of one owner, loaded and in order."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from alembic.script import Script, ScriptDirectory

from anonchat.migrate.revisions import MigrationError, MigrationSet, reason, revision_files


@dataclass(frozen=True, slots=True)
class Lineage:
    """A straight line of loaded revision scripts, first to last."""

    revisions: MigrationSet
    directory: ScriptDirectory
    scripts: tuple[Script, ...]

    @property
    def head(self) -> str | None:
        """The last revision, None when there is none."""
        return self.scripts[-1].revision if self.scripts else None

    def position(self, revision: str | None) -> int:
        """How many scripts lead to the revision that a database has recorded; `base` and None are 0.

        Raises `MigrationError` for a revision that is not in this line: the database is newer, or is not this owner's.
        """
        found = self._find(revision)
        if found is None:
            raise MigrationError(self._unknown(str(revision)))
        return found

    def asked(self, revision: str) -> int:
        """Like `position`, for the revision that somebody asks for. Raises `MigrationError` that names those there are."""
        found = self._find(revision)
        if found is None:
            known = ", ".join(script.revision for script in self.scripts) or "none"
            raise MigrationError(f"{self.revisions.owner} has no revision {revision!r}. It has: {known}.")
        return found

    def _find(self, revision: str | None) -> int | None:
        if revision is None or revision == "base":
            return 0
        names = [script.revision for script in self.scripts]
        return names.index(revision) + 1 if revision in names else None

    def before(self, script: Script) -> str:
        """The revision that is left when this script is undone, `base` for the first."""
        position = self.position(script.revision)
        return self.scripts[position - 2].revision if position > 1 else "base"

    def _unknown(self, revision: str) -> str:
        owner, product = self.revisions.owner, self.revisions.product
        prefix, _, number = revision.rpartition("_")
        if prefix == owner and number.isdecimal() and int(number) > len(self.scripts):
            return (
                f"The database was written by a newer version of {product}: {owner} is at {revision} and this version "
                f"knows {self.head or 'none'}; upgrade {product} or restore a backup, nothing was changed."
            )
        return (
            f"There is no revision {revision!r} of {owner} in {self.revisions.folder}: reinstall {product} or restore "
            "a backup, nothing was changed."
        )


def load_lineage(revisions: MigrationSet) -> Lineage:
    """Load every revision script of an owner; raises `MigrationError` when one cannot be loaded or breaks the line."""
    files = revision_files(revisions)
    directory = ScriptDirectory(revisions.folder, version_locations=[revisions.folder])
    try:
        scripts = tuple(reversed(list(directory.walk_revisions())))
    except Exception as error:  # a script is foreign code and may raise anything while it is imported
        raise MigrationError(
            f"The migrations of {revisions.owner} in {revisions.folder} cannot be loaded "
            f"({reason(error)}): reinstall {revisions.product}."
        ) from error
    _check_line(revisions, files, scripts)
    return Lineage(revisions, directory, scripts)


def _check_line(revisions: MigrationSet, files: Sequence[Path], scripts: Sequence[Script]) -> None:
    by_path = {Path(script.path).name: script for script in scripts}
    previous: str | None = None
    for number, path in enumerate(files, start=1):
        script, expected = by_path.get(path.name), revisions.revision(number)
        if script is None or (script.revision, script.down_revision) != (expected, previous):
            raise MigrationError(
                f"The migrations of {revisions.owner} are not in one line: {path} must have revision {expected!r} "
                f"and down_revision {previous!r}."
            )
        previous = expected
