"""Which backend a URL names."""

from __future__ import annotations

import difflib
import re
from importlib.metadata import EntryPoint
from typing import Any

from anonchat.clock import Clock
from anonchat.errors import StartError
from anonchat.installed import offered

GROUP = "anonchat.storage"
ROLES = ("database", "bus", "ephemeral")


def open_backend(role: str, url: str, clock: Clock) -> Any:
    """The backend of a role, one of `ROLES`, that the scheme of a URL names. Raises `StartError`."""
    check_login(role, url)
    scheme = url.partition(":")[0]
    found = {point.name: point for point in offered(GROUP)}
    point = found.get(f"{role}.{scheme}")
    if point is None:
        known = sorted(name.partition(".")[2] for name in found if name.startswith(f"{role}."))
        near = difflib.get_close_matches(scheme, known, 1)
        told = f"Did you mean {near[0]}://?" if near else f"Installed: {', '.join(known)}."
        raise StartError(f"[storage] {role} names the backend {scheme!r}, which is not installed. {told}")
    return load_backend(point)(url, clock)


def check_login(role: str, url: str) -> None:
    """Raise `StartError` where a password is not written as a URL wants it: a parser takes it apart, and tells its parts."""
    _, _, rest = url.partition("://")
    host = re.split(r"[/?#]", rest, maxsplit=1)[0]
    if host and "@" in rest[len(host) :]:
        raise StartError(
            f"[storage] {role} cannot be read as a URL: in user and password write % / ? # @ : as %25 %2F %3F %23 %40 %3A."
        )


def load_backend(point: EntryPoint) -> Any:
    """What an entry point names. Raises `StartError` if a package that it needs is not installed."""
    try:
        return point.load()
    except ModuleNotFoundError as error:
        extras = f" pip install 'anonchat[{','.join(point.extras)}]'" if point.extras else ""
        raise StartError(f"The storage backend {point.name} needs the Python package {error.name}.{extras}") from error
