"""The cases of section 9 of the Autobahn test suite, each made when it is wanted: together they are 300 MB."""

from __future__ import annotations

from .cases import GOODBYE, Case, echoed
from .wire import BINARY, TEXT, Step, fragments, frame

KIBI, MEBI = 1 << 10, 1 << 20
WHOLE = (64 * KIBI, 256 * KIBI, MEBI, 4 * MEBI, 8 * MEBI, 16 * MEBI)
FRAGMENTS = tuple(64 * 4**power for power in range(9))
CHOPS = (64, 128, 256, 512, 1024, 2048)
TRIPS = (0, 16, 64, 256, 1024, 4096)
ROUNDS = 50
"""The suite goes a thousand rounds, to measure."""

SIZES = {1: WHOLE, 3: FRAGMENTS, 5: CHOPS, 7: TRIPS}
"""By the subsection for text; that for binary messages is the next."""

NUMBERS = tuple(
    f"9.{first + binary}.{place}"
    for first, sizes in SIZES.items()
    for binary in (0, 1)
    for place in range(1, len(sizes) + 1)
)


def large_case(number: str) -> Case:
    """A message of up to 16 MiB comes back, however it is cut."""
    _, section, place = map(int, number.split("."))
    first = section - 1 + section % 2
    kind, byte = (TEXT, b"*") if section == first else (BINARY, b"\xfe")
    size = SIZES[first][place - 1]
    if first == 1:
        return echoed(kind, byte * size)
    if first == 3:
        payload = byte * 4 * MEBI
        return echoed(kind, payload, *fragments(kind, payload, size))
    if first == 5:
        return echoed(kind, byte * MEBI, chop=size)
    trip = Step((frame(kind, byte * size),), ((kind, byte * size),))
    return (trip,) * ROUNDS + (GOODBYE,)
