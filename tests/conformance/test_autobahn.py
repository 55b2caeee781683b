"""Each case of the Autobahn test suite, sections 1 to 7, 9 and 10, by its number; `make autobahn` runs the suite itself.

The same wrong bytes are sent to a chat server, which must end them with the same code. Sections 12 and 13 are about
compression, which is never negotiated: tests/core/test_handshake.py.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from anonchat.protocol.frames import FrameReader
from anonchat.testing import running_server, settings_in
from anonchat.websocket import transport
from anonchat.websocket.transport import SocketLimits

from .autobahn import failures
from .beside import in_a_thread
from .cases import HELLO, Case, small_cases, wrong
from .echo import echoing
from .large import NUMBERS, large_case
from .wire import CLOSE, CONTINUATION, PING, PONG, TEXT, Client, closed, fragments, frame, play

SMALL = small_cases()
REFUSED = {number: case for number, case in SMALL.items() if case[-1].answers in ((closed(1002),), (closed(1007),))}

COUNTS = {
    "1.1": 8,
    "1.2": 8,
    "2": 11,
    "3": 7,
    "4.1": 5,
    "4.2": 5,
    "5": 20,
    "6.1": 3,
    "6.2": 4,
    "6.3": 2,
    "6.4": 4,
    "6.5": 5,
    "6.6": 11,
    "6.7": 4,
    "6.8": 2,
    "6.9": 4,
    "6.10": 3,
    "6.11": 5,
    "6.12": 8,
    "6.13": 5,
    "6.14": 10,
    "6.15": 1,
    "6.16": 3,
    "6.17": 5,
    "6.18": 5,
    "6.19": 5,
    "6.20": 7,
    "6.21": 8,
    "6.22": 34,
    "6.23": 7,
    "7.1": 6,
    "7.3": 6,
    "7.5": 1,
    "7.7": 13,
    "7.9": 9,
    "7.13": 2,
    "9.1": 6,
    "9.2": 6,
    "9.3": 9,
    "9.4": 9,
    "9.5": 6,
    "9.6": 6,
    "9.7": 6,
    "9.8": 6,
    "10.1": 1,
}
"""How many cases the suite 25.10.1 has in each section."""


@pytest.fixture(scope="module")
def echo_port() -> Iterator[int]:
    with in_a_thread(echoing) as port:
        yield port


@pytest.fixture(scope="module")
def chat_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    folder: Path = tmp_path_factory.mktemp("chat")

    @asynccontextmanager
    async def serve() -> AsyncIterator[int]:
        async with running_server(settings_in(folder)) as server:
            yield server.port

    with in_a_thread(serve) as port:
        yield port


@pytest.mark.parametrize("number", SMALL)
def test_case(number: str, echo_port: int) -> None:
    play(echo_port, SMALL[number])


@pytest.mark.parametrize("number", NUMBERS)
def test_large_case(number: str, echo_port: int) -> None:
    play(echo_port, large_case(number))


def test_no_case_is_missing() -> None:
    wanted = {f"{section}.{place}" for section, count in COUNTS.items() for place in range(1, count + 1)}
    assert {*SMALL, *NUMBERS} == wanted


@pytest.mark.parametrize("number", REFUSED)
def test_the_chat_refuses_case(number: str, chat_port: int) -> None:
    """A room answers messages in its own words, so only the end is compared."""
    with Client(chat_port, b"/ws") as client:
        for step in REFUSED[number]:
            client.send(step.pieces())
        answers = list(iter(client.receive, None))
    assert answers[-1] == REFUSED[number][-1].answers[-1]
    assert [opcode for opcode, _ in answers].count(CLOSE) == 1


OFFERS = (
    b"permessage-deflate",
    b"permessage-deflate; client_max_window_bits",
    b"permessage-deflate; server_max_window_bits=99; server_max_window_bits=1",
    b"permessage-deflate; =; ;;, ,",
    b'"',
    b"\x80\xff",
    b"x" * 8_000,
)


@pytest.mark.parametrize("offer", OFFERS, ids=range(len(OFFERS)))
@pytest.mark.parametrize("name", [b"Sec-WebSocket-Extensions", b"Sec-WebSocket-Protocol"], ids=bytes.decode)
def test_the_chat_declines_offers_politely(name: bytes, offer: bytes, chat_port: int) -> None:
    with Client(chat_port, b"/ws", b"%s: %s\r\n" % (name, offer)) as client:
        assert not [header for header in client.headers if header.lower().startswith(name.lower())]
        client.send([frame(PING, b"alive")])
        assert (PONG, b"alive") in (client.receive(), client.receive())


LONG = b"\x81\xfe\x00\x05" + bytes(9)
LONGER = b"\x81\xff" + (5).to_bytes(8) + bytes(9)
NEGATIVE = b"\x81\xff\x80" + bytes(7) + bytes(9)
OWN: dict[str, Case] = {
    "a frame that is not masked": wrong((frame(TEXT, HELLO, masked=False),)),
    "a control frame that is not masked": wrong((frame(CLOSE, b"\x03\xe8", masked=False),)),
    "a length of 2 bytes for 5": wrong((LONG,)),
    "a length of 8 bytes for 5": wrong((LONGER,)),
    "a length with the highest bit": wrong((NEGATIVE,)),
    "a frame above the limit": wrong((frame(TEXT, b"*" * 1025)[:8],), code=1009),
    "a message above the limit": wrong((*fragments(TEXT, b"*" * 1025, 512),), code=1009),
    "more fragments than allowed": wrong((*fragments(TEXT, b"12345", 1),), code=1009),
}
"""What the suite does not ask: a client must mask, lengths have one form (RFC 6455, 5.1 and 5.2), and limits hold."""

STRICT = SocketLimits(frame_bytes=1024, frame_fragments=4, unfinished_seconds=0.2)


@pytest.mark.parametrize("case", OWN.values(), ids=OWN)
def test_own_case(case: Case) -> None:
    with in_a_thread(lambda: echoing(STRICT)) as port:
        play(port, case)


@pytest.mark.parametrize("start", [frame(TEXT, HELLO)[:3], frame(TEXT, HELLO, final=False)], ids=["frame", "message"])
def test_what_is_never_finished_ends(start: bytes) -> None:
    with in_a_thread(lambda: echoing(STRICT)) as port, Client(port) as client:
        client.send([start])
        assert client.receive() == (CLOSE, (4400).to_bytes(2))


class Lenient(FrameReader):
    """A reader that takes every header."""

    __slots__ = ()

    def _check_header(self, first: int, second: int) -> None:
        """Nothing is refused."""


@pytest.mark.parametrize("number", ["3.1", "3.2", "3.5", "4.1.3", "4.2.1", "5.1", "5.9", "5.18"])
def test_control_a_lenient_reader_fails(number: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "FrameReader", Lenient)
    with in_a_thread(echoing) as port, pytest.raises(AssertionError):
        play(port, SMALL[number])


def test_control_an_echo_that_is_changed_fails(echo_port: int) -> None:
    orphan = frame(CONTINUATION, HELLO)
    for case in ((*wrong((orphan,), code=1003),), (*wrong((orphan, frame(TEXT, HELLO)), (TEXT, HELLO)),)):
        with pytest.raises(AssertionError):
            play(echo_port, case)


def test_a_report_of_the_suite_is_read_strictly() -> None:
    """Only what nobody can pass without compression may be unimplemented, and a bad end fails like a bad answer."""
    outcomes = {
        "1.1.1": ("OK", "OK"),
        "6.4.3": ("NON-STRICT", "OK"),
        "7.1.6": ("INFORMATIONAL", "INFORMATIONAL"),
        "12.1.1": ("UNIMPLEMENTED", "OK"),
        "1.1.2": ("UNIMPLEMENTED", "OK"),
        "2.5": ("FAILED", "OK"),
        "7.7.1": ("OK", "WRONG CODE"),
        "9.1.1": ("OK", "UNCLEAN"),
    }
    found = {number: {"behavior": one, "behaviorClose": other} for number, (one, other) in outcomes.items()}
    assert [line.partition(":")[0] for line in failures(found)] == ["1.1.2", "2.5", "7.7.1", "9.1.1"]
