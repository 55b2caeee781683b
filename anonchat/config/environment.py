"""Settings given by environment variables: ``ANONCHAT_<TABLE>__<SETTING>``, laid over what the file says.

Values stay texts that know their variable until a schema is at hand that tells what type is wanted (``cast_texts``);
so the table of a plugin, whose schema comes later, is treated as the core's are.
"""

import difflib
import json
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from marshmallow import Schema, fields

from anonchat.config.errors import input_fields
from anonchat.config.settings import TABLES, setting_fields
from anonchat.config.values import OrWord

PREFIX = "ANONCHAT_"
CONFIG_VARIABLE = "ANONCHAT_CONFIG"
PLUGIN_VARIABLE = re.compile(r"ANONCHAT_PLUGINS(__[A-Z][A-Z0-9]*(_[A-Z0-9]+)*){2,}")
# Kubernetes describes a service called "anonchat" or "anonchat-<something>" to every container by such variables.
SERVICE_VARIABLE = re.compile(r"ANONCHAT(_[A-Z0-9]+)*_(SERVICE_(HOST|PORT)|PORT_\d+_(TCP|UDP|SCTP))(_[A-Z0-9]+)*")
SERVICE_PORT = re.compile(r"(tcp|udp|sctp)://")
SWITCHES = MappingProxyType(
    dict.fromkeys(("true", "yes", "on", "1"), True) | dict.fromkeys(("false", "no", "off", "0"), False)
)
LITERALS = (fields.Number, fields.List, fields.Tuple, fields.Mapping, fields.Nested, fields.Raw)


class EnvironmentText(str):
    """The value of an environment variable, which still knows which one."""

    __slots__ = ("variable",)

    def __new__(cls, text: str, variable: str) -> "EnvironmentText":
        value = super().__new__(cls, text)
        value.variable = variable
        return value

    variable: str


def variable_name(table: str, setting: str) -> str:
    """The variable that gives a setting of the core."""
    return f"{PREFIX}{table}__{setting}".upper()


def overlay(document: dict[str, Any], environ: Mapping[str, str]) -> list[tuple[str, str]]:
    """Lay the settings of ``environ`` over a parsed file, in place; the answer is what could not be.

    An empty variable counts as not given: containers pass those on for everything that is not set.
    """
    problems = []
    for variable, text in _candidates(environ):
        keys = _setting_keys(variable)
        if not keys:
            problems.append((variable, _unknown_variable(variable)))
        elif text and not _put(document, keys, EnvironmentText(text, variable)):
            problems.append((".".join(keys), f"stands below a setting that is no table (from {variable})"))
    return problems


def cast_texts(values: Mapping[str, Any], schema: Schema) -> dict[str, Any]:
    """``values`` with each text of the environment turned into what its field in ``schema`` takes, where possible."""
    known = input_fields(schema)
    return {key: _cast(value, known.get(key)) for key, value in values.items()}


def variable_of(values: Any, keys: Iterable[str | int]) -> str | None:
    """The variable that gave the value at ``keys``, or the whole of which it is a part; ``None``: the file did."""
    for key in keys:
        if not isinstance(values, Mapping):
            break
        values = values.get(key)
    return values.variable if isinstance(values, EnvironmentText) else None


def _candidates(environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """The variables that mean anonchat, sorted: not those of test runs, nor those Kubernetes sets for a service."""
    for variable, text in sorted(environ.items()):
        if not variable.startswith(PREFIX) or variable == CONFIG_VARIABLE or variable.startswith(PREFIX + "TEST_"):
            continue
        described = "__" not in variable and SERVICE_VARIABLE.fullmatch(variable)
        if not described and not (variable.endswith("_PORT") and SERVICE_PORT.match(text)):
            yield variable, text


def _setting_keys(variable: str) -> tuple[str, ...]:
    """The keys a variable names, empty for none. Of the core's tables any second key will do: the schema judges it."""
    if variable != variable.upper():
        return ()
    keys = tuple(variable.removeprefix(PREFIX).lower().split("__"))
    if len(keys) == 2 and all(keys) and keys[0] in TABLES:
        return keys
    return keys if PLUGIN_VARIABLE.fullmatch(variable) else ()


def _unknown_variable(variable: str) -> str:
    names = [variable_name(table, setting) for table, kind in TABLES.items() for setting in setting_fields(kind)]
    near = difflib.get_close_matches(variable.upper(), [*names, CONFIG_VARIABLE], 1, 0.75)
    if near:
        return f"unknown variable; did you mean {near[0]}?"
    return f"unknown variable: unset it, or write {PREFIX}<TABLE>__<SETTING>, with two underscores between"


def _put(document: dict[str, Any], keys: tuple[str, ...], value: EnvironmentText) -> bool:
    """Set a nested key; ``False`` where a key on the way is no table."""
    for key in keys[:-1]:
        inner: object = document.setdefault(key, {})
        if not isinstance(inner, dict):
            return False
        document = inner
    document[keys[-1]] = value
    return True


def _cast(value: Any, wanted: fields.Field[Any] | None) -> Any:
    if isinstance(value, dict) and isinstance(wanted, fields.Nested) and not wanted.many:
        return cast_texts(value, wanted.schema)
    if isinstance(value, dict) and isinstance(wanted, fields.Mapping):
        return {key: _cast(inner, wanted.value_field) for key, inner in value.items()}
    if not isinstance(value, EnvironmentText):
        return value
    if isinstance(wanted, OrWord):
        wanted = wanted.inner
    if isinstance(wanted, fields.Boolean):
        return SWITCHES.get(value.strip().lower(), str(value))
    return _literal(value) if isinstance(wanted, LITERALS) else str(value)


def _literal(text: str) -> Any:
    """The value of a TOML or JSON literal; a text that is neither stays what it is, for the field to refuse."""
    try:
        parsed = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        parsed = {}
    if parsed.keys() == {"value"}:
        return parsed["value"]
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return str(text)
