"""Nothing of a connection is left in the server once it is gone, however it went."""

from __future__ import annotations

import asyncio
import gc
from pathlib import Path

import pytest

from anonchat.app import Server
from anonchat.connections.connection import Connection
from anonchat.delivery.history import Page, Recent
from anonchat.testing import running_server, settings_in
from anonchat.testing.clocks import SettableClock
from anonchat.testing.people import OpenRoom, open_room


async def come_and_go(room: OpenRoom, number: int) -> None:
    """Say something, then close, leave, or break the connection."""
    async with room.enter(f"Guest {number}") as guest:
        await guest.say("Hello")
        if number % 3 == 1:
            await guest.send("leave")
        elif number % 3 == 2:
            stream = guest.socket.stream
            assert stream is not None
            stream.close()


def left(server: Server) -> dict[str, int]:
    """How much of each kind is still there."""
    return {
        "rooms of the hub": len(server.hub.rooms()),
        "sessions of the hub": len(server.hub.sessions()),
        "active rooms": len(server.active.ids()),
        "remembered bytes": server.active._remembered,
        "present": server.presence.count(),
        "sockets": len(server.sockets.open),
        "transports": len(server.transports),
        "tasks": len(server._tasks),
    }


@pytest.mark.gen_test
async def test_nothing_is_left(tmp_path: Path) -> None:
    clock, before = SettableClock(), connections()
    async with running_server(settings_in(tmp_path), clock) as server:
        room = await open_room(server)
        async with room.enter("Host") as host:
            await asyncio.gather(*(come_and_go(room, number) for number in range(60)))
            assert (await host.say("Who is there?")).event == "message_ack"
        async with asyncio.timeout(40):
            while len(server.transports):
                await asyncio.sleep(0.01)
        clock.advance(60)  # the grace in which a participant is still there
        async with asyncio.timeout(40):
            while any(left(server).values()):
                await asyncio.sleep(0.05)
        assert not any(left(server).values()), left(server)
        async with asyncio.timeout(40):
            while connections() > before:
                await asyncio.sleep(0.05)


def connections() -> int:
    """How many connections are still in memory, those of other tests among them."""
    gc.collect()
    return sum(type(found) is Connection for found in gc.get_objects())


@pytest.mark.gen_test
async def test_what_is_read_of_a_room_that_was_closed_meanwhile_counts_for_nothing(tmp_path: Path) -> None:
    async with running_server(settings_in(tmp_path)) as server:
        room = await open_room(server)
        async with room.enter("Alice") as alice:
            await alice.say("Hello")
            active = server.active.get(room.id)
        assert active is not None
        while server.active.ids():
            await asyncio.sleep(0.01)
        active.recent = Recent(Page((), True, active.recent.position), 50, 50, whole=False)
        assert len((await server.active.newest(active)).messages) == 1
        assert server.active._remembered == 0
