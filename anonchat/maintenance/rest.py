"""One request to a running server, from a command."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

from anonchat.config import Settings

SECONDS = 10.0
ANSWER_BYTES = 1_000_000
EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}


class Unreachable(Exception):
    """Nobody answers; the text says why."""


def local_address(settings: Settings) -> str:
    """Where a server with these settings listens, seen from this machine."""
    host = EVERYWHERE.get(settings.server.host, settings.server.host)
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.server.port}"


def call(
    method: str, url: str, body: Mapping[str, Any] | None = None, token: str | None = None, seconds: float = SECONDS
) -> tuple[int, dict[str, Any]]:
    """Status and JSON of the answer, empty if it is none of ours. Raises `Unreachable`."""
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    data = json.dumps(body).encode() if body is not None else None
    try:
        request = urllib.request.Request(url, data, headers, method=method)
        with urllib.request.urlopen(request, timeout=seconds) as answer:
            return answer.status, _json(answer.read(ANSWER_BYTES))
    except urllib.error.HTTPError as error:
        with error:
            return error.code, _json(error.read(ANSWER_BYTES))
    except urllib.error.URLError as error:
        reason = error.reason
        raise Unreachable(getattr(reason, "strerror", None) or str(reason)) from error
    except (OSError, ValueError) as error:
        raise Unreachable(str(error)) from error


def _json(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
