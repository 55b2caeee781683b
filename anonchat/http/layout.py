"""The frame of the few pages that the server shows: static, no script, one small style sheet."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from anonchat.declarations import Answer

WEB = Path(__file__).parent.parent / "web"
STYLE = "/static/style.css"
PAGE_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def page_answer(title: str, body: str) -> Answer:
    """A page as the answer of a route."""
    headers = {"Content-Security-Policy": PAGE_POLICY}
    return Answer(page(title, body), headers=headers, content_type="text/html; charset=utf-8")


def page(title: str, body: str) -> bytes:
    """A whole page. `body` is HTML; `title` is text."""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<title>{html.escape(title)} · anonchat</title><link rel="stylesheet" href="{STYLE}"></head>'
        f"<body><main><h1>{html.escape(title)}</h1>{body}</main>"
        '<footer><a href="/">anonchat</a> · <a href="/privacy">What this server keeps</a> · <a href="/api/docs">API</a></footer>'
        "</body></html>"
    ).encode()


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; with more than two columns it becomes a list on a narrow screen. `heads` are text, the cells are HTML."""
    head = "".join(f"<th>{html.escape(text)}</th>" for text in heads)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    kind = " class=wide" if len(heads) > 2 else ""
    return f"<table{kind}><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def moment_text(milliseconds: int) -> str:
    """A time as people read it: 20 November 2026, 20:44 UTC."""
    moment = datetime.fromtimestamp(milliseconds / 1_000, UTC)
    return f"{moment.day} {moment:%B %Y, %H:%M} UTC"


def span_text(seconds: float) -> str:
    """A length of time in the largest unit that divides it: 2 hours, 90 minutes."""
    for unit, size in (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1)):
        if seconds >= size and seconds % size == 0:
            count = int(seconds // size)
            return f"{count} {unit}{'s' if count != 1 else ''}"
    return f"{seconds:g} seconds"
