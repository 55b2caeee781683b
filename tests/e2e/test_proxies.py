"""The samples in deploy/ with the real proxies: WebSockets pass, and addresses that a client makes up are not believed.

nginx and Caddy are programs of the system, which no Python package brings: a test whose proxy is not installed is skipped,
and says so.
"""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from websockets.asyncio.client import connect

from anonchat.testing.clients import Rest, Socket
from anonchat.testing.processes import ServerProcess, environment

from .proxies import HOST, Command, caddy, is_installed, nginx, proxied

REQUESTS = 5  # that a network may make
CALLER = "127.0.0.2"


def claiming(port: int, count: int) -> list[int]:
    """The answers to requests that each claim to come from another address."""
    asked = (
        Rest(port).call("GET", "/api/rooms", headers={"Host": HOST, "X-Forwarded-For": f"203.0.{number}.1"})
        for number in range(count)
    )
    return [reply.status for reply in asked]


@pytest.mark.sqlite
@pytest.mark.parametrize("command", [nginx, caddy])
@pytest.mark.gen_test
async def test_people_meet_through_it_and_addresses_cannot_be_made_up(command: Command, tmp_path: Path) -> None:
    if not is_installed(command):
        pytest.skip(f"{command.__name__} is not installed: apt install {command.__name__}")
    server = {"allowed_hosts": [HOST], "trusted_proxies": ["127.0.0.1"]}
    limits = {"requests_per_network": f"{REQUESTS}/hour"}
    variables = environment(server=server, limits=limits)
    with ServerProcess(tmp_path, variables) as node, proxied(command, tmp_path, [node.port]) as port:
        made = Rest(port).call("POST", "/api/rooms", {"title": "Lunch"}, headers={"Host": HOST})
        assert made.status == 201, made.body
        path, body = f"/api/rooms/{made.body['roomId']}/join", {"inviteToken": made.body["inviteToken"]}
        joined = Rest(port).call("POST", path, body | {"username": "Alice"}, headers={"Host": HOST})
        uri = f"ws://{HOST}:{port}/ws"
        async with connect(uri, host="127.0.0.1", port=port, compression=None, proxy=None) as raw:
            alice = Socket(raw)
            await alice.send("identify", {"token": joined.body["sessionToken"]})
            await alice.until("history_chunk")
            sent = {"text": "Hello", "clientMsgId": "1"}
            assert (await alice.ask("send_message", sent))["event"] == "message_ack"
        assert 429 in claiming(port, REQUESTS), "all of them come from one network"
        assert 429 not in claiming(node.port, 3 * REQUESTS), "the control: from a proxy itself they are believed"


class _Ill(BaseHTTPRequestHandler):
    """Says that it is well, and fails: it breaks off, or answers nothing."""

    def do_GET(self) -> None:
        if self.path == "/health/ready":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        elif self.path == "/half":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nx")

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def _ill_node() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Ill) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


def _ask(port: int, path: str) -> int:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=120, source_address=(CALLER, 0))) as asking:
        asking.request("GET", path, headers={"Host": HOST})
        with suppress(http.client.IncompleteRead), asking.getresponse() as answer:
            status = answer.status
            answer.read()
        return status


def _scan(port: int) -> None:
    """As scanners do: a handshake that is not right, for the name of the host has another length than it says."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    greeting = ssl.create_default_context().wrap_bio(incoming, outgoing, server_hostname=HOST)
    with suppress(ssl.SSLWantReadError):
        greeting.do_handshake()
    hello = bytearray(outgoing.read())
    hello[hello.index(HOST.encode()) - 1] ^= 0xFF
    with socket.create_connection(("127.0.0.1", port), 20, source_address=(CALLER, 0)) as scanner:
        scanner.sendall(hello)
        with suppress(OSError):
            scanner.recv(1_000)


@pytest.mark.sqlite
@pytest.mark.parametrize("command", [nginx, caddy])
def test_no_address_is_in_its_log_whatever_fails(command: Command, tmp_path: Path) -> None:
    if not is_installed(command):
        pytest.skip(f"{command.__name__} is not installed: apt install {command.__name__}")
    for name in ("plain", "tls"):
        (tmp_path / name).mkdir()
    with _ill_node() as node:
        with proxied(command, tmp_path / "plain", [node]) as port:
            assert (_ask(port, "/half"), _ask(port, "/none")) == (200, 502)
        with proxied(command, tmp_path / "tls", [node], tls=True) as port:
            _scan(port)
    logs = [path for path in tmp_path.rglob("*.log") if path.is_file()]
    assert [path.name for path in logs if CALLER in path.read_text(encoding="utf-8")] == []
