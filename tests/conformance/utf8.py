"""Right and wrong UTF-8 by the number of the Autobahn case, sections 6.5 to 6.23.

Most sequences are made here from what they are about: a code point spread over so many bytes, which is UTF-8 only if
there is no shorter form, and no surrogate, and nothing above U+10FFFF (RFC 3629).
"""

from __future__ import annotations

from collections.abc import Iterable

Judged = tuple[bool, bytes]
"""Whether it is UTF-8, and the bytes."""

GREEK = bytes.fromhex("ceba e1bdb9 cf83 cebc ceb5")  # a Greek word, the second letter with its accent
LARGEST = {2: 0x7FF, 3: 0xFFFF, 4: 0x1FFFFF, 5: 0x3FFFFFF, 6: 0x7FFFFFFF}
"""By the number of bytes, in the scheme that UTF-8 once was."""


def spread(code: int, size: int) -> bytes:
    """A number in the scheme of UTF-8, over 2 to 6 bytes, also where a shorter form exists or none is allowed."""
    tail = [0x80 | code >> 6 * place & 0x3F for place in range(size - 1)]
    first = (0xFF << (8 - size) & 0xFF) | code >> 6 * (size - 1)
    return bytes([first, *reversed(tail)])


def right(*texts: str) -> list[Judged]:
    return [(True, text.encode()) for text in texts]


def wrong(sequences: Iterable[bytes]) -> list[Judged]:
    return [(False, sequence) for sequence in sequences]


def prefixes() -> list[Judged]:
    """Those that end at the end of a character are right."""
    ends = {len(GREEK.decode()[:count].encode()) for count in range(1, 6)}
    return [(size in ends, GREEK[:size]) for size in range(1, len(GREEK) + 1)]


def lonely(first: int, last: int) -> bytes:
    return b"".join(bytes([start, 0x20]) for start in range(first, last))


def surrogates(*codes: int) -> bytes:
    return b"".join(spread(code, 3) for code in codes)


BOUNDS = (0xD800, 0xDB7F, 0xDB80, 0xDBFF)
UNFINISHED = [spread(0, size)[:-1] for size in LARGEST] + [spread(code, size)[:-1] for size, code in LARGEST.items()]

SECTIONS: dict[str, list[Judged]] = {
    "6.5": right("hello$world", "hello¢world", "hello€world", "hello\U00024b62world", GREEK.decode()),
    "6.6": prefixes(),
    "6.7": right("\0", "\x80", "\u0800", "\U00010000"),
    "6.8": wrong([spread(0x200000, 5), spread(0x4000000, 6)]),
    "6.9": right("\x7f", "\u07ff", "\uffff", "\U0010ffff"),
    "6.10": wrong(spread(LARGEST[size], size) for size in (4, 5, 6)),
    "6.11": right("\ud7ff", "\ue000", "\ufffd", "\U0010ffff") + wrong([spread(0x110000, 4)]),
    "6.12": wrong([b"\x80", b"\xbf", *((b"\x80\xbf" * 3)[:size] for size in range(2, 7)), bytes(range(0x80, 0xBF))]),
    "6.13": wrong(lonely(*ends) for ends in ((0xC0, 0xDF), (0xE0, 0xEF), (0xF0, 0xF7), (0xF8, 0xFB), (0xFC, 0xFD))),
    "6.14": wrong(UNFINISHED),
    "6.15": wrong([b"".join(UNFINISHED)]),
    "6.16": wrong([b"\xfe", b"\xff", b"\xfe\xfe\xff\xff"]),
    "6.17": wrong(spread(ord("/"), size) for size in LARGEST),
    "6.18": wrong([spread(0x7F, 2), *(spread(LARGEST[size - 1], size) for size in (3, 4, 5, 6))]),
    "6.19": wrong(spread(0, size) for size in LARGEST),
    "6.20": wrong(surrogates(code) for code in (*BOUNDS, 0xDC00, 0xDF80, 0xDFFF)),
    "6.21": wrong(surrogates(high, low) for high in BOUNDS for low in (0xDC00, 0xDFFF)),
    "6.22": right("\ufffe", "\uffff")
    # The last two code points of each other plane
    + right(*(chr(plane << 16 | 0xFFFE | last) for plane in range(1, 17) for last in (0, 1))),
    "6.23": right(*map(chr, range(0xFFF9, 0x10000))),
}


def judged() -> dict[str, Judged]:
    """Case number -> its bytes and whether they are UTF-8."""
    return {f"{section}.{place}": found for section, all_ in SECTIONS.items() for place, found in enumerate(all_, 1)}
