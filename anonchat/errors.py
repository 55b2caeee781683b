"""Coded errors: everything that a client may be told, over REST and over the WebSocket alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

import orjson

_REFUSALS = frozenset(status.value for status in HTTPStatus if status.value >= 400)


@dataclass(frozen=True, slots=True)
class ErrorCode:
    """What a code means: its HTTP status, the close code where it ends a socket, and a sentence for people."""

    status: int
    text: str
    close: int | None = None


CODES: Mapping[str, ErrorCode] = {
    "validation_failed": ErrorCode(422, "Something in the request is not as it should be; see the list of errors."),
    "unknown_event": ErrorCode(422, "This server does not know that event. Is its plugin switched on?"),
    "bad_frame": ErrorCode(422, 'A frame must be a JSON object like {"event": "...", "data": {}}.'),
    "not_identified": ErrorCode(401, 'Identify first: send {"event": "identify", "data": {"token": "..."}}.', 4401),
    "invalid_token": ErrorCode(401, "This session is not known here (any more). Join the room again.", 4401),
    "session_expired": ErrorCode(401, "This session has ended. Join the room again.", 4401),
    "forbidden": ErrorCode(403, "You may not do that."),
    "not_moderator": ErrorCode(403, "Only moderators may do that."),
    "rank_too_low": ErrorCode(403, "You may not act on somebody of your own or a higher rank."),
    "muted": ErrorCode(403, "You are muted for now."),
    "slow_mode": ErrorCode(403, "Slow mode is on; wait a moment before the next message."),
    "message_refused": ErrorCode(403, "This message was refused by the rules of the room."),
    "invalid_invite": ErrorCode(
        403, "This link does not open the room: it is wrong, used up, expired or revoked. Ask for a new one."
    ),
    "room_closed": ErrorCode(403, "The room is closed; nobody new can come in."),
    "banned": ErrorCode(403, "You are banned from this room.", 4403),
    "kicked": ErrorCode(403, "You were asked to leave this room for now.", 4403),
    "room_not_found": ErrorCode(404, "There is no such room."),
    "message_not_found": ErrorCode(404, "There is no such message in this room."),
    "poll_not_found": ErrorCode(404, "There is no such poll in this room."),
    "not_found": ErrorCode(404, "There is nothing here."),
    "method_not_allowed": ErrorCode(405, "This address does not answer that method; see the header Allow."),
    "username_taken": ErrorCode(409, "That name, or one that looks like it, is taken. Choose another."),
    "username_invalid": ErrorCode(422, "That name cannot be used."),
    "name_lost": ErrorCode(409, "You were away for long and somebody else has your name now. Join again with another."),
    "room_full": ErrorCode(409, "The room is full. Try again when somebody has left."),
    "already_voted": ErrorCode(409, "You have voted already."),
    "poll_closed": ErrorCode(409, "This poll is closed."),
    "unknown_option": ErrorCode(409, "This poll has no such option."),
    "too_many_pins": ErrorCode(409, "No more messages can be pinned; unpin one first."),
    "edit_window_over": ErrorCode(409, "This message is too old to be changed."),
    "conflict": ErrorCode(409, "This does not fit the present state."),
    "room_ended": ErrorCode(410, "The room has ended and what was in it is deleted.", 4410),
    "text_too_long": ErrorCode(413, "The text is too long."),
    "too_large": ErrorCode(413, "That is too large."),
    "misdirected": ErrorCode(421, "This server does not answer for that host name."),
    "rate_limited": ErrorCode(429, "Too many requests; wait a moment.", 4429),
    "plugin_failed": ErrorCode(500, "A part of the server failed on this; the operator has been told."),
    "internal": ErrorCode(500, "The server failed on this; the operator has been told."),
    "storage_full": ErrorCode(503, "The server's disk is full: nothing can be written for now.", 1013),
    "storage_unavailable": ErrorCode(503, "The server cannot reach its storage for now.", 1013),
    "overloaded": ErrorCode(503, "The server has too much to do for now.", 1013),
    "going_away": ErrorCode(503, "The server is restarting; come back in a moment.", 1001),
}


class ChatError(Exception):
    """An error with a code of `CODES`, told to whoever caused it.

    `message` replaces the code's own sentence; `errors` maps field paths to messages; `retry_after_ms` says when to
    try again. A plugin may use its own code as ``<plugin>.<code>`` with a status.
    """

    def __init__(
        self,
        code: str,
        message: str | None = None,
        *,
        errors: Mapping[str, object] | None = None,
        retry_after_ms: int | None = None,
        status: int | None = None,
    ) -> None:
        known = CODES.get(code)
        self.code = code
        self.message = message or (known.text if known else code)
        self.errors = errors
        self.retry_after_ms = retry_after_ms
        self.status = status or (known.status if known else 409)
        self.close = known.close if known else None
        super().__init__(f"{code}: {self.message}")

    @property
    def can_be_told(self) -> bool:
        """Whether it can be written as an answer: a plugin may have put anything into it."""
        has_types = (
            all(isinstance(text, str) for text in (self.code, self.message))
            and (self.retry_after_ms is None or type(self.retry_after_ms) is int)
            and type(self.status) is int
        )
        try:
            orjson.dumps((self.code, self.message, self.retry_after_ms, self.errors))
        except TypeError:
            return False
        return has_types and self.status in _REFUSALS


class StartError(Exception):
    """The server cannot start; the text says what is wrong and what to do about it."""


class NotYet(StartError):
    """The server cannot start now, for it needs something that is away; the same start may succeed in a moment."""
