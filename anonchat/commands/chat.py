"""``anonchat chat``."""

from __future__ import annotations

import click


@click.command()
@click.argument("link")
@click.option("--name", required=True, help="The name under which the others see you.")
@click.option(
    "--plain", is_flag=True, help="Lines of text instead of a full screen; also for pipes and screen readers."
)
def chat(link: str, name: str, plain: bool) -> None:
    """Join a room in the terminal, by its link."""
    from anonchat.client.run import run_chat  # type: ignore[import-not-found, unused-ignore]

    run_chat(link, name, plain)
