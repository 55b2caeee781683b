"""What is wrong with a configuration, in words: where, what, and what to do about it."""

import difflib
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from marshmallow import Schema, fields

from anonchat.config.settings import TABLES, setting_fields
from anonchat.errors import StartError

BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")

Keys = tuple[str | int, ...]
Problem = tuple[str, str]


class ConfigError(StartError):
    """A configuration no server may start with.

    ``errors`` holds a ``(path, message)`` for each problem, such as ``("limits.text_length", "must be a whole ...")``;
    the path of a problem with a file or with an unknown environment variable is its name. No message holds a value.
    """

    def __init__(self, errors: Iterable[Problem]) -> None:
        self.errors = [(path, " ".join(message.split())) for path, message in errors]
        super().__init__(self.errors)

    def __str__(self) -> str:
        count = "1 error" if len(self.errors) == 1 else f"{len(self.errors)} errors"
        return "\n".join([f"{count} in the configuration:", *(f"  {path}: {text}" for path, text in self.errors)])


def path_text(keys: Keys) -> str:
    """Keys as TOML writes them: ``server.trusted_proxies[1]``, ``plugins."odd name"``."""
    written = ""
    for key in keys:
        if isinstance(key, int):
            written += f"[{key}]"
        else:
            written += ("." if written else "") + (key if BARE_KEY.fullmatch(key) else json.dumps(key))
    return written


def refusals(messages: Any, schema: Schema | None, table: Keys, inner: Keys = ()) -> Iterator[tuple[Keys, str]]:
    """The messages of a marshmallow error, each with its keys below ``table``; unknown keys get a suggestion."""
    if not isinstance(messages, dict):
        for message in messages if isinstance(messages, list) else [messages]:
            yield inner, str(message)
        return
    known = input_fields(schema) if schema else {}
    for key, below in messages.items():
        if key == "_schema":
            yield from refusals(below, None, table, inner)
        elif schema and isinstance(key, str) and key not in known:
            yield (*inner, key), unknown_setting((*table, *inner, key), known)
        else:
            yield from refusals(below, _nested_schema(schema, known, key), table, (*inner, key))


def unknown_setting(keys: Keys, siblings: Iterable[str]) -> str:
    """What to say of a key nobody knows: the sibling it is a slip of, or the table where it belongs."""
    *table, key = keys
    near = difflib.get_close_matches(str(key), siblings, 1)
    if near:
        return f"unknown setting; did you mean {path_text((*table, near[0]))}?"
    for name, kind in TABLES.items():
        if key in setting_fields(kind):
            return f"unknown setting; did you mean {name}.{key}?"
    if table == ["plugins"]:
        return f"unknown setting; the settings of a plugin stand in a table of its own, [plugins.{key}]"
    return "unknown setting: remove it; there are " + (", ".join(siblings) or "none here")


def with_variables(message: str, variables: Iterable[str | None]) -> str:
    """The message, with the environment variables that gave what it speaks of."""
    named = ", ".join(variable for variable in variables if variable)
    return f"{message} (from {named})" if named else message


def input_fields(schema: Schema) -> dict[str, fields.Field[Any]]:
    """The fields of a schema by the keys they are loaded from."""
    return {entry.data_key or name: entry for name, entry in schema.load_fields.items()}


def _nested_schema(schema: Schema | None, known: dict[str, fields.Field[Any]], key: str | int) -> Schema | None:
    """The schema that judges what stands at ``key``; an index of a list of tables leads to the same one."""
    if isinstance(key, int):
        return schema
    entry = known.get(key)
    if isinstance(entry, fields.List):
        entry = entry.inner
    return entry.schema if isinstance(entry, fields.Nested) else None
