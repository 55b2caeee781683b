"""WebSocket frames (RFC 6455): encoding as a server, strict decoding of what a client sent. No input, output, clock."""

from codecs import getincrementaldecoder
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

CONTINUATION: Final = 0x0
TEXT: Final = 0x1
BINARY: Final = 0x2
CLOSE: Final = 0x8
PING: Final = 0x9
PONG: Final = 0xA

CONTROL_FRAMES: Final = 100
"""Pings and pongs that a client may send in a second; one in some seconds is what clients do."""

NO_STATUS: Final = 1005
"""What a close frame without a code means; never sent (RFC 6455, 7.4.1)."""

_FINAL: Final = 0x80
_FINAL_TEXT: Final = _FINAL | TEXT
_RESERVED_BITS: Final = 0x70
_OPCODE: Final = 0x0F
_CONTROL: Final = 0x08
_MASKED: Final = 0x80
_LONGEST_CONTROL_PAYLOAD: Final = 125
_DEFINED_CLOSE_CODES: Final = frozenset({1000, 1001, 1002, 1003, *range(1007, 1015), *range(3000, 5000)})

Unmask = Callable[[bytes, bytes], bytes]
"""Takes a mask of 4 bytes and a payload, gives the payload XORed with the repeated mask."""


class ProtocolError(Exception):
    """The client broke the protocol or a limit; `close_code` and `reason` are what the close frame shall say."""

    def __init__(self, close_code: int, reason: str) -> None:
        super().__init__(f"{close_code} {reason}")
        self.close_code = close_code
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Ping:
    """The client asks for a pong with the same payload."""

    payload: bytes


@dataclass(frozen=True, slots=True)
class Pong:
    """The client answers a ping, or sends a pong nobody asked for."""

    payload: bytes


@dataclass(frozen=True, slots=True)
class Close:
    """The client's last frame; `code` is None when it gave none."""

    code: int | None
    reason: str


Item = str | bytes | Ping | Pong | Close | ProtocolError
"""What a reader finds: a text message, a binary message, a control frame, or the error that ends everything."""


def encode_frame(payload: bytes, opcode: int = TEXT) -> bytes:
    """One whole frame as a server sends it: final and not masked."""
    first, size = _FINAL | opcode, len(payload)
    if size < 126:
        return (first << 8 | size).to_bytes(2) + payload
    if size < 1 << 16:
        return (first << 24 | 126 << 16 | size).to_bytes(4) + payload
    return bytes((first, 127)) + size.to_bytes(8) + payload


def encode_ping(payload: bytes = b"") -> bytes:
    """A ping; raises `ValueError` above 125 bytes, as every control frame does."""
    return _encode_control(payload, PING)


def encode_pong(payload: bytes) -> bytes:
    """The answer to a ping that carried `payload`."""
    return _encode_control(payload, PONG)


def encode_close(code: int | None = None, reason: str = "") -> bytes:
    """A close frame; without a code it is empty, and a long reason is cut at a whole character to fit in 123 bytes."""
    if code is None:
        return _encode_control(b"", CLOSE)
    text = reason.encode(errors="replace")[: _LONGEST_CONTROL_PAYLOAD - 2].decode(errors="ignore")
    return _encode_control(code.to_bytes(2) + text.encode(), CLOSE)


def _encode_control(payload: bytes, opcode: int) -> bytes:
    if len(payload) > _LONGEST_CONTROL_PAYLOAD:
        raise ValueError(f"a control frame carries at most {_LONGEST_CONTROL_PAYLOAD} bytes")
    return encode_frame(payload, opcode)


def exclusive_or(mask: bytes, payload: bytes) -> bytes:
    """Unmask in plain Python: half a microsecond for a chat message, five to thirty times what a C function takes."""
    size = len(payload)
    repeated = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(payload) ^ int.from_bytes(repeated)).to_bytes(size)


class _Fragments:
    """The message that the client is sending in several frames."""

    __slots__ = ("_check_text", "_opcode", "_payloads")

    def __init__(self, opcode: int) -> None:
        self._opcode = opcode
        self._check_text = getincrementaldecoder("utf-8")()
        self._payloads: list[bytes] = []

    def __len__(self) -> int:
        return len(self._payloads)

    def append(self, payload: bytes, final: bool) -> None:
        """Take one more fragment; raises `UnicodeDecodeError` at the first one that cannot be text any more."""
        if self._opcode == TEXT:
            self._check_text.decode(payload, final)
        self._payloads.append(payload)

    def joined(self) -> str | bytes:
        """The whole message."""
        message = b"".join(self._payloads)
        return message.decode() if self._opcode == TEXT else message


class FrameReader:
    """Decodes the bytes of one client, in pieces of any size, into messages and control frames.

    A message may have at most `frame_bytes` bytes in at most `fragments` frames; what announces more is refused at
    its header, so never more than one such message and one piece is kept. Of pings and pongs there may be
    `control_frames` a second: answering them is the one work that no limit above this one sees. After a close frame or
    an error whatever follows is ignored.
    """

    __slots__ = (
        "_control_frames",
        "_controls",
        "_ended",
        "_fragments",
        "_frame_bytes",
        "_message",
        "_needed",
        "_now",
        "_rest",
        "_room",
        "_second",
        "_unmask",
        "unfinished_since",
    )

    def __init__(
        self, frame_bytes: int, fragments: int, unmask: Unmask = exclusive_or, control_frames: int = CONTROL_FRAMES
    ) -> None:
        self.unfinished_since: float | None = None
        """The `now` of the piece in which the frame or message began that is not yet complete."""
        self._frame_bytes = frame_bytes
        self._fragments = fragments
        self._control_frames = control_frames
        self._unmask = unmask
        self._now = self._second = 0.0
        self._controls = 0
        self._message: _Fragments | None = None
        self._room = frame_bytes
        self._rest = bytearray()
        self._needed = 0
        self._ended = False

    def feed(self, data: bytes, now: float = 0.0) -> list[Item]:
        """Everything that `data` completes, in order; a `ProtocolError` can only be the last item, and is not raised.

        The cost is linear in the bytes fed, however they are cut: an unfinished frame is looked at again only when
        the bytes that it lacked are there.
        """
        if self._ended:
            return []
        if self._rest:
            self._rest += data
            if len(self._rest) < self._needed:
                return []
            data = bytes(self._rest)
        items: list[Item] = []
        self._now = now
        before = self._message
        try:
            self._rest[:] = data[self._decode(data, items) :]
        except ProtocolError as error:
            items.append(error.with_traceback(None))  # which would hold this list, and with it itself
            self._end()
        except UnicodeDecodeError:
            items.append(ProtocolError(1007, "text is not UTF-8"))
            self._end()
        self._note_unfinished(now, continued=self._message is before and before is not None, progress=bool(items))
        return items

    def _decode(self, data: bytes, items: list[Item]) -> int:
        """Decode all complete frames and return where the first incomplete one begins. The one hot loop."""
        unmask = self._unmask
        position, size = 0, len(data)
        while size - position >= 2 and not self._ended:
            first, second = data[position], data[position + 1]
            simple = first == _FINAL_TEXT and second >= _MASKED and self._message is None
            if not simple:
                self._check_header(first, second)
            length = second & 0x7F
            start = position + 6
            if length > 125:
                start += 2 if length == 126 else 8
                if size < start - 4:
                    self._needed = start - 4 - position
                    return position
                length = _extended_length(data[position + 2 : start - 4])
            if length > self._room and not first & _CONTROL:
                raise ProtocolError(1009, f"a message may have {self._frame_bytes} bytes")
            end = start + length
            if end > size:
                self._needed = end - position
                return position
            payload = unmask(data[start - 4 : start], data[start:end])
            if simple:
                items.append(payload.decode())
            else:
                self._take(first, payload, items)
            position = end
        self._needed = 2
        return position

    def _check_header(self, first: int, second: int) -> None:
        """Refuse what the first two bytes of a frame can be wrong in (RFC 6455, 5.1, 5.2, 5.4, 5.5)."""
        opcode = first & _OPCODE
        if first & _RESERVED_BITS:
            raise ProtocolError(1002, "a reserved bit is set")
        if not second & _MASKED:
            raise ProtocolError(1002, "a frame is not masked")
        if opcode not in (CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG):
            raise ProtocolError(1002, "reserved opcode")
        if opcode & _CONTROL:
            if not first & _FINAL or second & 0x7F > _LONGEST_CONTROL_PAYLOAD:
                raise ProtocolError(1002, "a control frame is fragmented or too long")
        elif (opcode == CONTINUATION) != (self._message is not None):
            raise ProtocolError(1002, "a continuation without a message, or a message inside of one")
        elif self._message is not None and len(self._message) >= self._fragments:
            raise ProtocolError(1009, f"a message may have {self._fragments} fragments")

    def _take(self, first: int, payload: bytes, items: list[Item]) -> None:
        opcode = first & _OPCODE
        if opcode in (PING, PONG):
            self._count_control()
            items.append(Ping(payload) if opcode == PING else Pong(payload))
        elif opcode == CLOSE:
            items.append(_parse_close(payload))
            self._end()
        else:
            self._take_fragment(opcode, payload, items, final=bool(first & _FINAL))

    def _count_control(self) -> None:
        if self._now >= self._second + 1:
            self._second, self._controls = self._now, 0
        self._controls += 1
        if self._controls > self._control_frames:
            raise ProtocolError(4429, f"there may be {self._control_frames} pings and pongs a second")

    def _take_fragment(self, opcode: int, payload: bytes, items: list[Item], *, final: bool) -> None:
        message = self._message or _Fragments(opcode)
        message.append(payload, final)
        if final:
            items.append(message.joined())
            self._message, self._room = None, self._frame_bytes
        else:
            self._message, self._room = message, self._room - len(payload)

    def _note_unfinished(self, now: float, *, continued: bool, progress: bool) -> None:
        """A message in fragments is as old as its first piece, whatever pings come between; anything else is new."""
        if not self._rest and self._message is None:
            self.unfinished_since = None
        elif self.unfinished_since is None or (progress and not continued):
            self.unfinished_since = now

    def _end(self) -> None:
        self._ended = True
        self._message = None
        self._rest.clear()


def _extended_length(field: bytes) -> int:
    """A length of 2 or 8 bytes, which must be the shortest form and below 2 to the 63rd (RFC 6455, 5.2)."""
    length = int.from_bytes(field)
    if length < (126 if len(field) == 2 else 1 << 16) or length >> 63:
        raise ProtocolError(1002, "a length is not in its shortest form")
    return length


def _parse_close(payload: bytes) -> Close:
    if not payload:
        return Close(None, "")
    code = int.from_bytes(payload[:2])
    if len(payload) == 1 or code not in _DEFINED_CLOSE_CODES:
        raise ProtocolError(1002, "a close code that may not be sent")
    return Close(code, payload[2:].decode())
