"""Text that people write: what of it can be seen, and what must not stand in it."""

from __future__ import annotations

import re

import regex

# Terminals obey control characters; line breaks and tabs are text.
CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
# In one line: controls, line separators, and the marks that change the direction of what stands around them.
HIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
# Not white space, not invisible, not a mark without a letter. U+2800 is the empty Braille pattern.
_SEEN = regex.compile(r"(?V1)[^\p{C}\p{Z}\p{M}\p{Default_Ignorable_Code_Point}\u2800]")


def is_visible(text: str) -> bool:
    """Whether anything of a text can be seen; stops at the first character that can."""
    # Most texts begin with a character that ASCII can show, and need no regular expression, which takes 3 microseconds.
    return "!" <= text[:1] <= "~" or _SEEN.search(text) is not None


def one_line(text: str) -> str:
    """A text as one line of plain words: hidden characters and runs of white space become single spaces."""
    return " ".join(HIDDEN.sub(" ", text).split())
