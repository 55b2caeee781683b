"""The documents of a server, held against what it really sends."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.request import ProxyHandler, build_opener

from jsonschema import Draft202012Validator
from jsonschema.protocols import Validator


class Contract:
    """OpenAPI and AsyncAPI of one server. A field that they do not name is a breach, too, so that none goes undeclared."""

    def __init__(self, openapi: Mapping[str, Any], asyncapi: Mapping[str, Any]) -> None:
        self.paths = tuple(openapi["paths"])
        self._paths = {_pattern(path): operations for path, operations in openapi["paths"].items()}
        self._rest = _closed(openapi["components"]["schemas"])
        self._live = _closed(asyncapi["components"]["schemas"])
        messages = asyncapi["components"]["messages"]
        self._events = {
            key.removeprefix("server."): self._validator(message["payload"], self._live)
            for key, message in messages.items()
            if key.startswith("server.")
        }
        self.seen: set[str] = set()
        """Events and "METHOD path" that were checked."""

    @classmethod
    def of(cls, url: str) -> Contract:
        """Read the documents of the server at `url`."""
        opener = build_opener(ProxyHandler({}))
        documents = []
        for name in ("openapi", "asyncapi"):
            with opener.open(f"{url}/api/{name}.json", timeout=10) as answer:
                documents.append(json.load(answer))
        return cls(*documents)

    def check_event(self, frame: Mapping[str, Any]) -> None:
        """Raises AssertionError or ValidationError for an event that AsyncAPI describes otherwise, or not at all."""
        assert frame["event"] in self._events, f"{frame['event']} is not declared"
        self._events[frame["event"]].validate(frame)
        self.seen.add(frame["event"])

    def check_answer(self, method: str, path: str, status: int, body: Any, kind: str) -> None:
        """Raises AssertionError or ValidationError for an answer that OpenAPI describes otherwise."""
        if status >= 400 and kind == "application/problem+json":
            self._validator({"$ref": "#/components/schemas/Problem"}, self._rest).validate(body)
            return
        found = [entry for entry in self._paths.items() if entry[0].fullmatch(path.partition("?")[0])]
        if not found or method.lower() not in found[0][1]:
            return
        answers = found[0][1][method.lower()]["responses"]
        assert str(status) in answers, f"{method} {path} answered {status}"
        content = answers[str(status)]["content"].get("application/json")
        if content is not None:
            self._validator(content["schema"], self._rest).validate(body)
        self.seen.add(f"{method} {found[0][0].pattern}")

    @staticmethod
    def _validator(schema: Mapping[str, Any], components: Mapping[str, Any]) -> Validator:
        return Draft202012Validator({**schema, "components": {"schemas": components}})


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(path)))


def _closed(schemas: Mapping[str, Any]) -> dict[str, Any]:
    """The schemas without room for fields that they do not name."""
    return {
        name: {"additionalProperties": False, **schema} if "properties" in schema else schema
        for name, schema in schemas.items()
    }
