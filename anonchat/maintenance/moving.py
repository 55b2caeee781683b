"""Move everything from one database to another kind of database, while no server runs on either of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from sqlalchemy import Connection

from anonchat.errors import StartError
from anonchat.migrate.copying import Progress, copy_tables, owners_in
from anonchat.plugins.migrations import CORE_OWNER, migrations_of
from anonchat.plugins.registry import is_available, load
from anonchat.storage.maintenance import maintenance_of


def move(
    source: str, target: str, plugins_dir: Path | None, progress: Progress, *, leave_unknown: bool
) -> Mapping[str, int]:
    """Copy all tables from one URL to the other; returns how many rows each has. The source stays as it is.

    All or nothing: what is not the same in the end is rolled back. Epoch, positions, tokens and receipts move too, so
    that clients go on where they were. Raises `StartError`.
    """
    kind = source.partition(":")[0]
    if kind == target.partition(":")[0]:
        raise StartError(
            f"Both databases are of the kind {kind!r}: for that they have copies of their own, see the docs on backups."
        )
    origin, destination = maintenance_of(source), maintenance_of(target)

    def copy(read: Connection) -> Mapping[str, int]:
        owners = owners_in(read)
        if CORE_OWNER not in owners:
            raise StartError(
                "The source is no database of anonchat: it has no tables of the core. Nothing was changed."
            )
        known = [name for name in owners if name != CORE_OWNER and is_available(name, plugins_dir)]
        sets = migrations_of(load(known, plugins_dir)).sets
        return destination.migrate(lambda write: copy_tables(read, write, sets, progress, leave_unknown=leave_unknown))

    return origin.read_alone(copy)
