"""Finding mentions in a text: ``@Alice``, ``@Anna Maria``, ``@room``. Nothing here knows of anonchat."""

from __future__ import annotations

from collections.abc import Container, Sequence
from unicodedata import normalize

import regex

EVERYBODY = "room"

MOST_MARKS = 10  # "@" of one text that are looked at
MOST_ENDS = 16  # places after one "@" where a name may end
MOST_LENGTH = 128  # code points of a name

# Behind a letter it is an e-mail address, behind a slash a part of a link.
_MARK = regex.compile(r"(?<![\p{L}\p{M}\p{N}_+%/@])@(?=\S)")
# No name goes over a line, and none holds one of these signs.
_REACH = regex.compile(rf'[^\p{{C}}@:<>`"\\,;()\[\]{{}}]{{1,{MOST_LENGTH}}}')
# A name ends where no word is cut in two. Joiners are in the midst of a word, or of an emoji.
_WORD = r"[\p{L}\p{M}\p{N}_\u200c\u200d]"
_END = regex.compile(rf"(?<=\S)(?!(?<={_WORD}){_WORD})")


def folded(name: str) -> str:
    """How names are compared: NFC, without case, with single spaces."""
    return normalize("NFC", " ".join(name.split())).casefold()


def candidates(text: str) -> list[list[str]]:
    """For each "@" that may begin a mention what its name could be, folded, the longest first."""
    found = []
    for mark in regex.finditer(_MARK, text):
        reach = _REACH.match(text, mark.end())
        if reach is not None:
            ends = [end.start() for end, _ in zip(_END.finditer(reach[0]), range(MOST_ENDS), strict=False)]
            found.append([folded(reach[0][:end]) for end in reversed(ends)])
        if len(found) == MOST_MARKS:
            break
    return found


def chosen(marks: Sequence[Sequence[str]], names: Container[str], most: int) -> list[str]:
    """Of each mark's candidates the longest that is one of `names`; each once, at most `most`, in the text's order."""
    longest = (next((name for name in mark if name in names), None) for mark in marks)
    return list(dict.fromkeys(name for name in longest if name is not None))[:most]
