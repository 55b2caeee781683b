"""The kinds of values a setting takes: marshmallow fields that say in words what they want.

Every refusal is one sentence made from the kind (``must be a whole number from 0 to 65535``) or a hint what to write
instead. None repeats the refused value, which may be a secret or lie next to one.
"""

import ipaddress
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import limits
from marshmallow import ValidationError, fields
from marshmallow.validate import Length, OneOf, Range, Regexp

IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

DEFAULT_PORTS = (("http", 80), ("https", 443))
HOST_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")  # with "_", which container networks use
LINE = re.compile(r"[^\x00-\x1f\x7f\u2028\u2029]{1,200}\Z")
PLUGIN_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")  # no "__", which parts names in environment variables
TOKEN = re.compile(r"[!-~]{16,256}\Z")  # travels in a header: visible ASCII only
URL_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://[^\s]*")


class Number(fields.Float):
    """A float that takes no text: ``"8"`` in quotes is a wrong type, not 8."""

    def _validated(self, value: Any) -> float:
        if isinstance(value, str):
            raise self.make_error("invalid")
        return super()._validated(value)


class Switch(fields.Boolean):
    """A boolean that takes neither ``1`` nor ``"yes"``."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> bool:
        if not isinstance(value, bool):
            raise self.make_error("invalid")
        return value


class Parsed(fields.Field[Any]):
    """A text that ``parse`` turns into a value; the text of its ``ValueError``, if it has one, is the refusal."""

    def __init__(self, kind: str, parse: Callable[[str], Any]) -> None:
        super().__init__(**_words(kind))
        self.parse = parse

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        if not isinstance(value, str):
            raise self.make_error("invalid")
        try:
            return self.parse(value)
        except ValueError as error:
            raise ValidationError(str(error) or self.error_messages["invalid"]) from None


class OrWord(fields.Field[Any]):
    """A value, or one word that stands for ``None``: TOML and the environment have no null."""

    def __init__(self, inner: fields.Field[Any], word: str = "off") -> None:
        super().__init__(**_words(f'{inner.metadata["kind"]}, or "{word}"'))
        self.inner = inner
        self.word = word

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        if value == self.word:
            return None
        try:
            return self.inner.deserialize(value, attr, data, **kwargs)
        except ValidationError as error:
            if error.messages == [self.inner.error_messages["invalid"]]:
                raise self.make_error("invalid") from None
            raise


def whole(low: int, high: int) -> fields.Integer:
    """A whole number, both bounds included."""
    words = _words(f"a whole number from {low} to {high}")
    return fields.Integer(strict=True, validate=Range(low, high, error=words["error_messages"]["invalid"]), **words)


def number(low: float, high: float) -> Number:
    """A number with or without fraction, both bounds included."""
    words = _words(f"a number from {low:g} to {high:g}")
    return Number(validate=Range(low, high, error=words["error_messages"]["invalid"]), **words)


def switch() -> Switch:
    """``true`` or ``false``."""
    return Switch(**_words("true or false"))


def choice(*names: str) -> fields.String:
    """One of a few words."""
    words = _words("one of " + ", ".join(f'"{name}"' for name in names))
    return fields.String(validate=OneOf(names, error=words["error_messages"]["invalid"]), **words)


def secret() -> fields.String:
    """A secret that travels in an ``Authorization`` header."""
    words = _words("16 to 256 visible ASCII characters without spaces (`openssl rand -hex 32` makes a good one)")
    return fields.String(validate=Regexp(TOKEN, error=words["error_messages"]["invalid"]), **words)


def line() -> fields.String:
    """A text for people, in one line."""
    words = _words("one line of 1 to 200 characters")
    return fields.String(validate=Regexp(LINE, error=words["error_messages"]["invalid"]), **words)


def several(item: fields.Field[Any], example: str) -> fields.List[Any]:
    """A list of ``item``, at most 1000 and none twice; the settings hold it as a tuple."""
    words = _words(f"a list such as {example}")
    return fields.List(item, validate=[Length(max=1000, error="must have at most 1000 entries"), _distinct], **words)


def rate() -> Parsed:
    """A rate in the notation of the package ``limits``, kept as text, or ``"off"``."""
    return Parsed('a rate such as "10/minute" or "30/10 seconds", or "off"', _parse_rate)


def host_name() -> Parsed:
    """An address or host name, lower case, IPv6 without brackets."""
    return Parsed("one address or host name, without scheme, port, path and wildcard", parse_host)


def origin() -> Parsed:
    """An origin as browsers write it: lower case, without default port and trailing slash."""
    return Parsed('an origin such as "https://chat.example.org"', parse_origin)


def origin_or_any() -> Parsed:
    """An origin, or ``*`` for all of them."""
    return Parsed(
        'an origin such as "https://chat.example.org", or "*"', lambda text: text if text == "*" else parse_origin(text)
    )


def network() -> Parsed:
    """An address or network in CIDR notation, as an ``ipaddress`` network."""
    return Parsed('an address or network such as "10.0.0.0/8"; names are not looked up', _parse_network)


def storage_url(*examples: str) -> Parsed:
    """The URL of a storage: its scheme names the backend, which judges the rest."""
    return Parsed("a URL such as " + " or ".join(f'"{example}"' for example in examples), _parse_storage_url)


def folder() -> Parsed:
    """A folder that exists; ``~`` is the home folder, a relative path starts at the working folder."""
    return Parsed("a folder that exists", _parse_folder)


def plugin_name() -> Parsed:
    """The name of a plugin, as its entry point is called."""
    return Parsed("the name of a plugin", parse_plugin_name)


def parse_host(text: str) -> str:
    """The canonical form of an address or host name; raises ``ValueError`` for anything else."""
    name = text.lower().removesuffix(".")
    bare = name[1:-1] if name.startswith("[") and name.endswith("]") else name
    try:
        return str(ipaddress.ip_address(bare))
    except ValueError:
        pass
    labels = name.split(".")
    if not name.isascii():
        raise ValueError("must be written as browsers send it, with its xn-- form")
    # A last label of digits would be read as an IPv4 address by browsers, and it was none.
    if len(name) > 253 or labels[-1].isdigit() or not all(HOST_LABEL.fullmatch(label) for label in labels):
        raise ValueError
    return name


def parse_origin(text: str) -> str:
    """The form in which browsers send an ``http`` or ``https`` origin (RFC 6454, section 6.2)."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ValueError from None  # theirs repeats the text
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0 or re.search(r"\s", text):
        raise ValueError
    if parts.path not in ("", "/") or parts.query or parts.fragment or "@" in parts.netloc:
        raise ValueError("must be scheme, host and port only: leave out user, path and query")
    host = parse_host(parts.hostname)
    authority = f"[{host}]" if ":" in host else host
    shown_port = "" if port is None or (parts.scheme, port) in DEFAULT_PORTS else f":{port}"
    return f"{parts.scheme}://{authority}{shown_port}"


def parse_plugin_name(text: str) -> str:
    """The name itself; raises ``ValueError`` for what cannot be a plugin's name."""
    if len(text) > 40 or not PLUGIN_NAME.fullmatch(text):
        raise ValueError("must be a plugin's name: at most 40 lower-case letters, digits and single underscores")
    return text


def _parse_rate(text: str) -> str:
    if text == "off":
        return text
    try:
        rates = limits.parse_many(text)
    except ValueError:
        raise ValueError from None  # theirs repeats the text
    if len(rates) != 1:
        raise ValueError("must be one rate, not several")
    if rates[0].amount == 0:
        raise ValueError('must let something through: to lift the limit write "off"')
    return text


def _parse_network(text: str) -> IPNetwork:
    try:
        return ipaddress.ip_network(text)
    except ValueError:
        pass
    try:
        wider = ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise ValueError from None  # theirs repeats the text
    raise ValueError(f'must be a network without host bits: write "{wider}", or the address alone')


def _parse_storage_url(text: str) -> str:
    if not URL_SCHEME.fullmatch(text):
        raise ValueError
    return text


def _parse_folder(text: str) -> Path:
    path = Path(text).expanduser()
    if not text or not path.is_dir():
        raise ValueError
    return path


def _distinct(values: list[Any]) -> None:
    if len(set(values)) < len(values):
        raise ValidationError("must not name anything twice")


def _words(kind: str) -> dict[str, Any]:
    """Field options under which every refusal by type is the same sentence."""
    refusals = dict.fromkeys(("invalid", "too_large", "special"), f"must be {kind}")
    return {"error_messages": refusals, "metadata": {"kind": kind}}
