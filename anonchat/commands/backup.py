"""``anonchat backup`` and ``anonchat restore``."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from anonchat.commands.options import config_option, ended_cleanly, load, refusing

file_argument = click.argument("file", type=click.Path(dir_okay=False, path_type=Path))


@click.command()
@file_argument
@config_option
@click.option("--force", is_flag=True, help="Overwrite the file if it is there.")
def backup(file: Path, config: Path | None, force: bool) -> None:
    """Write a copy of the database to FILE. The server may go on running."""
    settings = load(config)
    from anonchat.storage.maintenance import maintenance_of

    with refusing(), ended_cleanly():
        size = maintenance_of(settings.storage.database).backup(file, force=force)
    click.echo(f"{file}: {size:,} bytes, checked. It holds what people wrote; delete it when its time has come.")


@click.command()
@file_argument
@config_option
@click.option("--force", is_flag=True, help="Do not keep the replaced database.")
def restore(file: Path, config: Path | None, force: bool) -> None:
    """Replace the database by the backup FILE. The server must be stopped.

    Everything whose time has passed since is removed before anybody can see it.
    """
    settings = load(config)
    from anonchat.maintenance.restore import restore as bring_back
    from anonchat.storage.maintenance import maintenance_of

    with refusing(), ended_cleanly():
        removed = asyncio.run(bring_back(settings, file, keep=not force))
        replaced = None if force else maintenance_of(settings.storage.database).replaced()
    click.echo(f"Restored from {file}.")
    for category, count in removed.items():
        click.echo(f"  {category} removed because their time has passed: {count}")
    if replaced is not None:
        click.echo(f"The replaced database is kept as {replaced}. It still holds everything: delete it soon.")
