"""Ids and secrets: how they are made, and how secrets are stored."""

from __future__ import annotations

import hashlib
import hmac
import random
import secrets
import uuid


def new_id() -> str:
    """A random UUID (version 4) in text form, for what needs no order: rooms, sessions, invites."""
    return str(uuid.uuid4())


class MessageIds:
    """Time-ordered UUIDs (version 7) in text form, for one writer: each is above the one before.

    So the index of messages only grows at its end, and messages of one millisecond keep their order. The 12 bits after
    the time count within it (RFC 9562 section 6.2, method 1); 62 bits are random. An id is a name, not a secret.
    """

    def __init__(self) -> None:
        self._last = 0

    def next(self, now: int) -> str:
        """The next id; `now` is in milliseconds. A clock that was set back does not set the ids back."""
        self._last = max(self._last + 1, now << 12)
        number = (self._last >> 12) << 80 | 0x7 << 76 | (self._last & 0xFFF) << 64 | 0b10 << 62 | random.getrandbits(62)
        text = f"{number:032x}"
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def new_token() -> str:
    """A secret of 256 random bits as 64 hex digits."""
    return secrets.token_hex(32)


def new_invite_token() -> str:
    """A secret of 144 random bits that is short enough for a link: 24 URL-safe characters."""
    return secrets.token_urlsafe(18)


def token_hash(token: str) -> str:
    """What is stored of a random token: SHA-256 in hex. Tokens carry at least 128 random bits, so no salt is needed."""
    return hashlib.sha256(token.encode()).hexdigest()


def keyed_hash(key: str, *parts: str) -> str:
    """HMAC-SHA-256 in hex of `parts` under `key`: stands in for a value that must not be stored (a device, a network)."""
    return hmac.new(key.encode(), "\0".join(parts).encode(), hashlib.sha256).hexdigest()
