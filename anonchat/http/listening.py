"""Ports: taken before anything else is opened, and accepting with patience when descriptors run out."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Iterable
from typing import Any, cast

import structlog
from tornado.http1connection import HTTP1ServerConnection
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets

from anonchat.errors import StartError
from anonchat.http.arrivals import Arrivals
from anonchat.http.tarpit import Tarpit

log = structlog.get_logger("anonchat.http")

BACKLOG = 65_535  # connections that wait to be accepted; the system takes as many of them as it is set to (somaxconn)
ACCEPTED = 16  # connections in one turn of the event loop: half a millisecond
PAUSE_SECONDS = 1.0

_REASONS = {
    errno.EADDRINUSE: "Is another server running there? [server] {setting} chooses another.",
    errno.EADDRNOTAVAIL: "This machine does not have that address; see [server] host.",
    errno.EACCES: "Ports below 1024 need a privilege; [server] {setting} chooses another.",
}


def listen(host: str, port: int, setting: str, *, shared: bool = False) -> list[socket.socket]:
    """Sockets that listen, with `shared` beside other processes of this user.

    Raises `StartError`, which names the setting to change.
    """
    try:
        return bind_sockets(port, host, backlog=BACKLOG, reuse_port=shared)
    except OSError as error:
        hint = _REASONS.get(error.errno or 0, "See [server] host and {setting}.").format(setting=setting)
        raise StartError(f"Cannot listen on {host}:{port}: {error.strerror}. {hint}") from error


class PatientServer(HTTPServer):
    """Tornado's server, but that it stops accepting for a second when there are no descriptors left.

    Tornado's own handler would be called again at once, and fail again, as fast as the processor can. Connections that
    `tarpit` takes are not answered.
    """

    def initialize(self, *arguments: Any, tarpit: Tarpit, **options: Any) -> None:  # type: ignore[override]
        """Called by Tornado with what the server is made with."""
        super().initialize(*arguments, **options)
        self._tarpit = tarpit

    def add_sockets(self, sockets: Iterable[socket.socket]) -> None:
        """Begin to accept on listening sockets."""
        silent_seconds = self.conn_params.header_timeout
        assert silent_seconds is not None  # HTTPServer sets it in any case
        for listening in sockets:
            descriptor = listening.fileno()
            arrivals = Arrivals(self._handle_connection, silent_seconds)
            self._sockets[descriptor] = listening
            self._handlers[descriptor] = Acceptor(listening, arrivals, self._tarpit).stop

    def on_close(self, server_conn: object) -> None:
        """A connection is over. Its stream refers to itself by way of its last error, and has a read of 64 KiB in it."""
        super().on_close(server_conn)
        cast(HTTP1ServerConnection, server_conn).stream.error = None


class Acceptor:
    """Accepts connections of one listening socket and adds them to `arrivals`, but for those that `tarpit` takes."""

    def __init__(self, listening: socket.socket, arrivals: Arrivals, tarpit: Tarpit) -> None:
        self._listening = listening
        self._arrivals = arrivals
        self._tarpit = tarpit
        self._loop = asyncio.get_running_loop()
        self._pause: asyncio.TimerHandle | None = None
        self._resume()

    def stop(self) -> None:
        """Accept nothing more, and close those who have said nothing yet or wait in vain."""
        self._loop.remove_reader(self._listening.fileno())
        self._arrivals.close()
        self._tarpit.close()
        if self._pause is not None:
            self._pause.cancel()

    def _resume(self) -> None:
        self._pause = None
        self._loop.add_reader(self._listening.fileno(), self._accept)

    def _accept(self) -> None:
        for _ in range(ACCEPTED):
            try:
                connection, address = self._listening.accept()
            except BlockingIOError:
                return
            except ConnectionAbortedError:
                continue
            except OSError as error:
                self._wait(error)
                return
            if not self._tarpit.takes(connection, address[0]):
                self._arrivals.add(connection, address)

    def _wait(self, error: OSError) -> None:
        self._loop.remove_reader(self._listening.fileno())
        self._pause = self._loop.call_later(PAUSE_SECONDS, self._resume)
        self._tarpit.close()  # who waits in vain gives way to those who would be answered
        log.error(
            "no connection can be accepted; the limit of open files may be too low, see anonchat doctor",
            reason=error.strerror,
        )
