"""``anonchat migrate``: a start of the server does it by itself; this is for looking, for going back, and for authors."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from anonchat.commands.options import Refused, config_option, load, refusing

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from anonchat.config import Settings
    from anonchat.migrate.revisions import Migrations, MigrationSet, Step


@click.group(invoke_without_command=True)
@config_option
@click.option("--status", is_flag=True, help="Only show where each owner's tables stand.")
@click.option(
    "--to", "target", metavar="REVISION", help="Go to this revision, forward or back; 'base' is before the first."
)
@click.option("--owner", help="Whose revision it is: core or a plugin; else its name tells.")
@click.option("--yes", is_flag=True, help="Do not ask before going back.")
@click.pass_context
def migrate(
    context: click.Context, config: Path | None, status: bool, target: str | None, owner: str | None, yes: bool
) -> None:
    """Bring the tables of the database up to date.

    They are those of the core and of each enabled plugin. A start of the server does the same.
    """
    if context.invoked_subcommand is not None:
        return
    settings = load(config)
    with refusing():
        if status:
            _show_status(settings)
        elif target is None:
            _tell(_upgrade(settings), "applied")
        else:
            _go_to(settings, target, owner, ask=not yes)


@migrate.command()
@click.argument("plugin")
@click.argument("message")
@config_option
def new(plugin: str, message: str, config: Path | None) -> None:
    """Write an empty revision for the tables of PLUGIN, and print where."""
    settings = load(config)
    from anonchat.migrate.draft import new_revision
    from anonchat.plugins.registry import load as load_plugins

    with refusing():
        names = [plugin] if plugin != "core" else []
        migrations = _migrations(load_plugins(names, settings.plugins.plugins_dir))
        click.echo(new_revision(_of_owner(migrations.sets, plugin), message))


def _migrations(plugins: object) -> Migrations:
    from anonchat.plugins.migrations import migrations_of
    from anonchat.plugins.registry import Plugins

    assert isinstance(plugins, Plugins)
    return migrations_of(plugins)


def _enabled(settings: Settings) -> Migrations:
    from anonchat.plugins.registry import load as load_plugins

    return _migrations(load_plugins(settings.plugins.enabled, settings.plugins.plugins_dir))


def _of_owner(sets: Sequence[MigrationSet], owner: str) -> MigrationSet:
    for revisions in sets:
        if revisions.owner == owner:
            return revisions
    known = ", ".join(revisions.owner for revisions in sets)
    raise Refused(f"{owner!r} owns no tables here. With tables: {known}. A plugin has them by register_tables.")


def _owner_of(target: str, sets: Sequence[MigrationSet]) -> str:
    """Whose revision it is, as its name tells. Raises `Refused` for a name that tells of none."""
    owner, _, number = target.rpartition("_")
    if owner and number.isdecimal():
        return owner
    known = ", ".join(revisions.owner for revisions in sets)
    if target == "base":
        raise Refused(
            f"'base' is before the first revision of one owner: say whose with --owner. With tables: {known}."
        )
    raise Refused(
        f"{target!r} is not the name of a revision, such as core_0001; 'base' is before the first. "
        "See where the tables stand with: anonchat migrate --status."
    )


def _show_status(settings: Settings) -> None:
    from anonchat.migrate.runner import status
    from anonchat.storage.maintenance import maintenance_of

    sets = _enabled(settings).sets
    for found in maintenance_of(settings.storage.database).read(lambda connection: status(connection, sets)):
        pending = f"{len(found.pending)} pending: {', '.join(found.pending)}" if found.pending else "up to date"
        click.echo(f"{found.owner}: {found.current or 'base'}, {pending}")


def _upgrade(settings: Settings) -> Sequence[Step]:
    from anonchat.migrate.runner import upgrade_tables
    from anonchat.storage.maintenance import maintenance_of

    migrations = _enabled(settings)
    return maintenance_of(settings.storage.database).migrate(lambda connection: upgrade_tables(connection, migrations))


def _go_to(settings: Settings, target: str, owner: str | None, *, ask: bool) -> None:
    from anonchat.migrate.lineage import load_lineage
    from anonchat.migrate.runner import downgrade, status, upgrade
    from anonchat.storage.maintenance import maintenance_of

    sets = _enabled(settings).sets
    revisions = _of_owner(sets, owner or _owner_of(target, sets))

    def go(connection: Connection) -> tuple[bool, Sequence[Step]]:
        lineage = load_lineage(revisions)
        (found,) = status(connection, [revisions])
        if lineage.asked(target) < lineage.position(found.current):
            if ask:
                held = f"what only the newer tables and columns of {found.owner} hold"
                click.confirm(f"Go back from {found.current} to {target}, and delete {held} for good?", abort=True)
            return True, downgrade(connection, revisions, target)
        return False, upgrade(connection, [revisions], target)

    back, steps = maintenance_of(settings.storage.database).migrate(go)
    _tell(steps, "undone" if back else "applied")
    if back:
        click.echo("The next start of a server with this version applies it again: install the older version first.")


def _tell(steps: Sequence[Step], done: str) -> None:
    for step in steps:
        click.echo(f"{done} {step.revision}: {step.summary}")
    if not steps:
        click.echo("Nothing to do.")
