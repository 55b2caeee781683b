"""The opening handshake: how a Tornado request becomes a `SocketTransport`."""

import asyncio
import base64
import binascii
import hashlib
import logging
from contextlib import suppress
from http import HTTPStatus
from types import TracebackType
from typing import Any, Final

from tornado.httputil import HTTPHeaders
from tornado.iostream import IOStream
from tornado.web import HTTPError
from tornado.websocket import WebSocketHandler, WebSocketProtocol

from anonchat.protocol.frames import encode_close
from anonchat.websocket.link import Link
from anonchat.websocket.transport import Peer, SocketTransport, Transports

log = logging.getLogger("anonchat")

_ACCEPT_SUFFIX: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
"""RFC 6455, 1.3."""


class SocketHandler(WebSocketHandler):
    """Opens connections: `prepare` and `check_origin` may refuse, `open_peer` says who gets what a connection sends.

    Its route gives it the keyword `transports`. The handler and its request are gone when the connection is open, so
    that an idle one costs little; its own `write_message`, `ping` and `close` are of no use, the transport has them.
    """

    def initialize(self, transports: Transports) -> None:
        """Called by Tornado with the keywords of the route."""
        self.transports = transports

    def open_peer(self, transport: SocketTransport) -> Peer:
        """The peer of a connection that was just opened; copy what is needed of `self.request`.

        If it raises, the error is logged and the connection is closed with 1011.
        """
        raise NotImplementedError

    def get_websocket_protocol(self) -> WebSocketProtocol | None:
        """None, which Tornado answers with 426, unless the client speaks version 13."""
        is_known = self.request.headers.get("Sec-WebSocket-Version") == "13"
        return Handshake(self) if is_known else None

    def log_exception(
        self, typ: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None
    ) -> None:
        """Log an error without the request, which holds an address and perhaps a token."""
        if value is not None and not isinstance(value, HTTPError):
            log.error("a connection failed to open", exc_info=value)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Answer with one line, never with a traceback."""
        self.set_header("Content-Type", "text/plain; charset=UTF-8")
        self.finish(f"{status_code} {HTTPStatus(status_code).phrase}\n")


def _not_here(self: WebSocketProtocol, *args: Any, **kwargs: Any) -> Any:
    raise RuntimeError("after the handshake a connection belongs to its SocketTransport")


class Handshake(WebSocketProtocol):
    """Answers the request, gives its stream to a `SocketTransport`, and is done.

    Extensions and subprotocols are never negotiated: offers are ignored, well formed or not.
    """

    async def accept_connection(self, handler: WebSocketHandler) -> None:
        """Open the connection, or answer 400 if the key or the host is missing or malformed."""
        assert isinstance(handler, SocketHandler)
        accept = _accept_value(handler.request.headers)
        if accept is None:
            handler.set_status(400)
            handler.finish("Missing or invalid WebSocket headers\n")
            return
        handler.clear_header("Content-Type")
        handler.set_status(101)
        handler.set_header("Upgrade", "websocket")
        handler.set_header("Connection", "Upgrade")
        handler.set_header("Sec-WebSocket-Accept", accept)
        handler.finish()
        await _open(handler, handler.detach())
        # Cut what holds the handler in circles, so that it goes now and not at some garbage collection.
        handler.ws_connection = None
        handler.ui.clear()

    def close(self, code: int | None = None, reason: str | None = None) -> None:
        """Nothing to do: the stream belongs to the request before the handshake and to the transport after it."""

    def is_closing(self) -> bool:
        """Always: nothing can be sent by way of the handler."""
        return True

    @property
    def selected_subprotocol(self) -> str | None:
        """Always none."""
        return None

    write_message = write_ping = set_nodelay = start_pinging = _not_here
    _process_server_headers = _receive_frame_loop = _not_here


async def _open(handler: SocketHandler, stream: IOStream) -> None:
    try:
        async with asyncio.timeout(handler.transports.limits.close_seconds):
            await stream.write(b"")  # the answer may still be on its way
        link = Link.of(stream)
    except OSError:  # also that it took too long
        stream.close()
        return
    transport = SocketTransport(link, handler.transports)
    try:
        transport.start(handler.open_peer(transport))
    except Exception:
        log.exception("a connection failed to open")
        with suppress(OSError):
            link.send(encode_close(1011, "internal error"))
        transport.abort()


def _accept_value(headers: HTTPHeaders) -> str | None:
    """The answer to the client's key, which must be 16 bytes in base64 (RFC 6455, 4.2); None if it is not."""
    key = headers.get("Sec-WebSocket-Key", "").encode()
    try:
        is_valid = len(binascii.a2b_base64(key, strict_mode=True)) == 16 and bool(headers.get("Host"))
    except binascii.Error:
        return None
    digest = hashlib.sha1(key + _ACCEPT_SUFFIX, usedforsecurity=False).digest()
    return base64.b64encode(digest).decode() if is_valid else None
