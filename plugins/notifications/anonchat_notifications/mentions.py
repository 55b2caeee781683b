"""Finding mentions in a text: ``@Alice``, ``@Anna Maria``, ``@room``. What names may be held nothing here knows."""

from __future__ import annotations

import re
from collections.abc import Container, Sequence
from typing import Any, NamedTuple

import regex

from anonchat import folded_name

EVERYBODY = "room"

MOST_MARKS = 10  # "@" of one text that are looked at
MOST_ENDS = 16  # places after one "@" where a name may end
MOST_LENGTH = 128  # code points of a name
MOST_LETTERS = 32  # the same in ASCII


class _Patterns(NamedTuple):
    """Where a mention begins, how far its name can reach, and where it can end."""

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
        # A name ends where no word is cut in two.
        engine.compile(rf"(?<=\S)(?!(?<={word}){word})"),
        length,
    )


# Joiners are in the midst of a word, or of an emoji. In ASCII each character is one grapheme, of which a name has 32.
_ANY = _patterns(regex, r"\p{L}\p{M}\p{N}", r"\u200c\u200d", r"\p{C}", MOST_LENGTH)
_ASCII = _patterns(re, "a-zA-Z0-9", "", r"\x00-\x1f\x7f", MOST_LETTERS)  # much quicker


def candidates(text: str) -> list[list[str]]:
    """For each "@" that may begin a mention what its name could be, folded, the longest first."""
    patterns = _ASCII if text.isascii() else _ANY
    found = []
    for mark in patterns.mark.finditer(text):
        reach = patterns.reach.match(text, mark.end())
        if reach is not None:
            # One more character, to see whether a word goes on.
            whole = text[mark.end() : reach.end() + 1]
            ends = [end.start() for end, _ in zip(patterns.end.finditer(whole), range(MOST_ENDS), strict=False)]
            found.append([folded_name(whole[:end]) for end in reversed(ends) if end <= reach.end() - mark.end()])
        if len(found) == MOST_MARKS:
            break
    return found


def chosen(marks: Sequence[Sequence[str]], names: Container[str], most: int) -> list[str]:
    """Of each mark's candidates the longest that is one of `names`; each once, at most `most`, in the text's order."""
    longest = (next((name for name in mark if name in names), None) for mark in marks)
    return list(dict.fromkeys(name for name in longest if name is not None))[:most]
