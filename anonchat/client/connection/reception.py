"""What of all that arrives is told to the program: everything once, in order, with nothing missing in between.

No I/O: frames go in, events come out, and `resume` says when the connection must be made anew to fill a hole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from anonchat.client.checks.core import fits
from anonchat.client.connection.line import Frame
from anonchat.client.errors import NotOurs
from anonchat.client.events import Online, Received

WELCOMES = frozenset({"replay", "history_chunk"})
"""Events by which a new connection has brought everything up to now."""


@dataclass(frozen=True, slots=True)
class Position:
    """Up to where a room is known. Epoch and seq belong together and change together."""

    epoch: str
    seq: int


class Reception:
    """The position in a room and the version of its presence, across all connections of a chat."""

    def __init__(self) -> None:
        self.position: Position | None = None
        self.welcomed = False
        """Whether this connection has brought everything up to now."""
        self.resume = False
        """Whether something is missing, so that the connection must be made anew."""
        self.wants_presence = False
        """Whether a join or leave was missed, so that `get_presence` must be asked."""
        self.skipped = 0
        """How many events were left out, because they were not as the protocol has them."""
        self._presence_version = 0

    def begin(self) -> None:
        """A new connection begins; what an older one promised does not count any more."""
        self.welcomed = self.resume = self.wants_presence = False

    def identify(self, token: str) -> dict[str, Any]:
        """Data of `identify`: who we are, and from where to go on."""
        if self.position is None:
            return {"token": token}
        return {"token": token, "since": self.position.seq, "epoch": self.position.epoch}

    def accept(self, frame: Frame) -> Sequence[Received | Online]:
        """What to tell the program of a frame. One odd event is left out, and so what is told fits (see `fits`).

        Raises `NotOurs`, KeyError or TypeError for what is needed to go on from and is not the protocol's.
        """
        if frame.seq is not None:
            return self._durable(frame)
        if not fits(frame.event, frame.data):
            if not self.welcomed:
                raise NotOurs(f"the event {frame.event} is not as expected")
            self.skipped += 1
            return ()
        match frame.event:
            case "replay":
                return self._replay(frame.data)
            case "history_chunk" if not self.welcomed:
                return self._fresh(frame.data)
            case "presence_state":
                self.wants_presence = False
                self._presence_version = frame.data["version"]
            case "presence":
                if not self._presence(frame.data):
                    return ()
            case "resync":
                self.position = None
                self.resume = True
        return (Received(frame.event, frame.data),)

    def leave_out(self, frame: Frame) -> Sequence[Received | Online]:
        """Tell nothing of a frame; a later connection goes on from where the program is."""
        self.welcomed = self.welcomed or frame.event in WELCOMES
        return ()

    def compare(self, seq: int, presence_version: int) -> None:
        """The server's own position and version, as a heartbeat brings them: finds a loss after which nothing came."""
        if self.welcomed and self.position is not None and seq != self.position.seq:
            self.resume = True
        self.wants_presence = presence_version != self._presence_version

    def _durable(self, frame: Frame) -> Sequence[Received]:
        position = self.position
        if position is None or frame.seq is None:
            self.resume = True
            return ()
        if frame.seq <= position.seq or self.resume:
            return ()
        if frame.seq > position.seq + 1:
            self.resume = True
            return ()
        self.position = Position(position.epoch, frame.seq)
        return self._told(frame)

    def _replay(self, data: Mapping[str, Any]) -> Sequence[Received | Online]:
        before = self.position.seq if self.position else -1
        items = [Frame(item["event"], item["data"], item["seq"]) for item in data["events"] if item["seq"] > before]
        self.position = Position(data["epoch"], data["to"])
        self.welcomed = True
        missed = sum(item.event == "message" for item in items)
        return [*(event for item in items for event in self._told(item)), Online(recovered=True, missed=missed)]

    def _fresh(self, data: Mapping[str, Any]) -> Sequence[Received | Online]:
        self.position = Position(data["epoch"], data["seq"])
        self.welcomed = True
        return (Received("history_chunk", data), Online(recovered=False, missed=0))

    def _presence(self, data: Mapping[str, Any]) -> bool:
        version = data["version"]
        if version <= self._presence_version:
            return False
        if data["event"] != "count" and version > self._presence_version + 1:
            self.wants_presence = True
            # A change holds by itself: in a crowd the state that is asked for may not name who has changed.
            return bool(data["event"] == "change")
        self._presence_version = version
        return True

    def _told(self, frame: Frame) -> tuple[Received, ...]:
        """What was purged meanwhile, or is odd, only moves the position."""
        if not fits(frame.event, frame.data):
            self.skipped += 1
        elif frame.event != "gone":
            return (Received(frame.event, frame.data, frame.seq),)
        return ()
