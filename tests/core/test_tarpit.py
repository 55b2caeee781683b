"""Whoever breaks the protocol again and again is kept off for a while, and nobody else is."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from anonchat.app import Server
from anonchat.clock import Clock
from anonchat.http import tarpit
from anonchat.http.tarpit import Tarpit
from anonchat.limits import Networks
from anonchat.testing import asynchronous, running_server, settings_in
from anonchat.testing.clients import Rest, connected

ALLOWED = 3
UNMASKED = b"\x81\x01a"
PROXY = ip_network("127.0.0.1")
BEHIND_A_PROXY = {"port": 0, "trusted_proxies": (PROXY,)}
STRANGER = "127.0.0.2"  # another network than that of those who are spared
SECONDS = 60
HANDSHAKE = (
    b"GET /ws HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: 192.0.2.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


@asynccontextmanager
async def serving(
    tmp_path: Path, rate: str = f"{ALLOWED}/minute", server: Mapping[str, object] = BEHIND_A_PROXY
) -> AsyncIterator[Server]:
    async with running_server(settings_in(tmp_path, limits={"violations_per_network": rate}, server=server)) as running:
        yield running


async def offend(port: int, frames: bytes = UNMASKED, **options: Any) -> int | None:
    """Send what no client sends; the code with which it was ended, after the server knows of the end."""
    async with connected(port, headers={"X-Forwarded-For": "192.0.2.1"}, **options) as there:
        there.raw.transport.write(frames)
        with suppress(ConnectionClosed):
            while True:
                await there.raw.recv()
        return there.raw.close_code


async def is_refused(port: int, address: str = "192.0.2.1") -> bool:
    try:
        async with connected(port, headers={"X-Forwarded-For": address}) as there:
            await there.until("hello")
    except InvalidStatus as refusal:
        answer = refusal.response
    else:
        return False
    problem = json.loads(answer.body)
    assert (answer.status_code, problem["code"]) == (429, "rate_limited")
    assert "violations_per_network" in problem["detail"]
    assert 0 < problem["retryAfterMs"] <= 60_000
    return True


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        (UNMASKED, 1002),
        (b"\x81\x81\0\0\0\0\xff", 1007),
        (b"\x81\x81\0\0\0\0{" * 70, 4429),
        (b"\x82\x80\0\0\0\0", 4400),
    ],
)
@pytest.mark.gen_test
async def test_a_network_that_breaks_the_protocol_again_and_again_is_refused(
    tmp_path: Path, frames: bytes, code: int
) -> None:
    async with serving(tmp_path) as server:
        for _ in range(ALLOWED):
            assert await offend(server.port, frames) == code
            assert not await is_refused(server.port)
        await offend(server.port, frames)
        assert await is_refused(server.port)
        assert not await is_refused(server.port, "192.0.2.2")  # a neighbour
        await asyncio.to_thread(is_closed_after_a_refusal, server.port)
        assert (await Rest(server.port).acall("GET", "/health", headers={"X-Forwarded-For": "192.0.2.1"})).status == 200


@pytest.mark.gen_test
async def test_it_may_come_again_after_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tarpit, "KEPT_OFF_SECONDS", 0.5)
    async with serving(tmp_path) as server:
        for _ in range(ALLOWED + 1):
            await offend(server.port)
        assert await is_refused(server.port)
        await asyncio.sleep(0.5)
        assert not await is_refused(server.port)


@pytest.mark.gen_test
async def test_nobody_on_this_machine_is_kept_off(tmp_path: Path) -> None:
    """A proxy that `trusted_proxies` does not name would be, with all its people."""
    async with serving(tmp_path, server={"port": 0}) as server:
        for _ in range(3 * ALLOWED):
            assert await offend(server.port) == 1002
        assert not await is_refused(server.port)


@pytest.mark.gen_test
async def test_codes_that_clients_write_into_their_closes_are_not_held_against_them(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        for _ in range(3 * ALLOWED):
            close = b"\x88\x82\0\0\0\0" + (1002).to_bytes(2)
            assert await offend(server.port, close) == 1002
        assert not await is_refused(server.port)


@pytest.mark.gen_test
async def test_what_is_no_violation_keeps_nobody_off(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        for _ in range(3 * ALLOWED):
            async with connected(server.port, headers={"X-Forwarded-For": "192.0.2.1"}) as guest:
                await guest.send("identify", {"token": "unknown"})
                await guest.until("error")
        assert not await is_refused(server.port)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have one address of this kind only")
@pytest.mark.parametrize("rate", [f"{ALLOWED}/minute", "off"], ids=["kept off", "control"])
@pytest.mark.gen_test
async def test_most_connections_of_a_network_that_is_kept_off_wait_in_vain(
    tmp_path: Path, rate: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some of each second are answered, the others are closed by and by, and cost a descriptor until then."""
    monkeypatch.setattr(tarpit, "ANSWERED", "5/minute")
    monkeypatch.setattr(tarpit, "WAITING_SECONDS", 1.0)
    async with serving(tmp_path, rate, {"port": 0}) as server:
        for _ in range(ALLOWED + 1):
            await offend(server.port, local_addr=(STRANGER, 0))
        started = asyncio.get_running_loop().time()
        answers = await asyncio.gather(*(asyncio.to_thread(answer_of, server.port) for _ in range(12)))
        if rate == "off":
            assert all(answer.startswith(b"HTTP/1.1 200") for answer in answers)
        else:
            assert sorted(answer[:12] for answer in answers) == [b""] * 7 + [b"HTTP/1.1 200"] * 5
            assert asyncio.get_running_loop().time() - started >= 1.0


def is_closed_after_a_refusal(port: int) -> None:
    """Raises AssertionError unless one answer comes and then the end."""
    with socket.create_connection(("127.0.0.1", port), timeout=SECONDS) as client:
        client.sendall(HANDSHAKE)
        answer = b""
        while data := client.recv(4_096):
            answer += data
        assert answer.startswith(b"HTTP/1.1 429")
        assert b"Connection: close" in answer


def answer_of(port: int) -> bytes:
    with socket.create_connection(("127.0.0.1", port), SECONDS, source_address=(STRANGER, 0)) as client:
        client.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        with suppress(ConnectionResetError):
            return client.recv(4_096)
        return b""


# --- bounds


class Pairs:
    """Connections as a server gets them."""

    def __init__(self) -> None:
        self.ours: list[socket.socket] = []
        self.theirs: list[socket.socket] = []

    def come(self) -> socket.socket:
        for ends, end in zip((self.ours, self.theirs), socket.socketpair(), strict=True):
            ends.append(end)
        return self.ours[-1]

    def __enter__(self) -> Pairs:
        return self

    def __exit__(self, *_: object) -> None:
        for end in (*self.ours, *self.theirs):
            end.close()


class Silent:
    """Nobody is told of limits."""

    def observe(self, hook: str, **told: object) -> None:
        pass


def kept_off(addresses: int) -> Tarpit:
    """A tarpit that has been told of so many networks."""
    networks = Networks(None, Clock())  # type: ignore[arg-type]
    pit = Tarpit("1/minute", (PROXY,), networks, Silent(), Clock())  # type: ignore[arg-type]
    for number in range(addresses):
        for _ in range(2):
            pit.blame(networks.known(f"192.0.2.{number}"), 1002)
    return pit


@asynchronous
async def test_no_more_than_so_many_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tarpit, "MOST_WAITING", 3)
    monkeypatch.setattr(tarpit, "ANSWERED", "1/minute")
    pit = kept_off(1)
    with Pairs() as pairs:
        taken = [pit.takes(pairs.come(), "192.0.2.0") for _ in range(8)]
        assert taken == [False] + [True] * 7
        assert [end.fileno() >= 0 for end in pairs.ours] == [True] * 4 + [False] * 4
        pit.close()
        assert [end.fileno() >= 0 for end in pairs.ours] == [True] + [False] * 7


@asynchronous
async def test_a_trusted_proxy_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tarpit, "ANSWERED", "1/minute")
    pit = kept_off(1)
    with Pairs() as pairs:
        for trusted in ("198.51.100.1/32", "192.0.2.0/24"):
            pit._trusted = (ip_network(trusted),)
            taken = [pit.takes(pairs.come(), "192.0.2.0") for _ in range(3)]
            assert taken[1:] == [trusted.startswith("198")] * 2
        pit.close()


@asynchronous
async def test_no_more_than_so_many_networks_are_kept_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tarpit, "MOST_NETWORKS", 3)
    pit = kept_off(5)
    networks = pit._networks
    assert [pit.wait(networks.known(f"192.0.2.{number}")) > 0 for number in range(5)] == [False] * 2 + [True] * 3
