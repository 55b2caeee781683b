"""Every error code that the core can give is provoked here, and a new code must be added to one of the lists."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest
from marshmallow import ValidationError, fields
from sqlalchemy import text

from anonchat.app import Server
from anonchat.delivery.journal import Transaction
from anonchat.errors import CODES
from anonchat.protocol.schemas import Schema, problems
from anonchat.testing import running_server, settings_in
from anonchat.testing.clients import Reply, Rest, Socket, connected
from anonchat.testing.clocks import SettableClock

PLUGINS = {
    "muted", "slow_mode", "message_refused", "banned", "kicked", "poll_not_found", "already_voted", "poll_closed",
    "unknown_option", "too_many_pins", "plugin_failed",
}  # fmt: skip
# A full disk, an overload and a mistake in the program are not provoked from outside; the tests of faults do that.
FAULTS = {"storage_full", "overloaded", "internal"}

HOUR = 3_600


class House:
    """A server with a room, whose clock can be moved."""

    def __init__(self, server: Server, clock: SettableClock) -> None:
        self.server = server
        self.clock = clock
        self.rest = Rest(server.port)
        self.room: Mapping[str, Any] = {}

    @property
    def path(self) -> str:
        return f"/api/rooms/{self.room['roomId']}"

    async def build(self, **fields: object) -> None:
        self.room = (await self.rest.acall("POST", "/api/rooms", {"title": "Room", **fields})).body

    async def join(self, name: str, kind: str = "inviteToken") -> Reply:
        return await self.rest.acall("POST", f"{self.path}/join", {kind: self.room[kind], "username": name})

    async def token(self, name: str = "Alice", kind: str = "inviteToken") -> str:
        token: str = (await self.join(name, kind)).body["sessionToken"]
        return token

    async def get(self, place: str, token: str | None = None, **headers: str) -> Reply:
        return await self.rest.acall("GET", self.path + place, token=token, headers=headers)

    async def event(self, event: str, data: object = None, token: str | None = None) -> str:
        """The code of the error that answers an event."""
        async with connected(self.server.port) as socket:
            await self.identify(socket, token or await self.token())
            return code_of(await socket.ask(event, data))

    async def identify(self, socket: Socket, token: str) -> None:
        await socket.send("identify", {"token": token})
        await socket.until("history_chunk")

    async def say(self, token: str) -> str:
        async with connected(self.server.port) as socket:
            await self.identify(socket, token)
            ack = await socket.ask("send_message", {"text": "Hello", "clientMsgId": "1"})
        message_id: str = ack["data"]["serverMessageId"]
        return message_id


def code_of(answer: Reply | Mapping[str, Any]) -> str:
    code: str = answer.body["code"] if isinstance(answer, Reply) else answer["data"]["code"]
    return code


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    clock = SettableClock()
    limits = {"text_length": 10, "rooms_per_fingerprint": "1/hour"}
    async with running_server(settings_in(tmp_path, limits=limits), clock) as server:
        built = House(server, clock)
        await built.build()
        yield built


# --- how to provoke each


async def validation_failed(house: House) -> str:
    return code_of(await house.rest.acall("POST", "/api/rooms", {"title": 1}))


async def unknown_event(house: House) -> str:
    return await house.event("dance")


async def bad_frame(house: House) -> str:
    return await house.event("typing", [])


async def not_identified(house: House) -> str:
    async with connected(house.server.port) as socket:
        return code_of(await socket.ask("heartbeat"))


async def invalid_token(house: House) -> str:
    return code_of(await house.get("/messages", "0" * 64))


async def session_expired(house: House) -> str:
    token = await house.token()
    await change(house, "UPDATE sessions SET expires_at = 0")
    return code_of(await house.get("/messages", token))


async def forbidden(house: House) -> str:
    return code_of(await house.get("", Origin="https://evil.example"))


async def not_moderator(house: House) -> str:
    return code_of(await house.get("/invites", await house.token()))


async def rank_too_low(house: House) -> str:
    message_id = await house.say(await house.token("Owner", "moderatorToken"))
    body = {"role": "moderator"}
    made = await house.rest.acall(
        "POST", f"{house.path}/invites", body, token=await house.token("Mo", "moderatorToken")
    )
    house.room = {**house.room, "moderatorToken": made.body["inviteToken"]}
    return await house.event("delete_message", {"messageId": message_id}, await house.token("Deputy", "moderatorToken"))


async def invalid_invite(house: House) -> str:
    return code_of(await house.rest.acall("POST", f"{house.path}/validate-invite", {"inviteToken": "guess"}))


async def room_closed(house: House) -> str:
    await house.server.rooms.close(house.room["roomId"])
    return code_of(await house.join("Late"))


async def room_not_found(house: House) -> str:
    return code_of(await house.rest.acall("GET", "/api/rooms/unknown"))


async def message_not_found(house: House) -> str:
    return await house.event("delete_message", {"messageId": "unknown"})


async def not_found(house: House) -> str:
    return code_of(await house.rest.acall("GET", "/elsewhere"))


async def method_not_allowed(house: House) -> str:
    return code_of(await house.rest.acall("PUT", "/api/rooms"))


async def username_taken(house: House) -> str:
    await house.join("Alice")
    return code_of(await house.join("A1ice"))


async def username_invalid(house: House) -> str:
    return code_of(await house.join("\u200b\u200b"))


async def name_lost(house: House) -> str:
    token = await house.token("Alice")
    house.clock.advance(HOUR)
    await house.join("Alice")
    async with connected(house.server.port, headers={"Authorization": f"Bearer {token}"}) as socket:
        return code_of(await socket.until("error"))


async def room_full(house: House) -> str:
    await house.build(maxParticipants=1)
    await house.join("Alice")
    return code_of(await house.join("Bob"))


async def edit_window_over(house: House) -> str:
    token = await house.token()
    message_id = await house.say(token)
    house.clock.advance(HOUR)
    return await house.event("edit_message", {"messageId": message_id, "text": "Late"}, token)


async def conflict(house: House) -> str:
    return await house.event("identify", {"token": "again"})


async def room_ended(house: House) -> str:
    await house.server.retention.end(house.room["roomId"], "test")
    return code_of(await house.get(""))


async def text_too_long(house: House) -> str:
    return await house.event("send_message", {"text": "x" * 11, "clientMsgId": "1"})


async def too_large(house: House) -> str:
    return code_of(await house.rest.acall("POST", "/api/rooms", b" " * 70_000))


async def misdirected(house: House) -> str:
    return code_of(await house.get("", Host="evil.example"))


async def rate_limited(house: House) -> str:
    body = {"title": "Room", "deviceId": "0123456789"}
    await house.rest.acall("POST", "/api/rooms", body)
    return code_of(await house.rest.acall("POST", "/api/rooms", body))


async def storage_unavailable(house: House) -> str:
    await house.server.database.close()
    return code_of(await house.join("Alice"))


async def going_away(house: House) -> str:
    house.server.sockets.draining = True
    headers = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"}
    return code_of(await house.rest.acall("GET", "/ws", headers=headers))


async def change(house: House, statement: str) -> None:
    async def work(tx: Transaction) -> None:
        await tx.execute(text(statement))

    await house.server.journal.transaction(work)


PROVOKED: Mapping[str, Callable[[House], Awaitable[str]]] = {
    provoke.__name__: provoke
    for provoke in (
        validation_failed, unknown_event, bad_frame, not_identified, invalid_token, session_expired, forbidden,
        not_moderator, rank_too_low, invalid_invite, room_closed, room_not_found, message_not_found, not_found,
        method_not_allowed, username_taken, username_invalid, name_lost, room_full, edit_window_over, conflict, room_ended,
        text_too_long, too_large, misdirected, rate_limited, storage_unavailable, going_away,
    )
}  # fmt: skip


def test_each_code_is_provoked_or_somebody_elses() -> None:
    assert set(CODES) == set(PROVOKED) | PLUGINS | FAULTS
    assert len(CODES) == len(PROVOKED) + len(PLUGINS) + len(FAULTS)


@pytest.mark.parametrize("code", PROVOKED)
@pytest.mark.gen_test
async def test_the_code_is_given(house: House, code: str) -> None:
    assert await PROVOKED[code](house) == code


class Shopping(Schema):
    """A list, whose wrong items marshmallow tells by number."""

    items = fields.List(fields.Integer())


def test_what_is_wrong_in_a_list_can_be_told() -> None:
    with pytest.raises(ValidationError) as refused:
        Shopping().load({"items": [1, "milk"]})
    assert orjson.loads(orjson.dumps(problems(refused.value))) == {"items": {"1": ["Not a valid integer."]}}
