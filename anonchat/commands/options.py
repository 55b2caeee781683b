"""What all commands share: the option ``--config``, and refusals without a traceback."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from anonchat.config import Settings

TERMINATED = 128 + signal.SIGTERM

config_option = click.option(
    "--config",
    "config",
    type=click.Path(path_type=Path),
    help="The configuration; else the file that ANONCHAT_CONFIG names, or anonchat.toml, if it is here.",
)


class Refused(click.ClickException):
    """Something that the person at the terminal can mend: a sentence for each problem."""

    def show(self, file: IO[Any] | None = None) -> None:
        """To standard error."""
        click.echo(f"anonchat: {self.message}", err=True)


class CannotStart(Refused):
    """A server cannot start like this."""

    exit_code = 2


class TooEarly(CannotStart):
    """The same start may succeed in a moment."""

    exit_code = 75  # EX_TEMPFAIL of sysexits.h


def load(config: Path | None, kind: type[Refused] = Refused, variables: Mapping[str, str] | None = None) -> Settings:
    """The settings; `variables` win over the environment. Raises `Refused` with everything that is wrong."""
    from anonchat.config import ConfigError, load_settings

    try:
        return load_settings(config, {**os.environ, **(variables or {})})
    except ConfigError as error:
        raise kind(str(error)) from error


@contextmanager
def refusing(kind: type[Refused] = Refused) -> Iterator[None]:
    """Turns what the operator can mend into `Refused`, and a start that only waiting can mend into `TooEarly`."""
    from anonchat.config import ConfigError
    from anonchat.errors import NotYet, StartError
    from anonchat.migrate.revisions import MigrationError

    try:
        yield
    except (StartError, MigrationError, ConfigError) as error:
        too_early = kind is CannotStart and isinstance(error, NotYet)
        raise (TooEarly if too_early else kind)(str(error)) from error


@contextmanager
def ended_cleanly() -> Iterator[None]:
    """Whoever is told to end removes what was begun: a copy of what people wrote, or a server."""
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(TERMINATED))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
