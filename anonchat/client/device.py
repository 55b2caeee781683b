"""What lets a person take their own name again after the chat was closed: a secret that stays on this machine."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from pathlib import Path


def device_id(room_id: str, folder: Path | None = None) -> str:
    """A value for this machine and this room. Two rooms cannot find out that they were given the same secret.

    The secret is a file that only its owner may read; where none can be kept, a passing one takes its place.
    """
    path = (folder or _state_folder()) / "device"
    try:
        secret = _read_or_make(path)
    except OSError:
        secret = secrets.token_bytes(32)
    return hmac.new(secret, room_id.encode(), hashlib.sha256).hexdigest()


def _state_folder() -> Path:
    """By the XDG Base Directory specification."""
    given = os.environ.get("XDG_STATE_HOME")
    return (Path(given) if given else Path.home() / ".local" / "state") / "anonchat"


def _read_or_make(path: Path) -> bytes:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        kept = path.read_bytes()
        return kept if len(kept) >= 32 else secrets.token_bytes(32)
    secret = secrets.token_bytes(32)
    with os.fdopen(descriptor, "wb") as file:
        file.write(secret)
    return secret
