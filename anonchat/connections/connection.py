"""One client's connection, whatever carries it: identify in time, then one event after another, each answered."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from anonchat.clock import Clock, iso
from anonchat.connections.events import Events
from anonchat.connections.inbox import Inbox, Source
from anonchat.connections.welcome import Welcome
from anonchat.delivery.active import ActiveRoom
from anonchat.delivery.hub import Wire
from anonchat.errors import ChatError
from anonchat.limits import Network
from anonchat.models import Session
from anonchat.observability.metrics import Metrics
from anonchat.protocol.codec import PROTOCOL, BadFrame, Frame, NotOurs, decode, error_data
from anonchat.protocol.schemas import Identify

REFUSALS = 60  # that may stand against a connection, of anything before identify and then of what is in GOING_ON: 4429
FORGIVEN = 5  # of them in a second; what is right in between takes none back, or whoever floods would do that
GOING_ON = frozenset(
    {"rate_limited", "bad_frame", "not_identified", "conflict"}
)  # cost work, and no other limit counts them


class Transport(Source, Protocol):
    """What carries a connection's frames."""

    ended_here: bool

    def enqueue(self, frame: bytes, droppable: bool = False) -> None: ...


@dataclass(frozen=True, slots=True)
class ConnectionServices:
    """What all connections of a server share."""

    events: Events
    welcome: Welcome
    metrics: Metrics
    clock: Clock
    limits: Mapping[str, Any]
    plugins: tuple[str, ...]
    heartbeat_seconds: float
    identify_seconds: float
    json_depth: int
    identify: Identify
    spawn: Callable[[Coroutine[Any, Any, None]], object]

    def hello(self) -> dict[str, Any]:
        """Data of the first event on a connection."""
        return {
            "protocol": PROTOCOL,
            "serverTime": iso(self.clock.now()),
            "heartbeatSeconds": self.heartbeat_seconds,
            "limits": self.limits,
            "plugins": self.plugins,
        }


class Connection:
    """A member of the hub, once it is identified."""

    __slots__ = (
        "_active",
        "_inbox",
        "_is_identifying",
        "_is_late",
        "_on_closed",
        "_refusals",
        "_refused_at",
        "_services",
        "_session",
        "_timer",
        "enqueue",
        "finish",
        "network",
        "transport",
        "wire",
    )

    def __init__(
        self, services: ConnectionServices, transport: Transport, wire: Wire, network: Network, on_closed: Any
    ) -> None:
        self.wire = wire
        self.enqueue = transport.enqueue
        self._services = services
        self.transport = transport
        self.network = network
        self._on_closed = on_closed
        self._session: Session | None = None
        self._active: ActiveRoom | None = None
        self._inbox = Inbox(transport, self._receive, self._all_is_handled)
        self.finish = self._inbox.finish  # read nothing more, and handle what has been read
        self._timer: asyncio.TimerHandle | None = None
        self._is_identifying = False
        self._is_late = False
        self._refusals = 0.0
        self._refused_at = 0.0

    @property
    def session(self) -> Session:
        """Who this is. Only for identified connections."""
        if self._session is None:
            raise ChatError("not_identified")
        return self._session

    @property
    def closed(self) -> bool:
        """Whether the transport has begun to close."""
        return self.transport.closed

    def update(self, session: Session) -> None:
        """The session has changed."""
        self._session = session

    def close(self, code: int, reason: str = "") -> None:
        """Send what waits, then close; what the client has sent and is not handled yet is dropped."""
        self._inbox.clear()
        self.transport.close(code, reason)

    # --- what the transport calls

    def opened(self, token: str | None = None) -> None:
        """Say hello; a token that came with the request identifies at once."""
        services = self._services
        services.metrics.connections.inc()
        self.enqueue(self.wire.encode("hello", services.hello()))
        self._timer = asyncio.get_running_loop().call_later(services.identify_seconds, self._not_identified)
        if token is not None:
            self._inbox.begin(self._begin(Frame("identify", {"token": token}, None)))

    def messages_received(self, messages: list[str | bytes]) -> None:
        """All messages of one read, in order."""
        self._services.metrics.events_received.inc(len(messages))
        self._inbox.put(messages)

    def transport_closed(self, code: int | None) -> None:
        """The connection is gone; what it has brought is still handled, and it is found by its session until then."""
        self._services.metrics.connections.dec()
        code = code if self.transport.ended_here else None
        if code == 4413:
            self._services.metrics.slow_closed.inc()
        if self._timer is not None:
            self._timer.cancel()
        if self._session is not None:
            self._services.welcome.closed(self)
        self._inbox.end()
        self._on_closed(self, code)

    def _all_is_handled(self) -> None:
        """The connection is gone, and nothing is left of what it has brought."""
        if self._active is not None:
            active, self._active = self._active, None
            self._services.spawn(self._services.welcome.gone(self, active))

    # --- one event after another

    async def _receive(self, message: str | bytes) -> None:
        try:
            frame = decode(message, self._services.json_depth)
        except NotOurs:
            self._fail(ChatError("bad_frame"), None)
            self.close(4400, "bad_frame")
        except BadFrame as error:
            self._fail(error, error.frame)
        else:
            if self._session is not None and frame.event != "identify":
                await self._services.events.handle(frame, self._session, self)
            else:
                await self._begin(frame)

    async def _begin(self, frame: Frame) -> None:
        """An identify, or what comes before it."""
        try:
            if frame.event != "identify":
                raise ChatError("not_identified")
            if self._session is not None:
                raise ChatError("conflict", "This connection is identified already; open another one.")
            self._is_identifying = True
            async with self._services.welcome.turns:
                await self._identify(frame)
        except ChatError as error:
            self._fail(error, frame)
            if frame.event == "identify" and self._session is None and error.code != "validation_failed":
                self.close(_close_code(error), error.code)
        finally:
            self._is_identifying = False
            if self._is_late:
                self._not_identified()

    async def _identify(self, frame: Frame) -> None:
        errors = self._services.identify.validate(frame.data)
        if errors:
            raise ChatError("validation_failed", errors=errors)
        data = frame.data
        session, room = await self._services.welcome.session_of(data["token"], self.network)
        self._session = session
        try:
            self._active = await self._services.welcome.bring_up(
                self, room, data.get("since"), data.get("epoch"), frame.id
            )
        except BaseException:
            self._session = None
            raise
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # --- answers

    def reply(self, frame: Frame, event: str, data: Mapping[str, Any]) -> None:
        """Answer an event."""
        self.enqueue(self.wire.encode(event, data, id=frame.id))

    def refuse(self, frame: Frame, error: Exception) -> None:
        """Answer an event with an error."""
        self._fail(error if isinstance(error, ChatError) else ChatError("internal"), frame)

    def _fail(self, error: ChatError, frame: Frame | None) -> None:
        self._services.metrics.errors.labels(error.code).inc()
        event, data, frame_id = frame if frame is not None else (None, None, None)
        self.enqueue(self.wire.encode("error", error_data(error, event, data), id=frame_id))
        if error.code in GOING_ON or self._session is None:
            self._count_refusal()

    def _count_refusal(self) -> None:
        now = asyncio.get_running_loop().time()
        self._refusals = max(0.0, self._refusals - FORGIVEN * (now - self._refused_at)) + 1
        self._refused_at = now
        if self._refusals > REFUSALS - 1:
            self.close(4429, "rate_limited")

    def _not_identified(self) -> None:
        self._timer = None
        if self._is_identifying:
            self._is_late = True  # for what it has done so far; it may still succeed, when its turn comes
        elif self._session is None:
            self._fail(ChatError("not_identified"), None)
            self.close(4401, "not_identified")


def _close_code(error: ChatError) -> int:
    """With which code an identify that was refused ends: what is wrong for good, or what may be tried again."""
    if error.close is not None and error.code != "rate_limited":
        return error.close
    return {"name_lost": 4401, "room_full": 1013, "room_not_found": 4410}.get(error.code, 1013)
