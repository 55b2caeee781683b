"""One request to a running server, from a command."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from http.client import HTTPException
from typing import Any, NoReturn
from urllib.parse import urlsplit

from anonchat.config import Settings
from anonchat.config.rules import is_loopback

SECONDS = 10.0
ANSWER_BYTES = 1_000_000
EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}


class Unreachable(Exception):
    """Nobody answers; the text says why."""


class Redirected(Exception):
    """Who answers sends us elsewhere; the text says where."""


class _StaysHere(urllib.request.HTTPRedirectHandler):
    """A redirected POST would arrive as GET, and carry the operator's token wherever it is sent."""

    def redirect_request(
        self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> NoReturn:
        fp.close()
        raise Redirected(newurl)


def local_address(settings: Settings) -> str:
    """Where a server with these settings listens, seen from this machine."""
    host = EVERYWHERE.get(settings.server.host, settings.server.host)
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.server.port}"


def call(
    method: str, url: str, body: Mapping[str, Any] | None = None, token: str | None = None, seconds: float = SECONDS
) -> tuple[int, dict[str, Any]]:
    """Status and JSON of the answer, empty if it is none of ours. Raises `Unreachable` and `Redirected`."""
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    data = json.dumps(body).encode() if body is not None else None
    try:
        request = urllib.request.Request(url, data, headers, method=method)
        with _opener(url).open(request, timeout=seconds) as answer:
            return answer.status, _json(answer.read(ANSWER_BYTES))
    except urllib.error.HTTPError as error:
        with error:
            return error.code, _json(error.read(ANSWER_BYTES))
    except urllib.error.URLError as error:
        reason = error.reason
        raise Unreachable(getattr(reason, "strerror", None) or str(reason)) from error
    except (OSError, ValueError, HTTPException) as error:
        raise Unreachable(str(error)) from error


def _opener(url: str) -> urllib.request.OpenerDirector:
    """A proxy, where one is set, is asked for other machines only: it would get to see the operator's token."""
    here = is_loopback(urlsplit(url).hostname or "")
    return urllib.request.build_opener(_StaysHere, *([urllib.request.ProxyHandler({})] if here else []))


def _json(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
