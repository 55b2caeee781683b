"""Which backend a URL names."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from typing import Any

from anonchat.clock import Clock
from anonchat.errors import StartError


def open_backend(role: str, url: str, clock: Clock) -> Any:
    """The backend of a role ("database", "bus", "ephemeral") that the scheme of a URL names. Raises `StartError`."""
    scheme = url.partition(":")[0]
    found = {point.name: point for point in entry_points(group="anonchat.storage")}
    point = found.get(f"{role}.{scheme}")
    if point is None:
        known = ", ".join(sorted(name.partition(".")[2] for name in found if name.startswith(f"{role}.")))
        raise StartError(f"[storage] {role} names the backend {scheme!r}, which is not installed. Installed: {known}.")
    return load_backend(point)(url, clock)


def load_backend(point: EntryPoint) -> Any:
    """What an entry point names. Raises `StartError` if a package that it needs is not installed."""
    try:
        return point.load()
    except ModuleNotFoundError as error:
        extras = f" pip install 'anonchat[{','.join(point.extras)}]'" if point.extras else ""
        raise StartError(f"The storage backend {point.name} needs the Python package {error.name}.{extras}") from error
