"""Accepting connections, also when there are no descriptors for them."""

from __future__ import annotations

import gc
import socket
import sys
from pathlib import Path

import pytest

from anonchat.errors import StartError
from anonchat.http.listening import listen
from anonchat.http.tarpit import WAITING_SECONDS
from anonchat.testing.processes import ServerProcess

FILES = 64
LIMITED = f"import resource, sys; resource.setrlimit(resource.RLIMIT_NOFILE, ({FILES}, {FILES})); "
STRANGER = "127.0.0.2"
HANDSHAKE = (
    b"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
SERVE = LIMITED + "sys.argv = ['anonchat', 'serve']; from anonchat.cli import main; main()"


def ask(port: int, seconds: float) -> socket.socket:
    """A connection that has asked for ``/health``."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=seconds)
    connection.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    return connection


@pytest.mark.sqlite  # a node of a database server needs them for its connections, too, and says so
def test_no_descriptors_left_is_waited_for_and_told_once(tmp_path: Path) -> None:
    with ServerProcess(tmp_path, command=(sys.executable, "-P", "-c", SERVE)) as server:
        idle = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(2 * FILES)]
        with pytest.raises(TimeoutError), ask(server.port, 3) as unheard:
            unheard.recv(64)
        for connection in idle:
            connection.close()
        with ask(server.port, 10) as late:
            assert late.recv(64).startswith(b"HTTP/1.1 200")
        assert server.log.count("no connection can be accepted") == 1
        assert "Traceback" not in server.log
        assert len(server.log) < 10_000


def offend(port: int) -> None:
    """Shake hands from another network and break the protocol; returns when the server has closed."""
    with socket.create_connection(("127.0.0.1", port), 10, source_address=(STRANGER, 0)) as connection:
        connection.sendall(HANDSHAKE + b"\x81\x01a")
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(4_096):
            pass


@pytest.mark.sqlite
@pytest.mark.skipif(sys.platform != "linux", reason="other systems have one address of this kind only")
def test_those_who_wait_in_vain_give_way_when_no_descriptors_are_left(tmp_path: Path) -> None:
    environ = {"ANONCHAT_LIMITS__VIOLATIONS_PER_NETWORK": "3/minute"}
    with ServerProcess(tmp_path, environ, command=(sys.executable, "-P", "-c", SERVE)) as server:
        for _ in range(4):
            offend(server.port)
        address = ("127.0.0.1", server.port)
        waiting = [socket.create_connection(address, source_address=(STRANGER, 0)) for _ in range(FILES)]
        with ask(server.port, WAITING_SECONDS / 2) as neighbour:
            assert neighbour.recv(64).startswith(b"HTTP/1.1 200")
        assert "no connection can be accepted" in server.log  # the control: there were none left
        for connection in waiting:
            connection.close()


# Tornado leaves the socket that could not be bound to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_what_stands_in_the_way_of_a_port_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(StartError, match=r"another server running there\? \[server\] port chooses another"):
            listen("127.0.0.1", port, "port")
    with pytest.raises(StartError, match="does not have that address"):
        listen("203.0.113.1", 0, "port")
    gc.collect()  # here, and not in another test
