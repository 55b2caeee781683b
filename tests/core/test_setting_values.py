"""The kinds of values: what each takes, what it makes of it, and what it refuses."""

from typing import Any

import pytest
from marshmallow import ValidationError, fields

from anonchat.config import values as setting_values

HOST = setting_values.host_name()
ORIGIN = setting_values.origin()
NETWORK = setting_values.network()
RATE = setting_values.rate()
URL = setting_values.storage_url("memory://")
TOKEN = setting_values.secret()


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (HOST, "localhost", "localhost"),
        (HOST, "a." * 126 + "a", "a." * 126 + "a"),
        (HOST, "Chat.Example.ORG.", "chat.example.org"),
        (HOST, "anonchat_web", "anonchat_web"),
        (HOST, "xn--mnchen-3ya.de", "xn--mnchen-3ya.de"),
        (HOST, "0.0.0.0", "0.0.0.0"),
        (HOST, "[2001:DB8::0:1]", "2001:db8::1"),
        (ORIGIN, "http://localhost:5000", "http://localhost:5000"),
        (ORIGIN, "HTTPS://Chat.Example.org:443/", "https://chat.example.org"),
        (ORIGIN, "http://chat.example.org:80", "http://chat.example.org"),
        (ORIGIN, "http://chat.example.org:443", "http://chat.example.org:443"),
        (ORIGIN, "https://[2001:DB8::1]:8443", "https://[2001:db8::1]:8443"),
        (RATE, "off", "off"),
        (RATE, "10/minute", "10/minute"),
        (RATE, "5/5 minutes", "5/5 minutes"),
        (RATE, "10 per 2 hours", "10 per 2 hours"),
        (URL, "memory://", "memory://"),
        (URL, "postgresql+x://u:p@h/db", "postgresql+x://u:p@h/db"),
        (TOKEN, "0123456789abcdef", "0123456789abcdef"),
    ],
)
def test_taken(kind: fields.Field[Any], text: str, value: Any) -> None:
    assert kind.deserialize(text) == value
    assert kind.deserialize(value) == value, "the result is its own canonical form"


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        *(
            (HOST, text)
            for text in ("", ".", "*", "*.example.org", "a b", "a..b", "-a.org", "a:80", "http://a.org", "a/b")
        ),
        *(
            (HOST, text)
            for text in (
                "256.1.1.1",
                "1.2.3",
                "::g",
                "[::1",
                "x::1]",
                "[a.org]",
                "a@b",
                "a.org\n",
                "x" * 64,
                "ab." * 85 + "a",
            )
        ),
        *(
            (ORIGIN, text)
            for text in ("", "*", "null", "chat.example.org", "ftp://a.org", "https://", "//a.org", "https://a b")
        ),
        *(
            (ORIGIN, text)
            for text in ("https://a.org:99999", "https://a.org:0", "https://a.org:x", "https://[::1", " https://a")
        ),
        *((ORIGIN, text) for text in ("https://*.a.org", "https://a.org\n", "https://1.2.3", "https://a\\b")),
        *(
            (RATE, text)
            for text in ("", "10", "often", "10/fortnight", "-1/minute", "1.5/minute", "Off", "10/minute x")
        ),
        *((URL, text) for text in ("", "anonchat.db", "sqlite:anonchat.db", "://x", "redis:// x", "Redis://x")),
        *(
            (TOKEN, text)
            for text in ("", "short", "with a space in it", "ünïcödé-ünïcödé-ü", "0123456789abcdef\n", "x" * 257)
        ),
        *((NETWORK, text) for text in ("", "proxy", "10.0.0", "10.0.0.0/33", "010.0.0.1", "*", "unix")),
    ],
)
def test_refused_with_the_sentence_of_the_kind(kind: fields.Field[Any], text: str) -> None:
    with pytest.raises(ValidationError) as caught:
        kind.deserialize(text)
    assert caught.value.messages == [f"must be {kind.metadata['kind']}"]


@pytest.mark.parametrize(
    ("kind", "value", "hint"),
    [
        (HOST, "münchen.de", "xn-- form"),
        (ORIGIN, "https://münchen.de", "xn-- form"),
        (ORIGIN, "https://chat.example.org/chat", "leave out user, path and query"),
        (ORIGIN, "https://chat.example.org?x=1", "leave out user, path and query"),
        (ORIGIN, "https://user@chat.example.org", "leave out user, path and query"),
        (NETWORK, "10.1.2.3/8", 'write "10.0.0.0/8"'),
        (RATE, "0/minute", 'write "off"'),
        (RATE, "10/minute;100/hour", "one rate"),
        (setting_values.several(HOST, "[]"), ["a.org", "A.org"], "twice"),
        (setting_values.several(HOST, "[]"), [f"h{index}.org" for index in range(1001)], "at most 1000"),
    ],
)
def test_refused_with_a_hint(kind: fields.Field[Any], value: Any, hint: str) -> None:
    with pytest.raises(ValidationError) as caught:
        kind.deserialize(value)
    (message,) = caught.value.messages
    assert hint in message


@pytest.mark.parametrize(
    ("text", "value"), [("10.0.0.0/8", "10.0.0.0/8"), ("127.0.0.1", "127.0.0.1/32"), ("2001:db8::/32", "2001:db8::/32")]
)
def test_networks(text: str, value: str) -> None:
    assert str(NETWORK.deserialize(text)) == value


@pytest.mark.parametrize(("low", "high"), [(0, 0), (1, 5)])
def test_bounds_are_included(low: int, high: int) -> None:
    for kind in (setting_values.whole(low, high), setting_values.number(low, high)):
        assert [kind.deserialize(value) for value in (low, high)] == [low, high]
        for value in (low - 1, high + 1, True, None, str(low)):
            with pytest.raises(ValidationError):
                kind.deserialize(value)
