"""The statements that a package builds once, when it is imported: those that stand in its modules.

What a function builds anew is not among them. That is rare, since a backend keeps statements compiled by their identity.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from types import ModuleType

from sqlalchemy import TextClause
from sqlalchemy.sql import ClauseElement
from sqlalchemy.sql.base import Executable


def built_by(package: str) -> Iterator[tuple[str, ClauseElement]]:
    """(name, statement) of every statement of a package, also of those in tuples, lists and dicts."""
    for module in _modules(package):
        for name, value in vars(module).items():
            if not name.startswith("__"):
                yield from inside(f"{module.__name__}.{name}", value)


def inside(name: str, value: object) -> Iterator[tuple[str, ClauseElement]]:
    """Likewise, of one value. A piece of text is a part of a statement: the condition of an index, for example."""
    if isinstance(value, Mapping):
        for key, entry in value.items():
            yield from inside(f"{name}[{key!r}]", entry)
    elif isinstance(value, tuple | list | set | frozenset):
        for number, entry in enumerate(value):
            yield from inside(f"{name}[{number}]", entry)
    elif isinstance(value, ClauseElement) and isinstance(value, Executable) and not isinstance(value, TextClause):
        yield name, value


def _modules(package: str) -> Iterator[ModuleType]:
    """All modules but migrations, which build their statements for one run, and what starts a program."""
    root = importlib.import_module(package)
    yield root
    for found in pkgutil.walk_packages(root.__path__, f"{package}."):
        if ".migrations" not in found.name and not found.name.endswith(".__main__"):
            yield importlib.import_module(found.name)
