"""Bring the tables of the core and of each plugin to the version the code expects, with Alembic.

Every owner has a version table of its own, so a plugin that is switched off or removed never stands in the way of
anyone else's upgrade. All functions take a plain SQLAlchemy `Connection` whose transaction belongs to the caller (for
Postgres: inside `AsyncConnection.run_sync`); the storage backend opens it, locks out other processes and commits.
Importing this module loads Alembic (about 0.15 s), so a server asks `anonchat.migrate.revisions.needs_upgrade` first.
"""

from collections.abc import Callable, Sequence

from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import Script
from sqlalchemy import inspect
from sqlalchemy.engine import Connection

from anonchat.migrate.cascades import check_declared, check_tables
from anonchat.migrate.lineage import Lineage, load_lineage
from anonchat.migrate.revisions import MigrationError, Migrations, MigrationSet, Status, Step, reason


def upgrade(connection: Connection, sets: Sequence[MigrationSet], target: str = "head") -> list[Step]:
    """Apply what is pending, in the order of `sets` (the core first), and tell which revisions were applied.

    All or nothing for the whole run: every owner is checked before the first step, and a failing step rolls back to
    where the run began. The caller commits. A `target` other than `head` is a revision of the only set given.
    Raises `MigrationError`.
    """
    if target != "head" and len(sets) != 1:
        raise MigrationError(f"The target {target!r} is a revision of one owner: name that owner.")
    plans = []
    for lineage in _lineages(sets):
        context = _context(connection, lineage.revisions)
        start = lineage.position(_current(context, lineage))
        end = len(lineage.scripts) if target == "head" else lineage.asked(target)
        plans.append((lineage, context, lineage.scripts[start:end]))
    steps = []
    with connection.begin_nested():
        there = _tables(connection)
        for lineage, context, scripts in plans:
            for script in scripts:
                before = there
                _apply(context, lineage, script)
                there = _tables(connection)
                made = there - before - {lineage.revisions.version_table}
                steps.append(Step(lineage.revisions.owner, script.revision, script.doc, made))
    return steps


def upgrade_tables(connection: Connection, migrations: Migrations) -> list[Step]:
    """`upgrade` everything that is enabled to its head, and refuse tables of plugins that would outlive their rooms."""
    steps = upgrade(connection, migrations.sets)
    there = _tables(connection)
    for owner, tables in migrations.tables.items():
        made = {table for step in steps if step.owner == owner for table in step.made}
        check_declared(owner, made & there, tables)
        check_tables(connection, owner, tables, migrations.sums.get(owner, ()))
    return steps


def downgrade(connection: Connection, revisions: MigrationSet, target: str) -> list[Step]:
    """Undo the revisions of one owner down to `target`, a revision that stays or `base`; tells which were undone.

    All or nothing like `upgrade`, and the caller commits. Raises `MigrationError`, also for a step without a downgrade.
    """
    lineage = load_lineage(revisions)
    context = _context(connection, revisions)
    undone = lineage.scripts[lineage.asked(target) : lineage.position(_current(context, lineage))]
    with connection.begin_nested():
        for script in reversed(undone):
            _undo(context, lineage, script)
    return [Step(revisions.owner, script.revision, script.doc) for script in reversed(undone)]


def status(connection: Connection, sets: Sequence[MigrationSet]) -> list[Status]:
    """Where each owner stands, in the order of `sets`; changes nothing. Raises `MigrationError` as `upgrade` would."""
    found = []
    for lineage in _lineages(sets):
        current = _current(_context(connection, lineage.revisions), lineage)
        pending = lineage.scripts[lineage.position(current) :]
        names = tuple(script.revision for script in pending)
        found.append(Status(lineage.revisions.owner, current, lineage.head, names))
    return found


def _tables(connection: Connection) -> frozenset[str]:
    return frozenset(inspect(connection).get_table_names())


def _lineages(sets: Sequence[MigrationSet]) -> list[Lineage]:
    owners = [revisions.owner for revisions in sets]
    for owner in owners:
        if owners.count(owner) > 1:
            raise MigrationError(f"Two sets of migrations call themselves {owner!r}: rename or remove one.")
    return [load_lineage(revisions) for revisions in sets]


def _context(connection: Connection, revisions: MigrationSet) -> MigrationContext:
    return MigrationContext.configure(connection, opts={"version_table": revisions.version_table})


def _current(context: MigrationContext, lineage: Lineage) -> str | None:
    heads = context.get_current_heads()
    if len(heads) > 1:
        raise MigrationError(
            f"The table {lineage.revisions.version_table} names {len(heads)} revisions where one belongs: "
            "restore a backup, nothing was changed."
        )
    return heads[0] if heads else None


def _apply(context: MigrationContext, lineage: Lineage, script: Script) -> None:
    _run(context, lineage, script, "upgrade")
    context.stamp(lineage.directory, script.revision)


def _undo(context: MigrationContext, lineage: Lineage, script: Script) -> None:
    _run(context, lineage, script, "downgrade")
    context.stamp(lineage.directory, lineage.before(script))


def _run(context: MigrationContext, lineage: Lineage, script: Script, direction: str) -> None:
    # `alembic.op` is one object for the process: two servers that start at once would write into each other's
    # database. Each script is a module loaded for this run alone, so its `op` can be the operations of this run.
    names = vars(script.module)
    names["op"] = Operations(context)
    run: Callable[[], None] | None = names.get(direction)
    if run is None:
        raise MigrationError(f"The revision {script.revision} has no {direction}(): restore a backup instead.")
    try:
        run()
    except Exception as error:  # a script is foreign code and may raise anything
        raise MigrationError(
            f"The {direction} {script.revision} of {lineage.revisions.product} failed, nothing was changed; "
            f"report it to its author and stay on the version before: {reason(error)}"
        ) from error
