"""`anonchat serve`: start, say where, wait for a signal, stop."""

from __future__ import annotations

import asyncio
import signal
import sys

import click
import structlog

from anonchat.app import Server
from anonchat.config import Settings
from anonchat.rooms import NewRoom

log = structlog.get_logger("anonchat.server")


async def run(settings: Settings, *, with_room: bool = False) -> int:
    """Serve until SIGTERM or SIGINT; a second signal ends at once. Returns the exit code."""
    server = Server(settings)
    for warning in settings.warnings:
        log.warning("configuration", doubt=warning)
    await server.start()
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _stop, stopping)
    click.echo(f"anonchat is at {server.url}")
    if with_room:
        await _show_room(server)
    sys.stdout.flush()
    await stopping.wait()
    log.info("stopping")
    await server.stop()
    return 0


def _stop(stopping: asyncio.Event) -> None:
    if stopping.is_set():
        raise SystemExit(130)
    stopping.set()


async def _show_room(server: Server) -> None:
    """A room to try things in, with a link that is ready to use."""
    created = await server.rooms.create(NewRoom("A first room"))
    link = f"{server.url}/r/{created.room.id}"
    click.echo(f"A room to try, for your guests:  {link}#{created.invite_token}")
    click.echo(f"The same for you as moderator:   {link}#{created.moderator_token}")
    click.echo(f"Join from another terminal:      anonchat chat '{link}#{created.invite_token}' --name Alice")
