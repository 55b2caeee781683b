"""One Tornado handler for all REST routes, the core's and plugins': host, origin, limits, session, validation, answer."""

from __future__ import annotations

import asyncio
import hmac
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson
import structlog
from marshmallow import Schema, ValidationError
from tornado.web import HTTPError, RequestHandler

from anonchat.connections.events import CORE
from anonchat.errors import ChatError, StartError
from anonchat.http.in_flight import InFlight
from anonchat.http.ingress import Ingress
from anonchat.http.problems import is_ours, problem_of, refuse, set_security_headers
from anonchat.http.server import UNCOUNTED
from anonchat.limits import Limits
from anonchat.models import Session
from anonchat.observability.metrics import Metrics
from anonchat.people.sessions import Sessions
from anonchat.plugins.budgets import PluginFailed, bounded
from anonchat.plugins.declarations import Answer, Request, Route
from anonchat.plugins.dispatch import Dispatcher
from anonchat.protocol.codec import load_json
from anonchat.protocol.schemas import problems
from anonchat.rooms.rooms import Rooms

log = structlog.get_logger("anonchat.http")

PREFLIGHT_SECONDS = 600
ANSWER_SECONDS = 60.0  # that a client has to take an answer
_VARIABLE = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class ApiServices:
    """What all REST handlers of a server share."""

    ingress: Ingress
    rooms: Rooms
    sessions: Sessions
    limits: Limits
    dispatcher: Dispatcher
    metrics: Metrics
    operator_token: str | None
    body_bytes: int
    json_depth: int
    in_flight: InFlight


def route_table(
    routes: Sequence[tuple[str, Route]], services: ApiServices
) -> list[tuple[str, type[RequestHandler], dict[str, Any]]]:
    """Tornado's rules for declared routes given as (owner, route). Raises `StartError` if two have the same method and path."""
    by_path: dict[str, dict[str, tuple[str, Route]]] = {}
    for owner, route in routes:
        methods = by_path.setdefault(route.path, {})
        if route.method in methods:
            taken = methods[route.method][0]
            raise StartError(
                f"The plugin {owner!r} declares {route.method} {route.path}, which {taken!r} has declared already."
            )
        methods[route.method] = (owner, route)
    return [
        (_VARIABLE.sub(r"(?P<\1>[^/]{1,64})", path), ApiHandler, {"methods": methods, "services": services})
        for path, methods in by_path.items()
    ]


class PlainHandler(RequestHandler):
    """Security headers, problem+json for every error, and never a traceback or an address in the log."""

    def set_default_headers(self) -> None:
        """Called by Tornado before anything else."""
        set_security_headers(self)

    def finish(self, chunk: Any = None) -> Any:
        """Answer. Whoever does not take the answer in time is cut off: Tornado would keep it, and the connection, for ever."""
        sent = super().finish(chunk)
        if not sent.done():
            stream = self.request.connection.stream  # type: ignore[union-attr]
            late = asyncio.get_running_loop().call_later(ANSWER_SECONDS, stream.close)
            sent.add_done_callback(lambda _: late.cancel())
        return sent

    def compute_etag(self) -> str | None:
        """None: what must not be stored needs no tag."""
        return None

    def decode_argument(self, value: bytes, name: str | None = None) -> str:
        """A part of the path or query as text. NUL is refused: no storage could look for it."""
        text = super().decode_argument(value, name)
        if "\0" in text:
            raise HTTPError(400)
        return text

    def allowed(self) -> Iterable[str]:
        """The methods that this address answers."""
        return ()

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Whatever goes wrong outside of a route."""
        self.problem(problem_of(status_code, kwargs.get("exc_info", (None, None))[1]))

    def problem(self, error: ChatError) -> None:
        """Answer with an error."""
        if error.code == "method_not_allowed":
            self.set_header("Allow", ", ".join(sorted(self.allowed())))
        refuse(self, error)

    def log_exception(self, typ: Any, value: BaseException | None, tb: Any) -> None:
        """Log our own failures without the request, which holds an address."""
        if is_ours(value):
            log.error("a request failed", exc_info=value)


class NotFound(PlainHandler):
    """Every address that is not ours."""

    def prepare(self) -> None:
        """Answer any method."""
        self.problem(ChatError("not_found"))

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Methods that Tornado does not know are not found either."""
        self.problem(ChatError("not_found"))


class ApiHandler(PlainHandler):
    """Runs the routes of one path."""

    def initialize(self, methods: Mapping[str, tuple[str, Route]], services: ApiServices) -> None:
        """Called by Tornado with the keywords of the rule."""
        self.methods = methods
        self.services = services
        self.is_counted = False

    async def prepare(self) -> None:
        """Run the whole request here, so that each method goes the same way."""
        self.services.in_flight.begin()
        self.is_counted = True  # Tornado refuses some before it comes here
        try:
            self.services.ingress.check_host(self.request)
            self._check_origin()
            if self.request.method == "OPTIONS":
                self._preflight()
                return
            answer = await self._run()
        except ChatError as error:
            self.services.metrics.errors.labels(error.code).inc()
            self.problem(error)
        else:
            self.set_status(answer.status)
            self.finish(answer.body)
        self.services.metrics.requests.labels(str(self.get_status())).inc()

    def finish(self, chunk: Any = None) -> Any:
        """Answer; whoever waits for the last requests is told when it was sent."""
        if self.services.in_flight.is_ending:
            self.set_header("Connection", "close")
        sent = super().finish(chunk)
        if self.is_counted:
            sent.add_done_callback(self.services.in_flight.end)
        return sent

    async def _run(self) -> Answer:
        owner, route = self._route()
        network = await self.services.ingress.network_of(self.request)
        operator = is_operator(self._bearer(), self.services.operator_token)
        if route.path not in UNCOUNTED or (route.auth == "operator" and not operator):  # a token that is guessed counts
            await self.services.limits.hit("requests_per_network", network.today)
        await self.services.limits.hit_rate(f"{route.method} {route.path}", route.limit, network.today)
        session = await self._authenticate(route, operator)
        query = _load(route.query, self._query())
        body = _load(route.body, self._body() if route.body is not None else {})
        base_url = self.services.ingress.base_url(self.request)
        request = Request(dict(self.path_kwargs), query, body, network, base_url, session, operator)
        try:
            answer = await bounded(self.services.dispatcher.budgets.handler_seconds, route.handler, request)
            if not isinstance(answer, Answer):
                raise PluginFailed(f"answered with {type(answer).__name__} instead of Answer")
            answer = self._ready(answer, route)
        except ChatError:
            raise
        except Exception as error:
            log.exception("the handler of a route failed", plugin=owner, route=route.path)
            if owner == CORE:
                raise ChatError("internal") from error
            self.services.metrics.plugin_failures.labels(owner, "route").inc()
            raise ChatError("plugin_failed") from error
        return answer

    def _ready(self, answer: Answer, route: Route) -> Answer:
        """The answer as bytes, with its headers set. Raises where it cannot be sent, whoever has made it."""
        if answer.status not in range(200, 600):
            raise PluginFailed("answered with a status that is none")
        for name, value in {"Content-Type": answer.content_type, **answer.headers}.items():
            self.set_header(name, value)
        status = route.status if answer.status == 200 else answer.status
        body = answer.body if isinstance(answer.body, bytes) else orjson.dumps(answer.body)
        return replace(answer, body=b"" if status in (204, 304) else body, status=status)

    def _route(self) -> tuple[str, Route]:
        method = self.request.method or ""
        found = self.methods.get("GET" if method == "HEAD" else method)
        if found is None:
            raise ChatError("method_not_allowed")
        return found

    def allowed(self) -> Iterable[str]:
        """The declared methods, and what goes with them."""
        return {*self.methods, "OPTIONS", *(["HEAD"] if "GET" in self.methods else [])}

    async def _authenticate(self, route: Route, operator: bool) -> Session | None:
        token = self._bearer()
        if route.auth == "nobody":
            return None
        if route.auth == "operator":
            if token is None:
                raise ChatError("not_identified", 'Send the header "Authorization: Bearer <operator_token>".')
            if not operator:
                self._failed("forbidden")
                raise ChatError("forbidden", "Only the operator may do that, with [server] operator_token as Bearer.")
            return None
        if token is None:
            raise ChatError("not_identified", 'Send the header "Authorization: Bearer <sessionToken>".')
        try:
            session = await self.services.sessions.find(token)
        except ChatError as error:
            self._failed(error.code)
            if "roomId" in self.path_kwargs:
                await self.services.rooms.find(self.path_kwargs["roomId"])  # that it has ended says more
            raise
        if self.path_kwargs.get("roomId", session.room_id) != session.room_id:
            raise ChatError("forbidden", "This session belongs to another room.")
        if route.auth != "participant" and not session.is_moderator:
            raise ChatError("not_moderator")
        return session

    def _failed(self, code: str) -> None:
        self.services.dispatcher.observe("authentication_failed", where="rest", code=code)

    def _bearer(self) -> str | None:
        scheme, _, token = self.request.headers.get("Authorization", "").partition(" ")
        return token.strip() if scheme.lower() == "bearer" and token.strip() else None

    def _query(self) -> dict[str, str]:
        try:
            return {name: self.get_query_argument(name) for name in self.request.query_arguments}
        except HTTPError as error:
            raise ChatError("validation_failed", "The query is not as it should be: UTF-8, without NUL.") from error

    def _body(self) -> dict[str, Any]:
        body = self.request.body
        if len(body) > self.services.body_bytes:
            raise ChatError("too_large", f"A request may have {self.services.body_bytes} bytes.")
        if not body:
            return {}
        try:
            return load_json(body, self.services.json_depth)
        except ChatError as error:
            raise ChatError("validation_failed", error.message) from error

    # --- other sites

    def _check_origin(self) -> None:
        self.services.ingress.check_origin(self.request)
        origin = self.request.headers.get("Origin")
        if origin is None:
            return
        shown = self.services.ingress.cross_origin(origin)
        if shown is not None:
            self.set_header("Access-Control-Allow-Origin", shown)
            self.set_header("Access-Control-Expose-Headers", "Retry-After")
            self.set_header("Cross-Origin-Resource-Policy", "cross-origin")
            self.add_header("Vary", "Origin")

    def _preflight(self) -> None:
        self.set_header("Access-Control-Allow-Methods", ", ".join(sorted(self.methods)))
        self.set_header("Access-Control-Allow-Headers", "Authorization, Content-Type")
        self.set_header("Access-Control-Max-Age", str(PREFLIGHT_SECONDS))
        self.set_header("Allow", ", ".join(sorted(self.allowed())))
        self.set_status(204)
        self.finish()


def is_operator(token: str | None, expected: str | None) -> bool:
    """Whether a token is the operator's; compared in constant time."""
    return token is not None and expected is not None and hmac.compare_digest(token.encode(), expected.encode())


def _load(schema: Schema | None, data: Mapping[str, Any]) -> Mapping[str, Any]:
    if schema is None:
        return {}
    try:
        return schema.load(data)  # type: ignore[no-any-return]
    except ValidationError as error:
        raise ChatError("validation_failed", errors=problems(error)) from error
