"""Finding mentions in a text: ``@Alice``, ``@Anna Maria``, ``@room``. What names may be held nothing here knows."""

from __future__ import annotations

import re
from collections.abc import Container, Sequence
from itertools import islice
from typing import Any, NamedTuple

import regex

from anonchat import folded_name

EVERYBODY = "room"

MOST_MARKS = 10  # "@" of one text that are looked at
MOST_ENDS = 16  # places after one "@" where a name may end
MOST_LENGTH = 128  # code points of a name
MOST_LETTERS = 32  # the same in ASCII


class _Patterns(NamedTuple):
    """Where a mention begins, how far its name can reach, and with what it can end."""

    mark: Any
    reach: Any
    end: Any
    length: int


def _patterns(engine: Any, letters: str, inside: str, controls: str, length: int) -> _Patterns:
    """`letters` make up words; `inside` stand in the midst of a word too; `controls` cannot be seen."""
    word = f"[{letters}_{inside}]"
    return _Patterns(
        # Behind a letter it is an e-mail address, behind a slash a part of a link.
        engine.compile(rf"(?<![{letters}_+%/@])@(?=\S)"),
        # No name goes over a line, and none holds one of these signs.
        engine.compile(rf'[^{controls}@:<>`"\\,;()\[\]{{}}]{{1,{length}}}'),
        # A name ends with a word, which is never cut in two, or with a sign.
        engine.compile(rf"{word}+|[^\s{letters}_{inside}]"),
        length,
    )


# Joiners are in the midst of a word, or of an emoji. In ASCII each character is one grapheme, of which a name has 32.
_ANY = _patterns(regex, r"\p{L}\p{M}\p{N}", r"\u200c\u200d", r"\p{C}", MOST_LENGTH)
_SPACES = re.compile("  +")
_ASCII = _patterns(re, "a-zA-Z0-9", "", r"\x00-\x1f\x7f", MOST_LETTERS)  # much quicker


def candidates(text: str) -> list[list[str]]:
    """For each "@" that may begin a mention what its name could be, folded, the longest first."""
    patterns = _ASCII if text.isascii() else _ANY
    found = []
    for mark in patterns.mark.finditer(text):
        reach = patterns.reach.match(text, mark.end())
        if reach is not None:
            found.append(_names(patterns, reach[0], text[reach.end() : reach.end() + 1]))
        if len(found) == MOST_MARKS:
            break
    return found


def _names(patterns: _Patterns, reach: str, following: str) -> list[str]:
    """What the beginning of `reach` may be, folded, the longest first. By `following` one sees whether a word goes on.

    To fold ASCII is to do so letter by letter, so all of it is folded once; elsewhere a letter may change with the next.
    """
    is_plain = reach.isascii()
    if is_plain:
        reach = _SPACES.sub(" ", reach.lower())
    ends = [end.end() for end in islice(patterns.end.finditer(reach + following), MOST_ENDS)]
    names = [reach[:end] for end in reversed(ends) if end <= len(reach)]
    return names if is_plain else [folded_name(name) for name in names]


def chosen(marks: Sequence[Sequence[str]], names: Container[str]) -> list[str]:
    """Of each mark's candidates the longest that is one of `names`, or everybody; each once, in the text's order."""
    longest = (next((name for name in mark if name == EVERYBODY or name in names), None) for mark in marks)
    return list(dict.fromkeys(name for name in longest if name is not None))
