"""``anonchat chat``."""

from __future__ import annotations

import sys

import click


@click.command()
@click.argument("link")
@click.option("--name", help="The name under which the others see you; asked for, if it is not given.")
@click.option(
    "--plain",
    is_flag=True,
    help="Lines of text instead of a full screen, for screen readers; in a pipe it is always so.",
)
def chat(link: str, name: str | None, plain: bool) -> None:
    """Join a room in the terminal, by its link."""
    from anonchat.client.entrance import run_chat
    from anonchat.server.streams import open_missing

    open_missing()
    sys.exit(run_chat(link, name, plain))
