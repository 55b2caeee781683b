"""Processes of this machine, as Linux tells of them below ``/proc``. Elsewhere nothing is found."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

PROC = Path("/proc")
LISTENS = "0A"


def open_files_of_listener(port: int) -> int | None:
    """How many files the process that listens on a port may open; None if that cannot be known to this user."""
    sockets = {f"socket:[{inode}]" for inode in _listening(port)}
    for folder in PROC.glob("[0-9]*") if sockets else ():
        if sockets.isdisjoint(_open_files(folder)):
            continue
        with suppress(OSError):
            limit, _ = resource.prlimit(int(folder.name), resource.RLIMIT_NOFILE)
            return limit
    return None


def _listening(port: int) -> Iterator[str]:
    """The numbers of sockets that listen on a port, on whatever address."""
    for family in ("tcp", "tcp6"):
        with suppress(OSError):
            for line in (PROC / "net" / family).read_text().splitlines()[1:]:
                _, local, _, state, *_, inode = line.split()[:10]
                if state == LISTENS and int(local.rpartition(":")[2], 16) == port:
                    yield inode


def _open_files(process: Path) -> Iterator[str]:
    """What a process has open. Nothing if it is somebody else's; what it closes meanwhile is left out."""
    with suppress(OSError):
        for descriptor in (process / "fd").iterdir():
            with suppress(OSError):
                yield str(descriptor.readlink())
