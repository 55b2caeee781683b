"""What a message may consist of."""

from __future__ import annotations

from collections.abc import Mapping

from anonchat.errors import ChatError
from anonchat.plugins.dispatch import is_json
from anonchat.protocol.texts import CONTROLS, is_visible


def text_of(raw: str, most: int) -> str:
    """The text of a message as it is kept. Raises `text_too_long` or `validation_failed`; nothing is cut silently."""
    if len(raw) > most:
        raise ChatError("text_too_long", f"At most {most} characters; this has {len(raw)}.")
    text = raw.replace("\r\n", "\n").rstrip()
    if not is_visible(text):
        raise ChatError(
            "validation_failed", "There is nothing to be seen in this message.", errors={"text": ["Empty."]}
        )
    if CONTROLS.search(text):
        problem = "Control characters cannot be sent, apart from line breaks and tabs."
        raise ChatError("validation_failed", problem, errors={"text": [problem]})
    return text


def is_storable(content: object, mentions: object) -> bool:
    """Whether a batch with this message in it can be stored: one that cannot would take the others down with it."""
    if not isinstance(content, Mapping) or not isinstance(content.get("type"), str) or not is_json(content):
        return False
    return isinstance(mentions, tuple) and all(isinstance(name, str) for name in mentions) and is_json(mentions)
