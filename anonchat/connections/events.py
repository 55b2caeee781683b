"""Client events: known, allowed, within limits, valid, handled, answered. The same for the core's and plugins' events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import structlog
from marshmallow import ValidationError

from anonchat.errors import ChatError, StartError
from anonchat.limits import Limits
from anonchat.models import Session
from anonchat.observability.metrics import Metrics
from anonchat.plugins.budgets import bounded
from anonchat.plugins.declarations import Answers, Call, ClientEvent, ServerEvent
from anonchat.protocol.codec import Frame
from anonchat.protocol.loading import Loader
from anonchat.protocol.schemas import problems

log = structlog.get_logger("anonchat.events")

CORE = "anonchat"


class Events:
    """Every declared event, and who declared it."""

    def __init__(self, limits: Limits, bundled: Sequence[str], handler_seconds: float, metrics: Metrics) -> None:
        self._limits = limits
        self._failures = metrics.plugin_failures
        self._handler_seconds = handler_seconds
        self._bundled = {CORE, *bundled}
        self._client: dict[str, tuple[str, ClientEvent]] = {}
        self._server: dict[str, tuple[str, ServerEvent]] = {}
        self._loaders: dict[str, Loader] = {}

    def declare(self, owner: str, client: Sequence[ClientEvent] = (), server: Sequence[ServerEvent] = ()) -> None:
        """Take in declarations. Raises `StartError` for a name that is taken or not the owner's to take."""
        for declared in client:
            self._check_name(owner, declared.name, self._client)
            self._client[declared.name] = (owner, declared)
            self._loaders[declared.name] = Loader(declared.schema)
        for event in server:
            self._check_name(owner, event.name, self._server)
            self._server[event.name] = (owner, event)

    def _check_name(self, owner: str, name: str, taken: Mapping[str, tuple[str, object]]) -> None:
        if name in taken:
            raise StartError(
                f"The plugin {owner!r} declares the event {name!r}, which {taken[name][0]!r} has declared already."
            )
        if owner not in self._bundled and not name.startswith(f"{owner}."):
            raise StartError(
                f"The plugin {owner!r} declares the event {name!r}; its events must be named {owner}.<event>."
            )

    def check(self, owner: str, name: str, durable: bool = False) -> None:
        """Raise LookupError for a server event that the plugin `owner` has not declared; if it is kept, as durable."""
        found, declared = self._server.get(name, ("", None))
        if declared is None or found != owner:
            raise LookupError(
                f"The plugin {owner!r} sends {name!r} without having declared it (register_server_events)."
            )
        if durable and not declared.durable:
            raise LookupError(f"The plugin {owner!r} appends {name!r} without having declared it with durable=True.")

    def client_events(self) -> Mapping[str, tuple[str, ClientEvent]]:
        """Name -> (owner, declaration)."""
        return self._client

    def server_events(self) -> Mapping[str, tuple[str, ServerEvent]]:
        """Name -> (owner, declaration)."""
        return self._server

    async def handle(self, frame: Frame, session: Session, answers: Answers) -> None:
        """Run an identified client's event to its answer; whatever is wrong is answered, too."""
        try:
            if frame.event != "send_message":  # has a limit of its own, asked where a repetition is known
                limit = "typing_per_session" if frame.event == "typing" else "events_per_session"
                await self._limits.hit(limit, session.id)
            owner, declared = self._known(frame, session)
            data = self._loaders[frame.event](frame.data)
            if declared.limit is not None:
                await self._limits.hit_rate(f"event:{frame.event}", declared.limit, session.id)
            if owner == CORE:  # waits for nothing but the storage, which has bounds of its own
                await declared.handler(Call(data, session, frame, answers))
            else:
                call = Call(data, session, frame, answers, partial(self.check, owner))
                await bounded(self._handler_seconds, declared.handler, call)
        except Exception as error:
            answers.refuse(frame, await self._counted(frame, session, self._problem(frame, error)))

    def _known(self, frame: Frame, session: Session) -> tuple[str, ClientEvent]:
        """(owner, declaration) of an event that this session may send."""
        found = self._client.get(frame.event)
        if found is None:
            raise ChatError(
                "unknown_event", f"This server does not know the event {frame.event!r}. Is its plugin switched on?"
            )
        if found[1].role != "participant" and not session.is_moderator:
            raise ChatError("not_moderator")
        return found

    def _problem(self, frame: Frame, error: Exception) -> ChatError:
        """What is told of an error; one that is nobody's refusal is logged."""
        if isinstance(error, ChatError):
            return error
        if isinstance(error, ValidationError):
            problem = ChatError("validation_failed", errors=problems(error))
        else:
            owner = self._client[frame.event][0]
            log.error("the handler of an event failed", plugin=owner, event_name=frame.event, exc_info=error)
            if owner != CORE:
                self._failures.labels(owner, "event").inc()
            problem = ChatError("internal" if owner == CORE else "plugin_failed")
        problem.__cause__ = error
        return problem

    async def _counted(self, frame: Frame, session: Session, error: ChatError) -> ChatError:
        """A send that was refused counts as an event, so that nonsense has a limit too; else what `error` says."""
        if frame.event == "send_message" and error.code != "rate_limited":
            try:
                await self._limits.hit("events_per_session", session.id)
            except ChatError as limited:
                return limited
        return error
