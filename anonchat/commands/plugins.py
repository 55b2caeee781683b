"""``anonchat plugins``."""

from __future__ import annotations

from pathlib import Path

import click

from anonchat.commands.options import config_option, load


@click.command()
@config_option
def plugins(config: Path | None) -> None:
    """List the plugins.

    Those that are enabled come first, in their order, then those that are only installed. Exit code 1 if one is broken.
    """
    settings = load(config)
    from anonchat.errors import StartError
    from anonchat.plugins.options import load_one
    from anonchat.plugins.registry import available, names_of, origin_of

    found = available()
    enabled = names_of(settings.plugins.enabled)
    broken = False
    for name in enabled:
        try:
            loaded = load_one(name, settings.plugins)
        except StartError as error:
            broken = True
            click.echo(f"{name}: broken. {error}")
        else:
            hooks = ", ".join(loaded.hooks_of(name)) or "none"
            click.echo(f"{name}: enabled, {loaded.all[0].origin}\n    hooks: {hooks}")
    for name in sorted(found.keys() - set(enabled)):
        click.echo(f"{name}: installed, not enabled, {origin_of(found[name])}")
    if not enabled and not found:
        click.echo("No plugin is installed.")
    raise SystemExit(1 if broken else 0)
