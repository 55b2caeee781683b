"""The REST side: rooms, joining, leaving."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest, HTTPResponse

from anonchat.client.checks.core import CREATED, JOINED, ROOM, TIME_REMAINING, require
from anonchat.client.errors import ChatRefused, NotReachable
from anonchat.client.link import Link

SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class CreatedRoom:
    """A new room. The tokens are told this once."""

    room_id: str
    invite_token: str = field(repr=False)
    moderator_token: str = field(repr=False)
    join_url: str = field(repr=False)
    moderator_url: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Membership:
    """A session in a room: all that a `Chat` needs. Whoever has `session_token` is this participant."""

    base_url: str
    room_id: str
    session_id: str
    anonymous_id: str
    username: str
    role: str
    websocket_url: str
    session_token: str = field(repr=False)


class Server:
    """One anonchat server. Each call raises `NotReachable`, `NotOurs`, or `ChatRefused` with the server's code."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url.rstrip("/")

    async def create_room(self, title: str, **options: Any) -> CreatedRoom:
        """Create a room; `options` are the protocol's other fields by their wire names (``isPublic=True``)."""
        made = await self.call("POST", "/rooms", {"title": title, **options})
        require("the answer to a new room", CREATED, made)
        return CreatedRoom(
            made["roomId"], made["inviteToken"], made["moderatorToken"], made["joinUrl"], made["moderatorUrl"]
        )

    async def room(self, room_id: str) -> Mapping[str, Any]:
        """A room's metadata: title, who may come in, when it and its messages go. Needs no session."""
        room = await self.call("GET", _room(room_id))
        require("what it tells of the room", ROOM, room)
        return room

    async def remaining(self, room_id: str) -> float | None:
        """Seconds until a room ends; None: it has no end."""
        answer = await self.call("GET", f"{_room(room_id)}/time-remaining")
        require("the time that remains", TIME_REMAINING, answer)
        left: float | None = answer["remainingSeconds"]
        return left

    async def join(
        self, link: Link, username: str, *, device_id: str | None = None, avatar: str | None = None
    ) -> Membership:
        """Become a participant, or a moderator if the link's secret is the moderator's.

        A session made with the same `device_id` (8 characters or more) may take its own name again at once.
        """
        body: dict[str, Any] = {"inviteToken": link.token, "username": username}
        if device_id is not None:
            body["deviceId"] = device_id
        if avatar is not None:
            body["avatar"] = avatar
        joined = await self.call("POST", f"{_room(link.room_id)}/join", body)
        require("the answer to joining", JOINED, joined)
        return Membership(
            base_url=self.base_url,
            room_id=link.room_id,
            session_id=joined["sessionId"],
            anonymous_id=joined["anonymousId"],
            username=joined.get("username") or username,
            role=joined["role"],
            websocket_url=_secure(joined["websocketUrl"], self.base_url),
            session_token=joined["sessionToken"],
        )

    async def leave(self, membership: Membership, *, forget: bool = False) -> None:
        """End the session: name and place are free at once. `forget` deletes what it wrote, where the room allows."""
        await self.call_as(membership, "POST", "/leave", {"forget": forget})

    async def call_as(
        self, membership: Membership, method: str, path: str, body: Mapping[str, Any] | None = None
    ) -> Mapping[str, Any]:
        """A participant's request below the address of their room."""
        return await self.call(method, f"{_room(membership.room_id)}{path}", body, token=membership.session_token)

    async def call(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, *, token: str | None = None
    ) -> Mapping[str, Any]:
        """Any request below ``/api``, for instance a plugin's. `token` is a session's."""
        request = HTTPRequest(
            f"{self.base_url}/api{path}",
            method=method,
            headers={"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {}),
            body=json.dumps(body) if body is not None else None,
            allow_nonstandard_methods=True,
            follow_redirects=False,  # a redirected POST would arrive as GET, or carry a token elsewhere
            connect_timeout=SECONDS,
            request_timeout=SECONDS,
        )
        try:
            response = await AsyncHTTPClient().fetch(request, raise_error=False)
        except (OSError, HTTPClientError, ValueError) as error:
            raise NotReachable(_silent(self.base_url, error)) from error
        return self._answer(response)

    def _answer(self, response: HTTPResponse) -> Mapping[str, Any]:
        if 300 <= response.code < 400:
            elsewhere = response.headers.get("Location", "another address")
            raise NotReachable(f"The server {self.base_url} sends us to {elsewhere}; use a link that begins there.")
        try:
            answer = json.loads(response.body)
        except (ValueError, RecursionError) as error:
            raise NotReachable(_stranger(self.base_url, response.code)) from error
        if isinstance(answer, dict) and response.code < 300:
            return answer
        if isinstance(answer, dict) and isinstance(answer.get("code"), str):
            raise ChatRefused.told(answer)
        raise NotReachable(_stranger(self.base_url, response.code))


def _room(room_id: str) -> str:
    return f"/rooms/{quote(room_id, safe='')}"


def _secure(websocket_url: str, base_url: str) -> str:
    """Never less protected than the link was: behind a proxy a server may not know that people reach it by TLS."""
    if base_url.startswith("https:") and websocket_url.startswith("ws:"):
        return f"wss:{websocket_url.removeprefix('ws:')}"
    return websocket_url


def _silent(base_url: str, error: Exception) -> str:
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return f"No server answers at {base_url}; is it running, is the address right? ({reason})"


def _stranger(base_url: str, status: int) -> str:
    return f"What answers at {base_url} is no anonchat server, or it is in trouble (status {status})."
