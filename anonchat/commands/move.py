"""``anonchat move``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from anonchat.commands.options import config_option, load, refusing


@click.command()
@click.option("--from", "source", metavar="URL", help="The database as it is; else that of the configuration.")
@click.option(
    "--to", "target", metavar="URL", required=True, help="An empty database, or a file that is not there yet."
)
@click.option("--leave-unknown", is_flag=True, help="Leave behind the tables of plugins that are not installed here.")
@config_option
def move(source: str | None, target: str, leave_unknown: bool, config: Path | None) -> None:
    """Copy everything to a database of another kind. The servers must be stopped.

    The source is left as it is. Clients that come back go on where they were.
    """
    settings = load(config)
    from anonchat.maintenance.moving import move as copy_all

    with refusing():
        counts = copy_all(
            source or settings.storage.database,
            target,
            settings.plugins.plugins_dir,
            _show,
            leave_unknown=leave_unknown,
        )
    for table, rows in counts.items():
        click.echo(f"{table}: {rows:,}")
    click.echo("Each table has the same rows in both databases. Name the new one as [storage] database, and start.")
    click.echo("The old one still holds what people wrote: delete it when you do not need it any more.")


def _show(done: int, total: int) -> None:
    if sys.stderr.isatty() or done == total:
        click.echo(f"\r{done:,} of {total:,} rows copied and compared", err=True, nl=done == total)
