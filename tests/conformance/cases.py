"""The cases of the Autobahn test suite by number, sections 1 to 7 and 10: what is sent, and what must come back.

Written from the suite's descriptions. Where it waits for a while to see that nothing happens, a ping is sent here: its
pong shows that all before it was read. The rest of a case that is over is never sent.
"""

from __future__ import annotations

from .utf8 import GREEK, judged, spread
from .wire import BINARY, CONTINUATION, PING, PONG, TEXT, Answer, Step, close, closed, fragments, frame

Case = tuple[Step, ...]

GOODBYE = Step((close(1000),), (closed(1000),))
HELLO = b"Hello, world!"
BYTES = bytes.fromhex("00fffefdfcfb00ff")
UTF8 = "Hello-µ@ßöäüàá-UTF-8!!".encode()
FRAME_WISE = -1


def echoed(kind: int, payload: bytes, *sent: bytes, chop: int = 0) -> Case:
    """One message, in the frames given or in one, comes back whole."""
    return right(sent or (frame(kind, payload),), (kind, payload), chop=chop)


def right(sent: tuple[bytes, ...], *answers: Answer, chop: int = 0) -> Case:
    """All is well, and the client says goodbye."""
    return Step(sent, answers, chop), GOODBYE


def wrong(sent: tuple[bytes, ...], *answers: Answer, code: int = 1002, chop: int = 0) -> Case:
    """After the answers comes a close frame of the server, and nothing else."""
    return (Step(sent, (*answers, closed(code)), chop),)


def parted(*parts: bytes, opcode: int = TEXT) -> tuple[bytes, ...]:
    """A message in fragments."""
    last = len(parts) - 1
    return tuple(
        frame(CONTINUATION if place else opcode, part, final=place == last) for place, part in enumerate(parts)
    )


def framing() -> dict[str, Case]:
    sizes = (0, 125, 126, 127, 128, 65535, 65536)
    cases: dict[str, Case] = {}
    for section, kind, byte in (("1.1", TEXT, b"*"), ("1.2", BINARY, b"\xfe")):
        for place, size in enumerate(sizes, 1):
            cases[f"{section}.{place}"] = echoed(kind, byte * size)
        cases[f"{section}.8"] = echoed(kind, byte * 65536, chop=997)
    return cases


def pings() -> dict[str, Case]:
    ten = [b"payload-%d" % number for number in range(10)]
    sent, answers = tuple(frame(PING, payload) for payload in ten), [(PONG, payload) for payload in ten]
    full, unasked = b"\xfe" * 125, frame(PONG, b"unsolicited pong payload")
    return {
        "2.1": right((frame(PING),), (PONG, b"")),
        "2.2": right((frame(PING, HELLO),), (PONG, HELLO)),
        "2.3": right((frame(PING, BYTES),), (PONG, BYTES)),
        "2.4": right((frame(PING, full),), (PONG, full)),
        "2.5": wrong((frame(PING, b"\xfe" * 126),)),
        "2.6": right((frame(PING, full),), (PONG, full), chop=1),
        "2.7": right((frame(PONG),)),
        "2.8": right((unasked,)),
        "2.9": right((unasked, frame(PING, b"ping payload")), (PONG, b"ping payload")),
        "2.10": right(sent, *answers),
        "2.11": right(sent, *answers, chop=1),
    }


def after_hello(bad: bytes, chop: int = 0) -> Case:
    """A good message is answered, then a bad frame ends the connection, and the ping behind it gets no pong."""
    return wrong((frame(TEXT, HELLO), bad, frame(PING)), (TEXT, HELLO), chop=chop)


def reserved() -> dict[str, Case]:
    """Bits and opcodes."""
    return {
        "3.1": wrong((frame(TEXT, HELLO, reserved=1),)),
        "3.2": after_hello(frame(TEXT, HELLO, reserved=2)),
        "3.3": after_hello(frame(TEXT, HELLO, reserved=3), FRAME_WISE),
        "3.4": after_hello(frame(TEXT, HELLO, reserved=4), 1),
        "3.5": wrong((frame(BINARY, BYTES, reserved=5),)),
        "3.6": wrong((frame(PING, HELLO, reserved=6),)),
        "3.7": wrong((frame(8, reserved=7),)),
        **{
            case: found
            for section, first in (("4.1", 3), ("4.2", 11))
            for case, found in {
                f"{section}.1": wrong((frame(first),)),
                f"{section}.2": wrong((frame(first + 1, b"reserved opcode payload"),)),
                f"{section}.3": after_hello(frame(first + 2)),
                f"{section}.4": after_hello(frame(first + 3, HELLO)),
                f"{section}.5": after_hello(frame(first + 4, HELLO), 1),
            }.items()
        },
    }


def fragmentation() -> dict[str, Case]:
    one, two, both = b"fragment1", b"fragment2", b"fragment1fragment2"
    plain, ping = parted(one, two), frame(PING, b"ping payload")
    between = (plain[0], ping, plain[1])
    answers = ((PONG, b"ping payload"), (TEXT, both))
    cases = {
        "5.1": wrong((frame(PING, one, final=False), frame(CONTINUATION, two))),
        "5.2": wrong((frame(PONG, one, final=False), frame(CONTINUATION, two))),
        "5.15": wrong((*plain, frame(CONTINUATION, b"3", final=False), frame(TEXT, b"4")), (TEXT, both)),
        "5.16": wrong((frame(CONTINUATION, one, final=False), *plain) * 2),
        "5.17": wrong((frame(CONTINUATION, one), *plain) * 2),
        "5.18": wrong((frame(TEXT, one, final=False), frame(TEXT, two))),
        "5.19": five_fragments(0),
        "5.20": five_fragments(FRAME_WISE),
    }
    for place, chop in enumerate((0, FRAME_WISE, 1)):
        cases[f"5.{3 + place}"] = right(plain, (TEXT, both), chop=chop)
        cases[f"5.{6 + place}"] = right(between, *answers, chop=chop)
        for number, final in ((9, True), (12, False)):
            orphan = frame(CONTINUATION, b"non-continuation payload", final=final)
            cases[f"5.{number + place}"] = wrong((orphan, frame(TEXT, HELLO)), chop=chop)
    return cases


def five_fragments(chop: int) -> Case:
    """Each ping between fragments is answered before the next are sent."""
    parts = [b"fragment%d" % number for number in range(1, 6)]
    one, two, three, four, five = parted(*parts)
    return (
        Step((one, two, frame(PING, b"1")), ((PONG, b"1"),), chop),
        Step((three, four, frame(PING, b"2"), five), ((PONG, b"2"), (TEXT, b"".join(parts))), chop),
        GOODBYE,
    )


def texts() -> dict[str, Case]:
    surrogate = GREEK + spread(0xD800, 3) + b"edited"
    bytewise = tuple(fragments(TEXT, surrogate, 1))
    return {
        "6.1.1": echoed(TEXT, b""),
        "6.1.2": echoed(TEXT, b"", *parted(b"", b"", b"")),
        "6.1.3": echoed(TEXT, b"middle", *parted(b"", b"middle", b"")),
        "6.2.1": echoed(TEXT, UTF8),
        "6.2.2": echoed(TEXT, UTF8, *parted(UTF8[:13], UTF8[13:])),
        "6.2.3": echoed(TEXT, UTF8, *fragments(TEXT, UTF8, 1)),
        "6.2.4": echoed(TEXT, GREEK, *fragments(TEXT, GREEK, 1)),
        "6.3.1": wrong((frame(TEXT, surrogate),), code=1007),
        "6.3.2": wrong(bytewise, code=1007),
        **failing_fast(),
        **{
            case: echoed(TEXT, payload) if is_utf8 else wrong((frame(TEXT, payload),), code=1007)
            for case, (is_utf8, payload) in judged().items()
        },
    }


def failing_fast() -> dict[str, Case]:
    """A code point above U+10FFFF in the middle: seen in the fragment that holds it, before the last is sent.

    Inside one frame (6.4.3, 6.4.4) it is seen when the frame is whole, which the suite calls non-strict: a frame is
    short here, and looking into unfinished ones would cost every message.
    """
    parts = GREEK, spread(0x110000, 4), b"edited"
    pieces = parts[0] + parts[1][:1], parts[1][1:2], parts[1][2:] + parts[2]
    whole = frame(TEXT, b"".join(parts))
    cases: dict[str, Case] = {}
    for number, (first, second, _) in (("1", parts), ("2", pieces)):
        sent = frame(TEXT, first, final=False), frame(PING, b"alive")
        bad = frame(CONTINUATION, second, final=False)
        cases[f"6.4.{number}"] = Step(sent, ((PONG, b"alive"),)), *wrong((bad,), code=1007)
    for number, (first, second, _) in (("3", parts), ("4", pieces)):
        ends = 6 + len(first), 6 + len(first) + len(second)
        chops = whole[: ends[0]], whole[ends[0] : ends[1]], whole[ends[1] :]
        cases[f"6.4.{number}"] = wrong(chops, code=1007, chop=FRAME_WISE)
    return cases


def closing() -> dict[str, Case]:
    """Only what comes before the client's close frame counts; codes are echoed."""
    hello, big, half = frame(TEXT, HELLO), b"BAsd7&jh23" * 26_214, frame(TEXT, b"1", final=False)
    valid = (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999)
    invalid = (0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999)
    ended, normal = closed(1000), close(1000)
    return {
        "7.1.1": echoed(TEXT, HELLO),
        "7.1.2": (Step((normal, frame(8)), (ended,)),),
        "7.1.3": (Step((normal, frame(PING)), (ended,)),),
        "7.1.4": (Step((normal, hello), (ended,)),),
        "7.1.5": (Step((half, normal, frame(CONTINUATION, b"2")), (ended,)),),
        "7.1.6": (Step((frame(TEXT, big), hello, normal, frame(PING)), ((TEXT, big), (TEXT, HELLO), ended)),),
        "7.3.1": (Step((frame(8),), (closed(None),)),),
        "7.3.2": wrong((frame(8, b"a"),)),
        "7.3.3": (GOODBYE,),
        "7.3.4": (Step((close(1000, HELLO),), (ended,)),),
        "7.3.5": (Step((close(1000, b"*" * 123),), (ended,)),),
        "7.3.6": wrong((close(1000, b"*" * 124),)),
        "7.5.1": wrong((close(1000, GREEK + spread(0xD800, 3)),), code=1007),
        **{f"7.7.{place}": (Step((close(code),), (closed(code),)),) for place, code in enumerate(valid, 1)},
        **{f"7.9.{place}": wrong((close(code),)) for place, code in enumerate(invalid, 1)},
        "7.13.1": wrong((close(5000),)),
        "7.13.2": wrong((close(65535),)),
    }


def automatic() -> dict[str, Case]:
    payload = b"*" * 65536
    return {"10.1.1": echoed(TEXT, payload, *fragments(TEXT, payload, 1300))}


def small_cases() -> dict[str, Case]:
    """All of them by number."""
    groups = (framing, pings, reserved, fragmentation, texts, closing, automatic)
    return {number: case for group in groups for number, case in group().items()}
