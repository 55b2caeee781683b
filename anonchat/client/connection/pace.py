"""The times and bounds of a chat in one place, so that a bot or a test can choose others."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pace:
    """Times are seconds. The defaults suit people and bots alike."""

    shortest_wait: float = 1.0
    """Before the first attempt to reconnect; later attempts wait up to twice as long each."""

    longest_wait: float = 30.0
    """The most that such waiting grows to."""

    stable: float = 60.0
    """A connection that lived so long makes the next waiting short again."""

    connect: float = 15.0
    """For the handshake."""

    welcome: float = 20.0
    """From the handshake until everything that identifying brings has come."""

    heartbeat: float | None = None
    """Between two heartbeats; None takes what the server asks for."""

    answer: float = 10.0
    """After a heartbeat: when nothing has come by then, the connection is dead."""

    request: float = 30.0
    """For the answer to a request or a send."""

    send_attempts: int = 8
    """How often a send is tried that the server cannot take for the moment. Lost connections do not count."""

    outbox: int = 200
    """Messages that may wait to be sent."""

    requests: int = 100
    """Requests that may wait for their answer."""

    events: int = 1000
    """Events that may wait for the program, and above that what one new connection brings. Then the chat falls behind, and
    catches up from the server when the program has taken half of them."""
