"""What the text in the composer will be: a message, an answer, or a new text for an old message."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from anonchat.client.text import one_line, said

QUOTED = 80


@dataclass(frozen=True, slots=True)
class Writing:
    """At most one of the two is set."""

    reply_to: str | None = None
    edit: str | None = None
    about: str = ""
    """What stands above the composer."""

    @classmethod
    def answer(cls, wire: Mapping[str, Any]) -> Writing:
        """An answer to a message."""
        quoted = f"{one_line(wire['authorUsername'])}: {one_line(said(wire), QUOTED)}"
        return cls(reply_to=wire["id"], about=f"Answering {quoted}  (Esc cancels)")

    @classmethod
    def change(cls, wire: Mapping[str, Any]) -> Writing:
        """A new text for one's own message."""
        return cls(edit=wire["id"], about="Changing your message  (Esc cancels)")
