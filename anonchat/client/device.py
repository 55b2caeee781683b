"""What lets a person take their own name again after the chat was closed: secrets that stay on this machine.

Chats that run in one room at the same time are different people to the server (somebody shares a machine, or tries out
both sides), so each of them has a device of its own. Who comes back, under whatever name, has the device from before.
"""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import os
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

SECRET_BYTES = 32
DEVICES = 8  # that are kept; each is a file that only its owner may read
ROOMS = 2**40  # positions in a file, one for each room that a chat may run in; two rooms may share one


@dataclass(frozen=True, slots=True)
class Device:
    """A device of this machine in one room. Two rooms cannot find out that their ids come from the same secret."""

    id: str
    is_free: bool
    """Whether no other chat in the room uses it; none will until this is released, or the process ends."""
    _descriptor: int | None = field(default=None, repr=False)

    def release(self) -> None:
        """Another chat may use it. Once."""
        if self._descriptor is not None:
            os.close(self._descriptor)


def devices_for(room_id: str, folder: Path | None = None) -> Sequence[Device]:
    """The devices of this machine: first one or more that are free, then those in use. The caller releases all of them.

    A new one is made only where no other is free; where none can be kept, a passing one takes its place.
    """
    paths = list(_paths(folder or _state_folder()))
    found = [device for path in paths if path.exists() and (device := _open(path, room_id)) is not None]
    free = [device for device in found if device.is_free]
    if not free:
        new = next((path for path in paths if not path.exists()), None)
        made = _open(new, room_id) if new is not None else None
        free = [made or _device(secrets.token_bytes(SECRET_BYTES), room_id)]
    return [*free, *(device for device in found if not device.is_free)]


def _state_folder() -> Path:
    """By the XDG Base Directory specification."""
    given = os.environ.get("XDG_STATE_HOME")
    return (Path(given) if given else Path.home() / ".local" / "state") / "anonchat"


def _paths(folder: Path) -> Iterator[Path]:
    for number in range(1, DEVICES + 1):
        yield folder / ("device" if number == 1 else f"device-{number}")


def _open(path: Path, room_id: str) -> Device | None:
    """The device of a file, which is made if need be; None where that is not possible."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError:
        return None
    try:
        return _device(_read_or_make(descriptor), room_id, _lock(descriptor, room_id), descriptor)
    except OSError:
        os.close(descriptor)
        return None


def _device(secret: bytes, room_id: str, is_free: bool = True, descriptor: int | None = None) -> Device:
    return Device(hmac.new(secret, room_id.encode(), hashlib.sha256).hexdigest(), is_free, descriptor)


def _read_or_make(descriptor: int) -> bytes:
    """Of two chats that begin at once, both have the secret of the one that was first."""
    fcntl.lockf(descriptor, fcntl.LOCK_EX, SECRET_BYTES)
    try:
        secret = os.pread(descriptor, SECRET_BYTES, 0)
        if len(secret) < SECRET_BYTES:
            secret = secrets.token_bytes(SECRET_BYTES)
            os.pwrite(descriptor, secret, 0)
        return secret
    finally:
        fcntl.lockf(descriptor, fcntl.LOCK_UN, SECRET_BYTES)


def _lock(descriptor: int, room_id: str) -> bool:
    """Take the device for this room, until the process ends or closes the file. Answers whether it was free.

    What is locked is one byte behind the end of the file, so that nothing on the disk tells of the room.
    """
    digest = hashlib.sha256(room_id.encode()).digest()
    position = SECRET_BYTES + int.from_bytes(digest[:8]) % ROOMS
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, position)
    except OSError:
        return False
    return True
