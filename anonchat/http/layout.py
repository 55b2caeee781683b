"""The frame of the few pages that the server shows: static, no script, one small style sheet."""

from __future__ import annotations

import html
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
