"""The frames of the pages: the few that are static, without any script, and those in which the web client runs."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from anonchat.http.assets import Assets
from anonchat.plugins.declarations import Answer

STYLES = ("tokens.css", "style.css")
CLIENT_STYLES = (*STYLES, "client.css")
PAGE_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


# Nothing may be written into the page as HTML either, where browsers can hold that.
_CLIENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; manifest-src 'self'; "
    "base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'; frame-ancestors "
)


def client_policy(embedders: str = "'none'") -> str:
    """The policy of a page of the web client. `embedders`: whose pages may show it inside of theirs."""
    return _CLIENT_POLICY + embedders


def page_answer(title: str, body: str) -> Answer:
    """A page as the answer of a route."""
    headers = {"Content-Security-Policy": PAGE_POLICY}
    return Answer(page(title, body), headers=headers, content_type="text/html; charset=utf-8")


def page(title: str, body: str) -> bytes:
    """A whole page. `body` is HTML; `title` is text."""
    links = "".join(f'<link rel="stylesheet" href="/static/anonchat/{name}">' for name in STYLES)
    return _document(title, links, _content(title, body))


def client_page(title: str, body: str, assets: Sequence[Assets], *, is_embedded: bool = False) -> bytes:
    """A page in which the web client runs. `body` is HTML for browsers without scripts; the client's own assets are first.

    What an embedded page links to is opened in a window of its own, for no other page of ours can be embedded.
    """
    own, *plugins = assets
    links = [
        *(['<base target="_blank">'] if is_embedded else []),
        *(f'<link rel="stylesheet" href="{own.url(name)}">' for name in CLIENT_STYLES),
        f'<link rel="icon" href="{own.url("icon.svg")}"><link rel="apple-touch-icon" href="{own.url("icon-180.png")}">',
        f'<link rel="manifest" href="{own.url("app.webmanifest")}">',
        *(f'<link rel="modulepreload" href="{own.url(name)}">' for name in own.needed),
        *(f'<meta name="plugin" data-owner="{one.owner}" content="{one.url(one.module)}">' for one in plugins),
        f'<script type="module" src="{own.url(own.module)}"></script>',
    ]
    return _document(title, "".join(links), f'<div id="app"></div><noscript>{_content(title, body)}</noscript>')


def _document(title: str, links: str, content: str) -> bytes:
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1, viewport-fit=cover, '
        'interactive-widget=resizes-content">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>{html.escape(title)} · anonchat</title>{links}</head><body>{content}</body></html>"
    ).encode()


def _content(title: str, body: str) -> str:
    return (
        f'<div class="document"><main><h1>{html.escape(title)}</h1>{body}</main>'
        '<footer><a href="/">anonchat</a> · <a href="/privacy">What this server keeps</a> · <a href="/api/docs">API</a></footer>'
        "</div>"
    )


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
