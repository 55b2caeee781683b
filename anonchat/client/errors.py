"""What can go wrong for a client. `str(error)` is a sentence for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

PASSING = frozenset({"rate_limited", "overloaded", "storage_full", "storage_unavailable", "going_away"})
"""Refusals after which the same is tried again by itself."""


class ClientError(Exception):
    """The base of all errors of this package."""


class LinkError(ClientError, ValueError):
    """What should be a link into a room is none."""


class NotReachable(ClientError):
    """The server cannot be reached, does not answer, or is no anonchat server. Trying again may help.

    `retry_after` is in seconds, where the server has said when to come back.
    """

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        self.retry_after = retry_after
        super().__init__(message)


class NotOurs(ClientError):
    """What answers does not speak the protocol, or not like this. `what` is the odd thing, in words."""

    def __init__(self, what: str) -> None:
        super().__init__(f"This server does not speak anonchat's protocol ({what}).")


class ChatRefused(ClientError):
    """The server has answered no. `code` is one of the protocol's error codes; `retry_after` is in seconds."""

    def __init__(
        self, code: str, message: str, retry_after: float | None = None, errors: Mapping[str, Any] | None = None
    ) -> None:
        self.code = code
        self.message = message
        self.retry_after = retry_after
        self.errors = errors or {}
        super().__init__(message)

    @classmethod
    def told(cls, data: Mapping[str, Any]) -> ChatRefused:
        """From the data of the event `error`, or from a body of problem+json."""
        wait = data.get("retryAfterMs")
        code = str(data.get("code"))
        message = str(data.get("message") or data.get("detail") or code)
        return cls(code, message, wait / 1000 if isinstance(wait, int | float) else None, data.get("errors"))


class ChatClosed(ClientError):
    """The chat is over: left, removed, ended, or closed by this program. `code` is the WebSocket's close code."""

    def __init__(self, code: int, reason: str) -> None:
        self.code = code
        self.reason = reason
        super().__init__(f"The chat is over: {reason or code}.")


class OutboxFull(ClientError):
    """As many messages as are allowed wait already for the connection to come back."""

    def __init__(self) -> None:
        super().__init__("Too many messages wait to be sent; try again when some have gone.")
