"""``anonchat serve``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from anonchat.commands.options import CannotStart, config_option, load, refusing


@click.command()
@config_option
@click.option("--port", type=click.IntRange(0, 65535), help="Listen here instead; 0 chooses a free port.")
@click.option("--room/--no-room", help="Create a room to try things in, and print its links.")
@click.option(
    "--workers", type=click.IntRange(1, 64), default=1, help="Processes on one port; needs Postgres and Redis."
)
@click.option("--shares-port", is_flag=True, hidden=True, help="Listen beside other workers.")
def serve(config: Path | None, port: int | None, room: bool, workers: int, shares_port: bool) -> None:
    """Start the server. SIGTERM or Ctrl-C stops it with a goodbye to everybody, a second one at once."""
    variables = {} if port is None else {"ANONCHAT_SERVER__PORT": str(port)}
    settings = load(config, CannotStart, variables)
    from anonchat.logs import set_up
    from anonchat.serving import serve_until_told
    from anonchat.workers import serve_workers

    set_up(settings.log.level, settings.log.format)
    with refusing(CannotStart):
        if workers > 1:
            code = serve_workers(settings, workers, config, with_room=room)
        else:
            code = serve_until_told(settings, with_room=room, shares_port=shares_port)
    sys.exit(code)
