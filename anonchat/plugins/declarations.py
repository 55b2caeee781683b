"""What a plugin (and the core itself) declares at start: events, routes, jobs, tables, metrics, assets."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from marshmallow import Schema
from sqlalchemy import MetaData

from anonchat.models import Role

if TYPE_CHECKING:
    from anonchat.limits import Network
    from anonchat.models import Session
    from anonchat.protocol.codec import Frame

Auth = Literal["nobody", "participant", "moderator", "operator"]
Method = Literal["GET", "POST", "PATCH", "PUT", "DELETE"]


class Answers(Protocol):
    """Where the answers to an event go: the connection that it came from."""

    def reply(self, frame: Frame, event: str, data: Mapping[str, Any]) -> None: ...

    def refuse(self, frame: Frame, error: Exception) -> None: ...


@dataclass(slots=True, eq=False)  # not frozen, which would take a microsecond for each event
class Call:
    """One client event on its way to its handler: identified, allowed, within limits, and valid."""

    data: Mapping[str, Any]
    session: Session
    _frame: Frame
    _answers: Answers
    _check: Callable[[str], None] | None = None

    @property
    def event(self) -> str:
        return self._frame.event

    @property
    def room_id(self) -> str:
        return self.session.room_id

    def answer(self, event: str, data: Mapping[str, Any]) -> None:
        """Send to this connection, with the client's own `id`, now or later.

        Raises LookupError for an event that the plugin has not declared, and RuntimeError outside of the event loop.
        """
        if self._check is not None:
            needs_event_loop("call.answer")
            self._check(event)
        self._answers.reply(self._frame, event, data)

    def fail(self, error: Exception) -> None:
        """Send a coded error to this connection, with the client's own `id`, now or later. As `answer`, in the event loop."""
        if self._check is not None:
            needs_event_loop("call.fail")
        self._answers.refuse(self._frame, error)


def needs_event_loop(what: str) -> None:
    """Raise RuntimeError in a thread that has no event loop, such as that of a database: sockets must not be touched there."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        raise RuntimeError(f"{what} belongs into the event loop; in a transaction use tx.tell.") from None


@dataclass(frozen=True, slots=True)
class ClientEvent:
    """An event that clients may send.

    `handler(call)` answers through `call`, or raises `ChatError`; anything else that it raises is told as
    `plugin_failed`. `role` "moderator" keeps others out. `limit` is a rate for each session ("5/minute").
    """

    name: str
    schema: Schema
    handler: Callable[[Call], Awaitable[None]]
    role: Role = "participant"
    limit: str | None = None
    summary: str = ""


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """An event that the server may send: one that was not declared cannot be sent. `durable` ones carry a seq."""

    name: str
    schema: Schema | None = None
    durable: bool = False
    summary: str = ""


@dataclass(frozen=True, slots=True)
class Request:
    """A REST request on its way to its handler: allowed, within limits, and valid.

    `path` holds the values of the names in the route's path, `query` and `body` what their schemas made of them.
    `network` stands for the sender's network until tomorrow, `base_url` where people reach this server (no slash at the
    end). `session` is set where the route asks for one.
    """

    path: Mapping[str, str]
    query: Mapping[str, Any]
    body: Mapping[str, Any]
    origin: Network = field(repr=False)
    base_url: str
    session: Session | None = None
    operator: bool = False

    @property
    def network(self) -> str:
        return self.origin.today

    @property
    def member(self) -> Session:
        """The session of a route with `auth` "participant" or "moderator"."""
        if self.session is None:
            raise LookupError("This route does not ask for a session.")
        return self.session


@dataclass(frozen=True, slots=True)
class Answer:
    """What a route answers: JSON, or with `content_type` bytes as they are."""

    body: Mapping[str, Any] | bytes
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/json"


@dataclass(frozen=True, slots=True)
class Route:
    """A REST route. `path` names its variables in braces: ``/api/rooms/{roomId}/pins``.

    With `auth` "participant" or "moderator" the session must belong to the room that the path names.
    `limit` is a rate for each network, beside `[limits] requests_per_network`. `answer` describes the body in the API's
    document, and checks nothing; `status` stands there and is that of every `Answer` that names no other.
    """

    method: Method
    path: str
    handler: Callable[[Request], Awaitable[Answer]]
    auth: Auth = "nobody"
    body: Schema | None = None
    query: Schema | None = None
    answer: Schema | None = None
    status: int = 200
    limit: str | None = None
    summary: str = ""


@dataclass(frozen=True, slots=True)
class Job:
    """Work that runs every `seconds` on one node at a time. It must be safe to run twice and to be cut off.

    Jobs begin together, twice a second, or four times where one of them asks for that: other times are rounded.
    """

    name: str
    seconds: float
    run: Callable[[], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Tables:
    """A plugin's tables and the folder of their Alembic revisions. Each table cascades from rooms or messages.

    Only those named in `sums` outlive the rooms: they hold whole numbers, and texts in the primary key alone.
    """

    metadata: MetaData
    migrations: Path
    sums: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Metric:
    """A Prometheus metric of a plugin; its name gets the prefix ``anonchat_<plugin>_``."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    text: str
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class WebAssets:
    """A plugin's static files and the ES module among them that the web client loads."""

    folder: Path
    module: str
