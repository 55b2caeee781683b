"""Text of others, made safe to show on a terminal: it may look odd, but it does nothing."""

from __future__ import annotations

import re
import textwrap
import unicodedata
from collections.abc import Mapping
from typing import Any

# Marks, embeddings, overrides and isolates that turn the direction of what stands around them.
_BIDI = r"\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
# Lone surrogates, tags and other characters that are invisible or cannot be encoded.
_HIDDEN = r"\ud800-\udfff\ufeff\ufff9-\ufffb\U000e0000-\U000e0fff"
_DROPPED = re.compile(f"[{_BIDI}{_HIDDEN}]")
_CONTROLS = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")
_BREAKS = re.compile(r"\r\n?|[\x0b\x0c\x85\u2028\u2029]")
# Nobody writes more than a few accents on one letter; a pile of them would paint over the lines above.
_PILES = re.compile(
    r"([\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]{3})[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]+"
)
QUOTE = "  | "
_TAB = "    "
_PICTURES = 0x2400


def literal(text: str) -> str:
    """Text that can only be read: ESC is shown as its picture, nothing turns the direction, lines end with \\n."""
    text = _DROPPED.sub("", _BREAKS.sub("\n", text))
    return _PILES.sub(r"\1", _CONTROLS.sub(_picture, text))


def one_line(text: str, most: int | None = None) -> str:
    """Like `literal`, on one line, and cut with an ellipsis after `most` characters."""
    flat = " ".join(literal(text).split())
    return flat if most is None or len(flat) <= most else flat[: most - 1] + "…"


def quoted(text: str, columns: int) -> str:
    """What others have written at length, as the words of others: each line marked, none so long that it wraps."""
    room = max(8, columns - len(QUOTE))
    lines = [part for line in literal(text).split("\n") for part in _wrapped(" ".join(line.split()), room)]
    return "\n".join(QUOTE + line for line in lines)


def _wrapped(line: str, room: int) -> list[str]:
    is_wide = any(unicodedata.east_asian_width(mark) in "WF" for mark in line)
    return textwrap.wrap(line, room // 2 if is_wide else room) or [""]


def said(wire: Mapping[str, Any]) -> str:
    """What a message says, safe to show, whatever kind it is; a plugin's message by the texts that are in it."""
    content = wire["content"]
    if content.get("type") == "text":
        return literal(str(content.get("text", "")))
    keys = ("question",) if "question" in content else ("title", "text")
    parts = [str(content[key]) for key in keys if isinstance(content.get(key), str)]
    options = content.get("options")
    if isinstance(options, list):
        parts += [f"• {option['text']}" for option in options if isinstance(option, dict) and "text" in option]
    return f"[{one_line(str(content.get('type', 'message')))}] " + literal("\n".join(parts))


def _picture(found: re.Match[str]) -> str:
    code = ord(found[0])
    if code == 0x09:
        return _TAB
    if code < 0x20:
        return chr(_PICTURES + code)
    return "\u2421" if code == 0x7F else "\ufffd"
