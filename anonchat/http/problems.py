"""How a request is refused: problem+json (RFC 9457), and the headers that stand on every answer."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import orjson
from tornado.web import HTTPError, RequestHandler

from anonchat.errors import ChatError

SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-store",
}
# What Tornado refuses by itself, in our words. 400 is a path or query that is not UTF-8.
_CODES = {400: "validation_failed", 404: "not_found", 405: "method_not_allowed", 413: "too_large"}


def set_security_headers(handler: RequestHandler) -> None:
    """What every answer carries, refusals too; nothing says which software answers."""
    handler.clear_header("Server")
    for name, value in SECURITY_HEADERS.items():
        handler.set_header(name, value)


def refuse(handler: RequestHandler, error: ChatError) -> None:
    """Finish the request with an error."""
    body: dict[str, Any] = {
        "type": f"urn:anonchat:{error.code}",
        "title": HTTPStatus(error.status).phrase,
        "status": error.status,
        "code": error.code,
        "detail": error.message,
    }
    if error.errors:
        body["errors"] = error.errors
    if error.retry_after_ms is not None:
        body["retryAfterMs"] = error.retry_after_ms
        handler.set_header("Retry-After", str(-(-error.retry_after_ms // 1_000)))
    if error.status == 401:
        handler.set_header("WWW-Authenticate", "Bearer")  # RFC 9110, 11.6.1
    handler.set_status(error.status)
    handler.set_header("Content-Type", "application/problem+json")
    handler.finish(orjson.dumps(body))


def problem_of(status: int, cause: BaseException | None) -> ChatError:
    """What is told of a failure outside of a route: the coded error that caused it, or one for Tornado's status."""
    if isinstance(cause, ChatError):
        return cause
    return ChatError(_CODES.get(status, "internal"))


def is_ours(cause: BaseException | None) -> bool:
    """Whether a failure is the server's and belongs in the log, and not the client's."""
    return cause is not None and not isinstance(cause, HTTPError | ChatError)
