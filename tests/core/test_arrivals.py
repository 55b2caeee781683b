"""Those who have just connected: let in when they speak, few in a turn of the event loop, or closed."""

from __future__ import annotations

import asyncio
import itertools
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from anonchat.http import arrivals
from anonchat.http.arrivals import ADMITTED, Arrivals

CROWD = 100


class Entrance:
    """Arrivals of a listening socket, who was let in of them, and by which turn of the event loop."""

    def __init__(self, silent_seconds: float = 60) -> None:
        self.listening = socket.create_server(("127.0.0.1", 0), backlog=CROWD)
        self.arrivals = Arrivals(self._admit, silent_seconds)
        self.admitted: list[Any] = []
        self.turns: list[int] = []
        self.turn = 0
        self._sockets: list[socket.socket] = []

    def come(self) -> socket.socket:
        """Somebody connects; what they say arrives without a delay."""
        client = socket.create_connection(self.listening.getsockname(), timeout=60)
        connection, address = self.listening.accept()
        self.arrivals.add(connection, address)
        self._sockets += [client, connection]
        return client

    async def until_admitted(self, count: int) -> None:
        async with asyncio.timeout(60):
            while len(self.admitted) < count:
                self.turn += 1
                await asyncio.sleep(0)

    def close(self) -> None:
        for each in (self.listening, *self._sockets):
            each.close()

    def _admit(self, connection: socket.socket, address: Any) -> None:
        self.admitted.append(address)
        self.turns.append(self.turn)


def in_a_loop(test: Callable[[Entrance], Awaitable[None]], **arguments: float) -> None:
    async def main() -> None:
        entrance = Entrance(**arguments)
        try:
            await test(entrance)
        finally:
            entrance.close()

    asyncio.run(main())


@pytest.mark.parametrize("admitted", [ADMITTED, CROWD], ids=["few in a turn", "control"])
def test_a_crowd_that_speaks_at_once_comes_in_few_at_a_time(admitted: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrivals, "ADMITTED", admitted)

    async def speak(entrance: Entrance) -> None:
        clients = [entrance.come() for _ in range(CROWD)]
        for client in clients:
            client.send(b"GET")
        await entrance.until_admitted(CROWD)
        most = max(len([*turn]) for _, turn in itertools.groupby(entrance.turns))
        assert (most <= ADMITTED) == (admitted == ADMITTED)
        assert sorted(entrance.admitted) == sorted(client.getsockname() for client in clients)

    in_a_loop(speak)


def test_who_speaks_first_is_first_and_who_says_nothing_waits() -> None:
    async def speak(entrance: Entrance) -> None:
        silent, second, first = (entrance.come() for _ in range(3))
        for number, client in enumerate((first, second), 1):
            client.send(b"G")
            await entrance.until_admitted(number)
        for _ in range(10):
            await asyncio.sleep(0)
        assert entrance.admitted == [first.getsockname(), second.getsockname()]
        silent.send(b"G")
        await entrance.until_admitted(3)

    in_a_loop(speak)


def test_who_speaks_in_the_same_turn_comes_in_in_that_order() -> None:
    async def speak(entrance: Entrance) -> None:
        clients = [entrance.come() for _ in range(3 * ADMITTED)][::-1]
        for client in clients:
            client.send(b"G")
        await entrance.until_admitted(len(clients))
        assert entrance.admitted == [client.getsockname() for client in clients]

    in_a_loop(speak)


def test_who_goes_without_a_word_is_let_in_to_be_closed() -> None:
    async def go(entrance: Entrance) -> None:
        client = entrance.come()
        address = client.getsockname()
        client.close()
        await entrance.until_admitted(1)
        assert entrance.admitted == [address]

    in_a_loop(go)


@pytest.mark.parametrize("closed", [1, CROWD], ids=["one in a turn", "all in a turn"])
def test_silence_ends(closed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrivals, "CLOSED", closed)

    async def wait(entrance: Entrance) -> None:
        clients = [entrance.come() for _ in range(3)]
        clients[1].send(b"G")
        await entrance.until_admitted(1)
        await asyncio.sleep(0.2)
        late = entrance.come()
        for silent in (clients[0], clients[2]):
            assert await asyncio.to_thread(silent.recv, 1) == b""
        late.send(b"G")  # its own time is not over
        await entrance.until_admitted(2)

    in_a_loop(wait, silent_seconds=0.3)


def test_who_has_spoken_while_others_were_let_in_is_not_silent() -> None:
    async def speak(entrance: Entrance) -> None:
        clients = [entrance.come() for _ in range(2 * ADMITTED)]
        entrance.arrivals._loop.remove_reader(entrance.arrivals._selector)  # as while others are let in
        for client in clients:
            client.send(b"G")
        await asyncio.sleep(0.2)
        assert not entrance.admitted
        entrance.arrivals._listen()
        await entrance.until_admitted(len(clients))

    in_a_loop(speak, silent_seconds=0.1)


def test_who_cannot_be_looked_at_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    async def come(entrance: Entrance) -> None:
        def refused(*_: object) -> None:
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patched:
            patched.setattr(entrance.arrivals._selector, "register", refused)
            client = entrance.come()
        assert await asyncio.to_thread(client.recv, 1) == b""
        entrance.come().send(b"G")
        await entrance.until_admitted(1)

    in_a_loop(come)


def test_at_the_end_all_are_closed() -> None:
    async def end(entrance: Entrance) -> None:
        silent, speaking = entrance.come(), [entrance.come() for _ in range(2 * ADMITTED)]
        for client in speaking:
            client.send(b"G")
        await entrance.until_admitted(1)
        entrance.arrivals.close()
        assert await asyncio.to_thread(silent.recv, 1) == b""
        for _ in range(10):
            await asyncio.sleep(0)
        assert len(entrance.admitted) < len(speaking)

    in_a_loop(end)
