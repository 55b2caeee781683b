"""A client for anonchat in asynchronous Python, on Tornado.

::

    async with await join("https://chat.example.org/r/room#secret", "Alice") as chat:
        await chat.send("hello")
        async for event in chat:
            ...

`Chat` keeps itself connected; `RoomState` makes of its events what a room looks like; `Server` is the REST side.
"""

from __future__ import annotations

from anonchat.client.chat import Chat
from anonchat.client.connection.line import Frame
from anonchat.client.connection.outbox import Ack, Outgoing
from anonchat.client.connection.pace import Pace
from anonchat.client.errors import ChatClosed, ChatRefused, ClientError, LinkError, NotOurs, NotReachable, OutboxFull
from anonchat.client.events import ChatEvent, Closed, Connecting, Offline, Online, Received
from anonchat.client.link import Link
from anonchat.client.server import CreatedRoom, Membership, Server
from anonchat.client.state import RoomState

__all__ = [
    "Ack",
    "Chat",
    "ChatClosed",
    "ChatEvent",
    "ChatRefused",
    "ClientError",
    "Closed",
    "Connecting",
    "CreatedRoom",
    "Frame",
    "Link",
    "LinkError",
    "Membership",
    "NotOurs",
    "NotReachable",
    "Offline",
    "Online",
    "OutboxFull",
    "Outgoing",
    "Pace",
    "Received",
    "RoomState",
    "Server",
    "join",
]


async def join(link: str | Link, username: str, *, device_id: str | None = None, pace: Pace | None = None) -> Chat:
    """Join a room by its link. Raises `LinkError`, `NotReachable` or `ChatRefused`; begins with ``async with``."""
    known = Link.parse(link) if isinstance(link, str) else link
    return Chat(await Server(known.base_url).join(known, username, device_id=device_id), pace=pace)
