"""OpenAPI and AsyncAPI, made from the declarations that also validate, so that they cannot disagree."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from importlib.metadata import version
from typing import Any

import orjson
from marshmallow import Schema

from anonchat.connections.events import CORE, Events
from anonchat.errors import CODES
from anonchat.http.layout import page_answer, table
from anonchat.plugins.declarations import Answer, Request, Route
from anonchat.protocol.schemas import Identify

_VARIABLE = re.compile(r"\{(\w+)\}")
PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status", "code", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string", "examples": sorted(CODES)[:3]},
        "detail": {"type": "string"},
        "errors": {"type": "object"},
        "retryAfterMs": {"type": "integer"},
    },
}


class Documents:
    """The machine-readable documentation of this server, with whatever plugins it runs. Made when first asked for."""

    def __init__(self, routes: Sequence[tuple[str, Route]], events: Events) -> None:
        self._routes = list(routes)
        self._events = events

    def routes(self) -> Sequence[Route]:
        """Where it is served."""
        return (
            Route("GET", "/api/openapi.json", self._openapi, summary="This document"),
            Route("GET", "/api/asyncapi.json", self._asyncapi, summary="The events of the WebSocket"),
            Route("GET", "/api/docs", self._page, summary="Both, for people"),
        )

    async def _openapi(self, _: Request) -> Answer:
        return Answer(orjson.dumps(self.openapi))

    async def _asyncapi(self, _: Request) -> Answer:
        return Answer(orjson.dumps(self.asyncapi))

    async def _page(self, _: Request) -> Answer:
        return self._html()

    # --- REST

    @cached_property
    def openapi(self) -> dict[str, Any]:
        """OpenAPI 3.1."""
        spec = _new_spec()
        for scheme, token in (("session", "`sessionToken` of a join"), ("operator", "`[server] operator_token`")):
            spec.components.security_scheme(scheme, {"type": "http", "scheme": "bearer", "description": token})
        spec.components.schema("Problem", PROBLEM)
        for path in dict.fromkeys(route.path for _, route in self._routes):
            operations = {
                route.method.lower(): self._operation(owner, route)
                for owner, route in self._routes
                if route.path == path
            }
            spec.path(
                path=path, operations=operations, parameters=[_path_parameter(name) for name in _VARIABLE.findall(path)]
            )
        document: dict[str, Any] = spec.to_dict()
        return document

    def _operation(self, owner: str, route: Route) -> dict[str, Any]:
        content = {"application/problem+json": {"schema": "Problem"}}
        answer = {"application/json": {"schema": route.answer}} if route.answer is not None else {"*/*": {}}
        operation: dict[str, Any] = {
            "summary": route.summary,
            "tags": [owner],
            "responses": {
                str(route.status): {"description": "As asked", "content": answer},
                "default": {"description": "Refused; `code` says why", "content": content},
            },
        }
        if route.body is not None:
            is_required = any(field.required for field in route.body.fields.values())
            operation["requestBody"] = {
                "required": is_required,
                "content": {"application/json": {"schema": route.body}},
            }
        if route.query is not None:
            operation["parameters"] = [{"in": "query", "schema": route.query}]
        if route.auth != "nobody":
            operation["security"] = [{"operator" if route.auth == "operator" else "session": []}]
        return operation

    # --- WebSocket

    @cached_property
    def asyncapi(self) -> dict[str, Any]:
        """AsyncAPI 3.0: one channel, an operation for each direction, a message for each event."""
        spec = _new_spec()
        received, sent = self._events.client_events(), self._events.server_events()
        summary = "Say who one is: the first frame, unless the request brought the token."
        identify = _message("identify", CORE, summary, _reference(spec, Identify()))
        messages: dict[str, Any] = {"client.identify": identify}
        for name, (owner, client) in received.items():
            messages[f"client.{name}"] = _message(name, owner, client.summary, _reference(spec, client.schema))
        for name, (owner, server) in sent.items():
            described = _reference(spec, server.schema)
            messages[f"server.{name}"] = _message(name, owner, server.summary, described, durable=server.durable)
        channel = {"address": "/ws", "messages": {key: {"$ref": f"#/components/messages/{key}"} for key in messages}}
        return {
            "asyncapi": "3.0.0",
            "info": {"title": "anonchat", "version": version("anonchat")},
            "channels": {"room": channel},
            "operations": {
                "receive": _operation_of("receive", "client.", messages),
                "send": _operation_of("send", "server.", messages),
            },
            "components": {"messages": messages, "schemas": spec.to_dict().get("components", {}).get("schemas", {})},
        }

    # --- for people

    def _html(self) -> Answer:
        return page_answer(
            "The API of this server",
            '<p>For machines: <a href="/api/openapi.json">OpenAPI</a> and <a href="/api/asyncapi.json">AsyncAPI</a>.</p>'
            f"<h2>REST</h2>{self._table_of_routes()}"
            f"<h2>Events that clients send to <code>/ws</code></h2>{self._table_of_events()}"
            f"<h2>Events that the server sends</h2><p>{self._sent()}</p><h2>Error codes</h2>{_table_of_codes()}",
        )

    def _table_of_routes(self) -> str:
        rows = (
            (
                f"<code>{route.method} {html.escape(route.path).replace('/', '/<wbr>')}</code>",
                html.escape(route.summary),
                "everybody" if route.auth == "nobody" else route.auth,
                html.escape(owner),
            )
            for owner, route in self._routes
        )
        return table(("Request", "What", "For", "Of"), rows)

    def _table_of_events(self) -> str:
        rows = (
            (
                f"<code>{html.escape(name)}</code>",
                html.escape(_fields(declared.schema)),
                html.escape(declared.summary),
                html.escape(owner),
            )
            for name, (owner, declared) in self._events.client_events().items()
        )
        return table(("Event", "Data", "What", "Of"), rows)

    def _sent(self) -> str:
        return ", ".join(f"<code>{html.escape(name)}</code>" for name in sorted(self._events.server_events()))


def _table_of_codes() -> str:
    rows = (
        (f"<code>{code}</code>", str(known.status), html.escape(known.text)) for code, known in sorted(CODES.items())
    )
    return table(("Code", "Status", "What"), rows)


def _path_parameter(name: str) -> dict[str, Any]:
    return {"in": "path", "name": name, "required": True, "schema": {"type": "string", "maxLength": 64}}


def _new_spec() -> Any:
    # Imported here: it costs a start 50 ms that most starts do not need.
    from apispec import APISpec
    from apispec.ext.marshmallow import MarshmallowPlugin

    return APISpec("anonchat", version("anonchat"), "3.1.0", plugins=[MarshmallowPlugin(schema_name_resolver=_name)])


def _name(schema: Schema | type[Schema]) -> str:
    """One component for each class, however many routes and events share it; plugins' own names cannot meet ours."""
    kind = schema if isinstance(schema, type) else type(schema)
    package = kind.__module__.partition(".")[0]
    return kind.__name__ if package == "anonchat" else f"{package}.{kind.__name__}"


def _reference(spec: Any, schema: Schema | None) -> dict[str, Any]:
    """A reference to the component of a schema, which is made if it is not there yet."""
    if schema is None:
        return {"type": "object"}
    name = _name(schema)
    if name not in spec.components.schemas:
        spec.components.schema(name, schema=type(schema))
    return {"$ref": f"#/components/schemas/{name}"}


def _message(name: str, owner: str, summary: str, data: dict[str, Any], *, durable: bool = False) -> dict[str, Any]:
    """An event as a frame. `id` stands on the direct answer to a frame that had one."""
    properties: dict[str, Any] = {"event": {"const": name}, "data": data}
    if durable:
        properties["seq"] = {"type": "integer"}
    required = list(properties)
    properties["id"] = {"type": ["string", "integer"]}
    payload = {"type": "object", "required": required, "properties": properties}
    return {"name": name, "summary": summary, "tags": [{"name": owner}], "payload": payload}


def _operation_of(action: str, prefix: str, messages: Mapping[str, Any]) -> dict[str, Any]:
    references = [{"$ref": f"#/channels/room/messages/{key}"} for key in messages if key.startswith(prefix)]
    return {"action": action, "channel": {"$ref": "#/channels/room"}, "messages": references}


def _fields(schema: Any) -> str:
    return ", ".join(f"{field.data_key}{'' if field.required else '?'}" for field in schema.fields.values()) or "none"
