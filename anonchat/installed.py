"""What installed packages offer under the names of entry points: plugins and storage backends."""

from __future__ import annotations

import functools
import sys
from importlib.metadata import EntryPoints, entry_points


def offered(group: str) -> EntryPoints:
    """The entry points of a group, of all packages that can be imported. Nothing of them is imported."""
    return _read(group, tuple(sys.path))


@functools.lru_cache(maxsize=8)
def _read(group: str, path: tuple[str, ...]) -> EntryPoints:
    """Read once: it looks into every package that is installed, and a start asks several times."""
    return entry_points(group=group)
