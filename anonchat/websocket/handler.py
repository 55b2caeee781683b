"""The door of the WebSocket: who may open one, and from where."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field

from anonchat.connection import Connection, Desk
from anonchat.errors import ChatError
from anonchat.http.door import Door
from anonchat.hub import Wire
from anonchat.websocket.handshake import SocketHandler
from anonchat.websocket.transport import Peer, SocketTransport, Transports


@dataclass(slots=True)
class Sockets:
    """What the WebSocket handlers of one server share."""

    desk: Desk
    door: Door
    transports: Transports
    wire: Wire
    per_network: int
    token_in_url: bool
    open: Counter[str]
    draining: bool = False
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def closed(self, connection: Connection) -> None:
        """Called by each connection at its end."""
        self.open[connection.network] -= 1
        if self.open[connection.network] <= 0:
            del self.open[connection.network]
        self.changed.set()

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
        self.network = ""

    async def prepare(self) -> None:
        """Refuse a foreign host, one connection too many, or any while the server is going away."""
        try:
            self.sockets.door.check_host(self.request)
            self.network = await self.sockets.door.network_of(self.request)
            if self.sockets.draining:
                raise ChatError("going_away")
            if self.sockets.open[self.network] >= self.sockets.per_network:
                raise ChatError(
                    "rate_limited", "Too many connections from your network ([limits] sockets_per_network)."
                )
        except ChatError as error:
            self.set_status(error.status)
            self.set_header("Content-Type", "text/plain; charset=UTF-8")
            self.finish(f"{error.message}\n")

    def check_origin(self, origin: str) -> bool:
        """Foreign pages must not open sockets with their visitors' eyes (cross-site WebSocket hijacking)."""
        return self.sockets.door.is_origin_allowed(origin, self.request)

    def open_peer(self, transport: SocketTransport) -> Peer:
        """The connection of this socket."""
        sockets = self.sockets
        connection = Connection(sockets.desk, transport, sockets.wire, self.network, sockets.closed)
        sockets.open[self.network] += 1
        asyncio.get_running_loop().call_soon(connection.opened, self._token())
        return connection

    def _token(self) -> str | None:
        scheme, _, token = self.request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer" and token:
            return token.strip()
        return self.get_query_argument("t", None) if self.sockets.token_in_url else None
