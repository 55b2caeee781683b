"""Links are found with and without a scheme, and what only looks like one is not."""

from __future__ import annotations

import pytest

from anonchat_moderation.content.folding import Text
from anonchat_moderation.content.rules.links import Links, hosts_of


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("http://a.b", "a.b"),
        ("see https://example.com/x?y#z", "example.com"),
        ("HTTPS:\\\\evil.com", "evil.com"),
        ("http:/evil.com", "evil.com"),
        ("hxxp://evil.zz", "evil.zz"),
        ("ftp://user:pass@evil.zz:21/x", "evil.zz"),
        ("tg://join?invite=x", "join"),
        ("write to mailto:bob@evil.zz?subject=x", "evil.zz"),
        ("magnet:?xt=urn:btih:1", ""),
        ("javascript:alert(1)", "alert(1"),
        ("go to example.com.", "example.com"),
        ("(example.com)", "example.com"),
        ("look...example.com", "example.com"),
        ("_example.com_", "_example.com"),
        ("www.example.to", "www.example.to"),
        ("youtu.be/xyz", "youtu.be"),
        ("t.me/raid", "t.me"),
        ("evil.so:8080", "evil.so"),
        ("discord.gg", "discord.gg"),
        ("1.2.3.4", "1.2.3.4"),
        ("http://3232235777/", "3232235777"),
        ("-https://evil.zz/x", "evil.zz"),
        ("look\u2026https://evil.zz", "evil.zz"),
        ("+hxxp://evil.zz", "evil.zz"),
        ("\u00e4\u200bhttps://evil.zz/x", "evil.zz"),
        ("\u00e4https:///evil.zz", "evil.zz"),
        ("xn--e1afmkfd.xn--p1ai", "xn--e1afmkfd.xn--p1ai"),
        ("пример.рф", "пример.рф"),
        ("\uff45\uff58\uff41\uff4d\uff50\uff4c\uff45\uff0e\uff43\uff4f\uff4d", "example.com"),
        ("example。com", "example.com"),
        ("exa\u200bmple.com", "example.com"),
        ("example[.]com", "example.com"),
        ("example (dot) com", "example.com"),
        ("example dot com", "example.com"),
        ("example . com", "example.com"),
    ],
)
def test_found(text: str, host: str) -> None:
    assert host in set(hosts_of(Text(text)))


@pytest.mark.parametrize(
    "text",
    [
        "That was the end.So what",
        "yes.It is",
        "e.g. this, i.e. that, etc.",
        "3.14 and v1.2.3 and 10.000.000",
        "999.1.1.1",
        "main.py, run.sh and README.md",
        "node.js",
        "bob@example.com",
        "the dot com years",
        "a.b.c.d",
        "What?!... no",
        "at 10:30, room 4/5",
        "and/or",
        "c:\\users",
        "note:this, tel:030 1234",
        "javascript: I like it",
        "evil .com",
    ],
)
def test_not_found(text: str) -> None:
    assert not set(hosts_of(Text(text)))


@pytest.mark.parametrize(
    ("text", "allowed"),
    [
        ("https://example.org/x", True),
        ("docs.example.org and example.org", True),
        ("https://evil.com/example.org", False),
        ("example.org.evil.com", False),
        ("notexample.org", False),
        ("https://example.org@evil.com", False),
        ("https://example.org\\@evil.com", False),
        ("*https://example.org*, and (https://example.org/x).", True),
        ("https://example.org:8080 or https://docs.EXAMPLE.org.", True),
        ("https://example.org\uff0f@evil.fyi/x", False),
        ("https://example.org\u2047@evil.fyi", False),
        ("*https://evil.fyi*.example.org", False),
        ("_https://evil.fyi_@example.org", False),
        ("https://user@example.org", False),
        ("https://example.org\u200e", True),
        ("https://example.org\u202e.evil.com", False),
        ("ex\u00e4mple.org", False),
        ("ex\u0430mple.org", False),
        ("example.org and evil.com", False),
    ],
)
def test_allowed_domains(text: str, allowed: bool) -> None:
    links = Links("refuse", ("example.org",))
    verdict = links.judge(Text(text), None)  # type: ignore[arg-type]
    assert (verdict is None) is allowed
