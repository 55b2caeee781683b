"""Client events: known, allowed, within limits, valid, handled, answered. The same for the core's and plugins' events."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import structlog
from marshmallow import ValidationError

from anonchat.budgets import bounded
from anonchat.declarations import Call, ClientEvent, ServerEvent
from anonchat.errors import ChatError, StartError
from anonchat.limits import Limits
from anonchat.loading import Loader
from anonchat.protocol import Frame
from anonchat.schemas import problems

log = structlog.get_logger("anonchat.events")

CORE = "anonchat"


class Events:
    """Every declared event, and who declared it."""

    def __init__(self, limits: Limits, bundled: Sequence[str], handler_seconds: float) -> None:
        self._limits = limits
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

    def check(self, owner: str, name: str) -> None:
        """Raise LookupError for a server event that the plugin `owner` has not declared."""
        if self._server.get(name, ("", None))[0] != owner:
            raise LookupError(
                f"The plugin {owner!r} sends {name!r} without having declared it (register_server_events)."
            )

    def client_events(self) -> Mapping[str, tuple[str, ClientEvent]]:
        """Name -> (owner, declaration)."""
        return self._client

    def server_events(self) -> Mapping[str, tuple[str, ServerEvent]]:
        """Name -> (owner, declaration)."""
        return self._server

    async def handle(self, frame: Frame, call: Call) -> None:
        """Run an identified client's event to its answer. `call.data` is the raw data; whatever is wrong goes to `call.fail`."""
        try:
            await self._handle(frame, call)
        except ChatError as error:
            call.fail(await self._counted(frame, call, error))

    async def _counted(self, frame: Frame, call: Call, error: ChatError) -> ChatError:
        """A send that was refused counts as an event, so that nonsense has a limit too; else what `error` says."""
        if frame.event == "send_message" and error.code != "rate_limited":
            try:
                await self._limits.hit("events_per_session", call.session.id)
            except ChatError as limited:
                return limited
        return error

    async def _handle(self, frame: Frame, call: Call) -> None:
        limit = "typing_per_session" if frame.event == "typing" else "events_per_session"
        if frame.event != "send_message":  # has a limit of its own, asked where a repetition is known
            await self._limits.hit(limit, call.session.id)
        found = self._client.get(frame.event)
        if found is None:
            raise ChatError(
                "unknown_event", f"This server does not know the event {frame.event!r}. Is its plugin switched on?"
            )
        owner, declared = found
        if declared.role == "moderator" and not call.session.is_moderator:
            raise ChatError("not_moderator")
        try:
            data = self._loaders[declared.name](frame.data)
            await self._limits.hit_rate(f"event:{declared.name}", declared.limit, call.session.id)
            if owner == CORE:  # waits for nothing but the storage, which has bounds of its own
                await declared.handler(Call(call.event, data, call.session, call.answer, call.fail))
            else:
                ready = Call(call.event, data, call.session, self._checked(owner, call.answer), call.fail)
                await bounded(self._handler_seconds, declared.handler, ready)
        except ValidationError as error:
            raise ChatError("validation_failed", errors=problems(error)) from error
        except ChatError:
            raise
        except Exception as error:
            log.exception("the handler of an event failed", plugin=owner, event_name=declared.name)
            raise ChatError("internal" if owner == CORE else "plugin_failed") from error

    def _checked(self, owner: str, answer: Callable[[str, Mapping[str, Any]], None]) -> Callable[..., None]:
        """An `answer` that raises LookupError for an event that the plugin has not declared."""

        def checked(event: str, data: Mapping[str, Any]) -> None:
            self.check(owner, event)
            answer(event, data)

        return checked
