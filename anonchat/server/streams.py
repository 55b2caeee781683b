"""Standard streams that nobody has opened, or that nobody reads any more."""

from __future__ import annotations

import os
import sys

import click

STREAMS = ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w"))


def open_missing() -> None:
    """Lead the standard streams that are closed to nowhere.

    The next file to be opened, a socket or the database, would get the number of a closed one and be taken for it.
    """
    for number, name, mode in STREAMS:
        if getattr(sys, name) is None:
            _lead_nowhere(number)
            setattr(sys, name, os.fdopen(number, mode, closefd=False))


def say(text: str) -> None:
    """Print a line at once. Where the reader has gone, this and all that follows goes nowhere."""
    try:
        click.echo(text)
        sys.stdout.flush()
    except OSError:
        _lead_nowhere(sys.stdout.fileno())


def _lead_nowhere(number: int) -> None:
    nowhere = os.open(os.devnull, os.O_RDWR)
    if nowhere != number:
        os.dup2(nowhere, number)
        os.close(nowhere)
