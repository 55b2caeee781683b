"""Whether the fields of a declaration hold what its class says: dataclasses take anything, and fail when they are used."""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from marshmallow import Schema
from sqlalchemy import MetaData

from anonchat.plugins.declarations import ClientEvent, Job, Metric, Route, ServerEvent, Tables, WebAssets

_DECLARATIONS = (Route, ClientEvent, ServerEvent, Job, Metric, Tables, WebAssets)
# What a field of that kind takes, in words.
_WORDS: Mapping[object, str] = {
    str: "a text",
    int: "a whole number",
    float: "a number above 0",
    bool: "True or False",
    Path: "a pathlib.Path",
    Schema: "a schema object, made with ()",
    MetaData: "a sqlalchemy.MetaData",
    Callable: "a function written with async def",
    tuple: 'a tuple of texts, with a comma also after the only one: ("text",)',
}
# Docs and promises say that no metric tells of these.
_NOBODYS_LABELS = frozenset({"person", "user", "username", "session", "session_id", "room", "room_id", "address", "ip"})


def what_does_not_fit(item: object) -> str | None:
    """What is wrong with a field of a declaration, in words; None where all fits."""
    for name, kind in _kinds_of(item).items():
        value = getattr(item, name)
        if not _fits(value, kind):
            return f"gives {name}={value!r} in {_called(item)}; it takes {_told(kind)}"
    if isinstance(item, Metric) and (told := _NOBODYS_LABELS.intersection(item.labels)):
        return f"gives the label {min(told)!r} in {_called(item)}; no label may name a person, a room or an address"
    return None


def _kinds_of(item: object) -> Mapping[str, Any]:
    """Field -> what it takes; empty for what is no declaration of ours."""
    return next((_kinds(declaration) for declaration in _DECLARATIONS if isinstance(item, declaration)), {})


_kinds = functools.cache(get_type_hints)


def _fits(value: object, kind: Any) -> bool:
    match get_origin(kind):
        case None if kind is float:
            return isinstance(value, int | float) and math.isfinite(value) and value > 0
        case None:
            return isinstance(value, kind)
        case origin if origin is Literal:
            return value in get_args(kind)
        case origin if origin is UnionType:
            return any(_fits(value, one) for one in get_args(kind))
        case origin if origin is tuple:
            return isinstance(value, tuple | list) and all(isinstance(one, str) for one in value)
        case _:
            return _is_async(value)


def _is_async(function: object) -> bool:
    """Also of a decorated function, a partial one, and an object that is called. What a lambda answers is not known."""
    if not callable(function):
        return False
    written = inspect.unwrap(function)
    is_lambda = getattr(written, "__name__", "") == "<lambda>"
    return is_lambda or any(inspect.iscoroutinefunction(one) for one in (written, type(written).__call__))


def _told(kind: Any) -> str:
    origin = get_origin(kind)
    if origin is Literal:
        return "one of " + ", ".join(repr(word) for word in get_args(kind))
    if origin is UnionType:
        return " or ".join(_told(one) for one in get_args(kind) if one is not NoneType) + ", or None"
    return _WORDS[origin or kind]


def _called(item: object) -> str:
    """What an author finds it by."""
    name = getattr(item, "name", None) or getattr(item, "path", None)
    return type(item).__name__ + (f" {name!r}" if name is not None else "")
