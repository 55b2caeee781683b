"""Where WebSockets come in: who may open one, and from where."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from tornado.httputil import HTTPHeaders, HTTPServerRequest
from tornado.routing import PathMatches

from anonchat.connections.connection import Connection, ConnectionServices
from anonchat.delivery.hub import Wire
from anonchat.errors import ChatError
from anonchat.http.ingress import Ingress
from anonchat.http.problems import is_ours, problem_of, refuse, set_security_headers
from anonchat.http.tarpit import Tarpit
from anonchat.limits import Network
from anonchat.websocket.handshake import SocketHandler
from anonchat.websocket.transport import Peer, SocketTransport, Transports

RETRY_MILLISECONDS = 10_000


@dataclass(slots=True)
class Sockets:
    """What the WebSocket handlers of one server share."""

    services: ConnectionServices
    ingress: Ingress
    transports: Transports
    wire: Wire
    per_network: int
    token_in_url: bool
    tarpit: Tarpit
    open: Counter[str]
    draining: bool = False
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def closed(self, connection: Connection, code: int | None) -> None:
        """Called by each connection at its end, with the code with which the server has closed it, if it has."""
        self.open[connection.network.today] -= 1
        if self.open[connection.network.today] <= 0:
            del self.open[connection.network.today]
        self.changed.set()
        self.tarpit.blame(connection.network, code)

    async def emptied(self) -> None:
        """Wait until no connection is open."""
        while self.open:
            self.changed.clear()
            await self.changed.wait()


class WebSocketEntrance(SocketHandler):
    """``/ws``, and an upgrade of ``/``."""

    def initialize(self, sockets: Sockets) -> None:  # type: ignore[override]
        """Called by Tornado with the keywords of the route."""
        super().initialize(sockets.transports)
        self.sockets = sockets
        self.network: Network | None = None
        self.token: str | None = None

    def set_default_headers(self) -> None:
        """Called by Tornado before anything else."""
        set_security_headers(self)

    async def prepare(self) -> None:
        """Refuse a foreign host, one connection too many, or any while the server is going away."""
        sockets = self.sockets
        sockets.ingress.check_host(self.request)
        sockets.ingress.check_origin(self.request)
        if self.request.method == "GET" and not _asks_for_upgrade(self.request.headers):
            raise ChatError("validation_failed", "This address speaks WebSocket 13: ask for an upgrade.", status=426)
        self.network = await sockets.ingress.network_of(self.request)
        if sockets.draining:
            raise ChatError("going_away", retry_after_ms=RETRY_MILLISECONDS)
        if sockets.open[self.network.today] >= sockets.per_network:
            raise ChatError(
                "rate_limited",
                "Too many connections from your network ([limits] sockets_per_network).",
                retry_after_ms=RETRY_MILLISECONDS,
            )
        wait = sockets.tarpit.wait(self.network)
        if wait:
            raise ChatError(
                "rate_limited",
                "Connections from your network sent what this chat does not understand, again and again ([limits] "
                "violations_per_network).",
                retry_after_ms=wait,
            )
        self.token = self._token()

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Whatever stands in the way of a connection, as REST says it."""
        error = problem_of(status_code, kwargs.get("exc_info", (None, None))[1])
        if error.code == "method_not_allowed":
            self.set_header("Allow", "GET")
        if error.status == 426:
            self.set_header("Upgrade", "websocket")
            self.set_header("Sec-WebSocket-Version", "13")
        self.set_header("Connection", "close")
        refuse(self, error)
        # Who wanted a socket has no other use for the connection, but to flood it.
        assert self.request.connection is not None
        self.request.connection.close()  # type: ignore[attr-defined]

    def log_exception(self, typ: Any, value: BaseException | None, tb: Any) -> None:
        """A refusal is no failure of ours."""
        if is_ours(value):
            super().log_exception(typ, value, tb)

    def check_origin(self, origin: str) -> bool:
        """Foreign pages must not open sockets with their visitors' eyes (cross-site WebSocket hijacking)."""
        return self.sockets.ingress.is_origin_allowed(origin, self.request)

    def open_peer(self, transport: SocketTransport) -> Peer:
        """The connection of this socket."""
        sockets = self.sockets
        assert self.network is not None  # set before the handshake
        connection = Connection(sockets.services, transport, sockets.wire, self.network, sockets.closed)
        sockets.open[self.network.today] += 1
        asyncio.get_running_loop().call_soon(connection.opened, self.token)
        return connection

    def _token(self) -> str | None:
        scheme, _, token = self.request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer" and token:
            return token.strip()
        return (self.get_query_argument("t", None) or None) if self.sockets.token_in_url else None


def _asks_for_upgrade(headers: HTTPHeaders) -> bool:
    """RFC 6455, 4.2.1; the key is looked at by the handshake."""
    wanted = {word.strip().lower() for word in headers.get("Connection", "").split(",")}
    is_websocket = headers.get("Upgrade", "").lower() == "websocket" and "upgrade" in wanted
    return is_websocket and headers.get("Sec-WebSocket-Version") == "13"


class Upgrade(PathMatches):
    """A path, if the client wants to speak WebSocket there."""

    def match(self, request: HTTPServerRequest) -> dict[str, Any] | None:
        """Like `PathMatches`, for requests with ``Upgrade: websocket``."""
        wanted = request.headers.get("Upgrade", "").lower() == "websocket"
        return super().match(request) if wanted else None


def socket_rules(sockets: Sockets) -> list[Any]:
    """Tornado's rules for WebSockets: ``/ws``, and an upgrade of ``/``."""
    return [(path, WebSocketEntrance, {"sockets": sockets}) for path in (r"/ws", Upgrade(r"/"))]
