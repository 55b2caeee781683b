"""The command line. Each command imports what it needs, so that none waits for the others."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

import click

from anonchat.errors import StartError


class Refused(click.ClickException):
    """Something that the person at the terminal can mend; one sentence, no traceback."""

    def show(self, file: Any = None) -> None:
        """To standard error."""
        click.echo(f"anonchat: {self.message}", err=True)


def _settings(config: Path | None) -> Any:
    from anonchat.config import ConfigError, load_settings

    try:
        return load_settings(config, os.environ)
    except ConfigError as error:
        raise Refused(str(error)) from error


config_option = click.option(
    "--config", "config", type=click.Path(path_type=Path), help="The configuration; else anonchat.toml, if it is here."
)


@click.group()
@click.version_option(package_name="anonchat", prog_name="anonchat")
def main() -> None:
    """A self-hosted server for anonymous, short-lived chat rooms."""


@main.command()
@config_option
def serve(config: Path | None) -> None:
    """Start the server."""
    from anonchat.logs import set_up
    from anonchat.serving import run

    settings = _settings(config)
    set_up(settings.log.level, settings.log.format)
    try:
        code = asyncio.run(run(settings))
    except StartError as error:
        raise Refused(str(error)) from error
    sys.exit(code)
