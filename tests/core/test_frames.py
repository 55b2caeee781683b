"""Frames: the same messages from any cut of any valid stream, and one strict answer to each broken rule.

`wsproto` encodes and decodes independently. Tables name the section of the Autobahn test suite that a case follows.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tornado.speedups import websocket_mask
from wsproto.frame_protocol import FrameProtocol, Opcode, ParseFailed

from anonchat.protocol.frames import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    Close,
    FrameReader,
    Item,
    Ping,
    Pong,
    ProtocolError,
    encode_close,
    encode_frame,
    encode_ping,
    encode_pong,
    exclusive_or,
)

MASK = b"\x1f\xa0\x05\x7c"
FRAME_BYTES = 1 << 20
FRAGMENTS = 64


def client_frame(
    opcode: int, payload: bytes = b"", *, final: bool = True, reserved: int = 0, masked: bool = True
) -> bytes:
    """One frame of a client, valid or not as the arguments say."""
    size = len(payload)
    first = (0x80 if final else 0) | reserved << 4 | opcode
    mark = 0x80 if masked else 0
    if size < 126:
        header = bytes((first, mark | size))
    elif size < 1 << 16:
        header = bytes((first, mark | 126)) + size.to_bytes(2)
    else:
        header = bytes((first, mark | 127)) + size.to_bytes(8)
    return header + (MASK + exclusive_or(MASK, payload) if masked else payload)


def read(*pieces: bytes, frame_bytes: int = FRAME_BYTES, fragments: int = FRAGMENTS) -> list[Item]:
    """Everything that a new reader finds in the pieces."""
    reader = FrameReader(frame_bytes, fragments)
    return [item for piece in pieces for item in reader.feed(piece)]


def comparable(items: list[Item]) -> list[object]:
    """Exceptions compare by identity, so take their code instead."""
    return [item.close_code if isinstance(item, ProtocolError) else item for item in items]


def codes(items: list[Item]) -> list[int]:
    return [item.close_code for item in items if isinstance(item, ProtocolError)]


def cut(stream: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(stream) + 1) for place in places), len(stream)]
    return [stream[start:end] for start, end in pairwise(edges)]


def joined(parts: Sequence[object]) -> str | bytes:
    """One message of its parts, which are all text or all bytes."""
    texts = [part for part in parts if isinstance(part, str)]
    return "".join(texts) if texts else b"".join(part for part in parts if isinstance(part, bytes | bytearray))


Plan = list[tuple[list[Any], list[Ping | Pong]]]
"""Messages as lists of fragments, each with the control frames that come after its first one."""

payloads = st.binary(max_size=300) | st.integers(65500, 65600).map(bytes)
texts = st.text(max_size=200)
controls = st.builds(Ping, st.binary(max_size=125)) | st.builds(Pong, st.binary(max_size=125))
messages = st.lists(texts, min_size=1, max_size=5) | st.lists(payloads, min_size=1, max_size=5)
steps = st.lists(st.tuples(messages, st.lists(controls, max_size=2)), max_size=6)


def encode_control(client: FrameProtocol, item: Ping | Pong) -> bytes:
    encoded = client.ping(item.payload) if isinstance(item, Ping) else client.pong(item.payload)
    return bytes(encoded)


def encode_steps(plan: Plan) -> tuple[bytes, list[Item]]:
    """A stream made by wsproto: each message in fragments, with control frames after its first one."""
    client = FrameProtocol(client=True, extensions=[])
    stream = b""
    expected: list[Item] = []
    for parts, between in plan:
        for place, part in enumerate(parts):
            stream += client.send_data(part, fin=place == len(parts) - 1)
            if place == 0:
                stream += b"".join(encode_control(client, item) for item in between)
        message = joined(parts)
        expected += [message, *between] if len(parts) == 1 else [*between, message]
    return stream, expected


@given(steps, st.lists(st.integers(min_value=0), max_size=8))
@settings(deadline=None)
def test_any_cut_of_a_valid_stream_gives_the_same_items(plan: Plan, places: list[int]) -> None:
    stream, expected = encode_steps(plan)
    assert read(*cut(stream, places)) == expected


@given(steps)
@settings(max_examples=20, deadline=None)
def test_a_stream_byte_by_byte(plan: Plan) -> None:
    stream, expected = encode_steps([step for step in plan if sum(map(len, step[0])) < 2000])
    assert read(*(stream[place : place + 1] for place in range(len(stream)))) == expected


frames = st.builds(
    client_frame,
    st.sampled_from([CONTINUATION, TEXT, TEXT, BINARY, PING, PONG, CLOSE]) | st.integers(0, 15),
    st.binary(max_size=8) | texts.map(str.encode) | st.integers(990, 5010).map(lambda code: code.to_bytes(2)),
    final=st.booleans(),
    reserved=st.sampled_from([0, 0, 0, 0, 1, 2, 4]),
    masked=st.sampled_from([True, True, True, False]),
)


def read_by_wsproto(stream: bytes) -> list[object]:
    """What an independent server finds: messages, control frames, and the code of the error that ends it."""
    server = FrameProtocol(client=False, extensions=[])
    server.receive_bytes(stream)
    found: list[object] = []
    parts: list[object] = []
    try:
        for frame in server.received_frames():
            if isinstance(frame.payload, tuple):
                code, reason = frame.payload
                found.append(Close(None if code == 1005 else int(code), reason))
            elif isinstance(frame.payload, bytes) and frame.opcode in (Opcode.PING, Opcode.PONG):
                found.append(Ping(frame.payload) if frame.opcode is Opcode.PING else Pong(frame.payload))
            else:
                parts.append(frame.payload)
                if frame.message_finished:
                    found.append(joined(parts))
                    parts = []
    except ParseFailed as error:
        found.append(int(error.code))
    return found


@given(st.lists(frames, max_size=6))
@settings(max_examples=400, deadline=None)
def test_valid_and_broken_frames_are_judged_as_wsproto_does(stream: list[bytes]) -> None:
    # wsproto does not know the code 1014 of the IANA registry.
    pieces = [piece for piece in stream if piece != client_frame(CLOSE, (1014).to_bytes(2))]
    assert comparable(read(b"".join(pieces))) == read_by_wsproto(b"".join(pieces))


@given(st.lists(st.binary(max_size=40), max_size=10))
def test_no_bytes_raise_and_nothing_follows_the_end(pieces: list[bytes]) -> None:
    found = read(*pieces)
    assert not any(isinstance(item, ProtocolError | Close) for item in found[:-1])


@pytest.mark.parametrize("size", [0, 1, 124, 125, 126, 127, 128, 65535, 65536])
@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_sizes_both_ways(opcode: int, size: int) -> None:
    """Autobahn 1.1 and 1.2."""
    payload = b"*" * size
    expected = payload.decode() if opcode == TEXT else payload
    assert read(client_frame(opcode, payload)) == [expected]
    client = FrameProtocol(client=True, extensions=[])
    client.receive_bytes(encode_frame(payload, opcode))
    parts = [frame.payload for frame in client.received_frames()]
    assert joined(parts) == expected


LONG = bytes(126)
START = client_frame(TEXT, b"a", final=False)

BROKEN = {
    "2.5 ping of 126 bytes": client_frame(PING, LONG),
    "3.1 reserved bit 3": client_frame(TEXT, b"a", reserved=1),
    "3.2 reserved bit 2": client_frame(TEXT, b"a", reserved=2),
    "3.3 reserved bits 2 and 3": client_frame(TEXT, b"a", reserved=3),
    "3.4 reserved bit 1": client_frame(TEXT, b"a", reserved=4),
    "3.5 reserved bits of a binary message": client_frame(BINARY, b"a", reserved=5),
    "3.6 reserved bits of a ping": client_frame(PING, b"a", reserved=6),
    "3.7 reserved bits of a close": client_frame(CLOSE, reserved=7),
    **{f"4.1 opcode {opcode}": client_frame(opcode, b"a") for opcode in range(3, 8)},
    **{f"4.2 opcode {opcode}": client_frame(opcode, b"a") for opcode in range(11, 16)},
    "5.1 ping in fragments": client_frame(PING, b"a", final=False),
    "5.2 pong in fragments": client_frame(PONG, b"a", final=False),
    "5.9 continuation of nothing": client_frame(CONTINUATION, b"a"),
    "5.12 unfinished continuation of nothing": client_frame(CONTINUATION, b"a", final=False),
    "5.18 message inside a message": START + client_frame(TEXT, b"b"),
    "5.18 binary inside a text": START + client_frame(BINARY, b"b"),
    "7.3.2 close of one byte": client_frame(CLOSE, b"\x03"),
    "7.3.6 close of 126 bytes": client_frame(CLOSE, (1000).to_bytes(2) + bytes(124)),
    "close in fragments": client_frame(CLOSE, (1000).to_bytes(2), final=False),
    "text without a mask": client_frame(TEXT, b"a", masked=False),
    "ping without a mask": client_frame(PING, b"a", masked=False),
    "close without a mask": client_frame(CLOSE, masked=False),
    "2 bytes of length for 125": b"\x81\xfe\x00\x7d" + MASK,
    "8 bytes of length for 65535": b"\x81\xff\x00\x00\x00\x00\x00\x00\xff\xff" + MASK,
    "length with the highest bit": b"\x81\xff\x80\x00\x00\x00\x00\x00\x00\x00" + MASK,
}


@pytest.mark.parametrize("stream", BROKEN.values(), ids=BROKEN)
def test_a_broken_rule_is_1002(stream: bytes) -> None:
    """Autobahn 2 to 5 and 7, with what came before it still delivered and what follows ignored."""
    before, after = client_frame(TEXT, "früher".encode()), client_frame(TEXT, b"later")
    assert comparable(read(before + stream + after)) == ["früher", 1002]
    assert comparable(read(*(bytes((byte,)) for byte in before + stream + after))) == ["früher", 1002]


NOT_TEXT = {
    "6.3.1 surrogate": "κόσμε".encode() + b"\xed\xa0\x80edited",
    "6.6.1 first byte only": b"\xce",
    "6.10 overlong slash": b"\xc0\xaf",
    "6.14 lonely continuation byte": b"\x80",
    "6.18 impossible byte": b"\xfe",
    "6.21 surrogate pair": b"\xed\xa0\x80\xed\xb0\x80",
    "above U+10FFFF": b"\xf4\x90\x80\x80",
}


@pytest.mark.parametrize("payload", NOT_TEXT.values(), ids=NOT_TEXT)
def test_text_that_is_not_utf8_is_1007(payload: bytes) -> None:
    assert codes(read(client_frame(TEXT, payload))) == [1007]
    assert read(client_frame(BINARY, payload)) == [payload]
    assert codes(read(START, client_frame(CONTINUATION, payload))) == [1007]
    assert codes(read(client_frame(CLOSE, (1000).to_bytes(2) + payload))) == [1007]


def test_text_is_refused_at_the_first_impossible_fragment() -> None:
    """Autobahn 6.4: fail before the message is complete, but not for a character cut in two."""
    assert codes(read(client_frame(TEXT, b"a\xed\xa0\x80", final=False))) == [1007]
    halves = client_frame(TEXT, b"\xc3", final=False), client_frame(CONTINUATION, b"\xbc")
    assert read(*halves) == ["ü"]


@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535])
def test_close_codes_that_may_not_be_sent(code: int) -> None:
    """Autobahn 7.9."""
    assert codes(read(client_frame(CLOSE, code.to_bytes(2)))) == [1002]


@pytest.mark.parametrize("code", [1000, 1001, 1002, 1003, 1007, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999])
def test_close_codes_that_may(code: int) -> None:
    """Autobahn 7.7; 1012 to 1014 are in the IANA registry."""
    assert read(client_frame(CLOSE, code.to_bytes(2) + b"bye")) == [Close(code, "bye")]


def test_close_ends_everything() -> None:
    """Autobahn 7.1 and 7.3.1."""
    assert read(client_frame(CLOSE) + client_frame(TEXT, b"late"), client_frame(PING)) == [Close(None, "")]


def test_control_frames_between_fragments() -> None:
    """Autobahn 5.6 to 5.8 and 5.19: in the order of their ends; a full message leaves room for a ping."""
    stream = START + client_frame(PING, b"x" * 125) + client_frame(PONG) + client_frame(CONTINUATION, b"b")
    assert read(stream, frame_bytes=2) == [Ping(b"x" * 125), Pong(b""), "ab"]


def test_a_length_above_the_limit_is_refused_at_its_header() -> None:
    """Only 10 bytes were needed to know."""
    assert codes(read(b"\x82\xff" + (1 << 62).to_bytes(8), frame_bytes=65536)) == [1009]
    assert codes(read(client_frame(TEXT, bytes(65537))[:10], frame_bytes=65536)) == [1009]
    assert read(client_frame(BINARY, bytes(65536)), frame_bytes=65536) == [bytes(65536)]


def test_fragments_count_together() -> None:
    part = client_frame(CONTINUATION, bytes(40), final=False)
    assert codes(read(client_frame(BINARY, bytes(40), final=False), part, frame_bytes=100)) == []
    assert codes(read(client_frame(BINARY, bytes(40), final=False), part, part[:2], frame_bytes=100)) == [1009]


def test_room_is_free_again_after_a_message() -> None:
    message = client_frame(BINARY, bytes(60), final=False) + client_frame(CONTINUATION, bytes(40))
    assert read(message * 3, frame_bytes=100) == [bytes(100)] * 3


@pytest.mark.parametrize("count", [1, 2, 64])
def test_more_fragments_than_allowed(count: int) -> None:
    """Empty ones count, else a message without an end would cost a client nothing."""
    allowed = client_frame(TEXT, final=False) + client_frame(CONTINUATION, final=False) * (count - 1)
    assert read(allowed, fragments=count) == []
    assert codes(read(allowed, client_frame(CONTINUATION), fragments=count)) == [1009]


@pytest.mark.parametrize("opcode", [PING, PONG])
def test_more_pings_and_pongs_than_allowed(opcode: int) -> None:
    """Counted by the second; messages do not count."""
    reader = FrameReader(FRAME_BYTES, FRAGMENTS, control_frames=3)
    three = client_frame(opcode) * 3 + client_frame(TEXT, b"a")
    for now in (10.0, 11.0, 12.5):
        assert len(reader.feed(three, now)) == 4
    assert codes(reader.feed(client_frame(TEXT, b"a") + client_frame(opcode), 13.0)) == [4429]


def test_unfinished_since() -> None:
    """The age of a message in fragments is that of its first byte; a complete one leaves no age behind."""
    reader = FrameReader(FRAME_BYTES, FRAGMENTS)
    first = client_frame(TEXT, b"abc", final=False)
    ages = []
    for now, piece in enumerate(
        [
            first[:1],
            first[1:],
            client_frame(PING),
            client_frame(PING)[:3],
            client_frame(PING)[3:] + client_frame(CONTINUATION, b"d") + first[:5],
            first[5:] + client_frame(CONTINUATION),
            client_frame(PING)[:2],
            client_frame(PING)[2:] + client_frame(PING)[:2],
            client_frame(PING)[2:],
        ]
    ):
        reader.feed(piece, float(now))
        ages.append(reader.unfinished_since)
    assert ages == [0, 0, 0, 0, 4, None, 6, 7, None]


def test_unfinished_since_of_a_message_that_began_behind_another() -> None:
    reader = FrameReader(FRAME_BYTES, FRAGMENTS)
    reader.feed(START, 1.0)
    reader.feed(client_frame(CONTINUATION) + START, 2.0)
    assert reader.unfinished_since == 2.0
    reader.feed(client_frame(PING), 3.0)
    assert reader.unfinished_since == 2.0


@given(st.binary(min_size=4, max_size=4), payloads)
def test_exclusive_or_is_what_tornado_does(mask: bytes, payload: bytes) -> None:
    assert exclusive_or(mask, payload) == websocket_mask(mask, payload)


def test_control_frames_are_encoded_whole() -> None:
    assert encode_ping(b"p") == b"\x89\x01p"
    assert encode_pong(b"p") == b"\x8a\x01p"
    assert encode_close() == b"\x88\x00"
    assert encode_close(4413, "too slow") == b"\x88\x0a\x11\x3dtoo slow"
    assert encode_close(1000, "ü" * 100) == b"\x88\x7c" + (1000).to_bytes(2) + "ü".encode() * 61
    with pytest.raises(ValueError, match="125"):
        encode_ping(bytes(126))
