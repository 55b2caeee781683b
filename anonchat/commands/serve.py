"""``anonchat serve``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from anonchat.commands.options import CannotStart, config_option, load, refusing

PATIENCE_SECONDS = 5.0  # beyond what a worker takes to stop by itself


@click.command()
@config_option
@click.option("--port", type=click.IntRange(0, 65535), help="Listen here instead; 0 chooses a free port.")
@click.option(
    "--workers", type=click.IntRange(1, 256), default=1, help="Processes that share the port, each a node of its own."
)
@click.option("--room/--no-room", help="Create a room to try things in, and print its links.")
def serve(config: Path | None, port: int | None, workers: int, room: bool) -> None:
    """Start the server. SIGTERM or Ctrl-C stops it with a goodbye to everybody, a second one at once."""
    variables = {} if port is None else {"ANONCHAT_SERVER__PORT": str(port)}
    settings = load(config, CannotStart, variables)
    from anonchat.observability.logs import set_up
    from anonchat.server.serving import serve_until_told
    from anonchat.server.streams import open_missing
    from anonchat.server.workers import Place, Supervisor, check_sharing, choose_port, settings_of

    open_missing()
    set_up(settings.log.level, settings.log.format)
    with refusing(CannotStart):
        if workers == 1:
            sys.exit(serve_until_told(settings, with_room=room))
        check_sharing(settings)
        settings = choose_port(settings, workers)

    def work(place: Place) -> int:
        try:
            with refusing(CannotStart):
                return serve_until_told(settings_of(settings, place), with_room=room, place=place)
        except CannotStart as refusal:
            refusal.show()
            return refusal.exit_code

    sys.exit(Supervisor(work, workers, settings.server.drain_seconds + PATIENCE_SECONDS).run())
