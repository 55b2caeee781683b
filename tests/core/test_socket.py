"""What one connection may cost: every limit of the table, each with its code, and nobody else hurt by it."""

from __future__ import annotations

import asyncio
import json
import socket as sockets
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from anonchat.app import Server
from anonchat.connections.welcome import TOGETHER
from anonchat.testing import running_server, settings_in
from anonchat.testing.clients import Rest, Socket, connected
from anonchat.testing.clocks import SettableClock

SECONDS = 60
HANDSHAKE = (
    b"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


@asynccontextmanager
async def serving(folder: Path, **limits: object) -> AsyncIterator[Server]:
    async with running_server(settings_in(folder, limits=limits)) as server:
        yield server


class House:
    """A server with one room."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.rest = Rest(server.port)
        self.room: Mapping[str, Any] = {}

    async def token(self, name: str) -> str:
        if not self.room:
            self.room = (await self.rest.acall("POST", "/api/rooms", {"title": "Room"})).body
        body = {"inviteToken": self.room["inviteToken"], "username": name}
        reply = await self.rest.acall("POST", f"/api/rooms/{self.room['roomId']}/join", body)
        token: str = reply.body["sessionToken"]
        return token

    @asynccontextmanager
    async def member(self, name: str, token: str | None = None) -> AsyncIterator[Socket]:
        async with connected(self.server.port) as socket:
            await socket.send("identify", {"token": token or await self.token(name)})
            await socket.until("history_chunk")
            yield socket


class Raw:
    """A client that keeps to no rule: bytes out, and nothing is read or answered unless asked for."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def frame(self, payload: bytes, first: int = 0x81) -> None:
        size = len(payload)
        length = bytes((0x80 | size,)) if size < 126 else bytes((0xFE,)) + size.to_bytes(2)
        self.writer.write(bytes((first,)) + length + bytes(4) + payload)

    async def close_code(self) -> int:
        """Read frames up to the close frame, answering no ping; returns its code."""
        async with asyncio.timeout(SECONDS):
            while True:
                first, second = await self.reader.readexactly(2)
                size = second
                if second >= 126:
                    size = int.from_bytes(await self.reader.readexactly(2 if second == 126 else 8))
                payload = await self.reader.readexactly(size)
                if first == 0x88:
                    return int.from_bytes(payload[:2])


@asynccontextmanager
async def raw(server: Server, receive_bytes: int = 0) -> AsyncIterator[Raw]:
    plain = sockets.socket()
    if receive_bytes:
        plain.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, receive_bytes)
    plain.setblocking(False)
    await asyncio.get_running_loop().sock_connect(plain, ("127.0.0.1", server.port))
    reader, writer = await asyncio.open_connection(sock=plain, limit=1_024)
    try:
        writer.write(HANDSHAKE)
        await reader.readuntil(b"\r\n\r\n")
        yield Raw(reader, writer)
    finally:
        writer.transport.abort()


# --- rates


@pytest.mark.parametrize(
    ("limit", "event", "data"),
    [
        ("messages_per_session", "send_message", {"text": "Hi"}),
        ("typing_per_session", "typing", {"typing": True}),
        ("events_per_session", "heartbeat", {}),
        ("events_per_session", "no_such_event", {}),
        ("events_per_session", "send_message", {"text": ""}),
        ("events_per_session", "send_message", {"text": 1}),
        ("events_per_session", "edit_message", {"nothing": True}),
    ],
)
@pytest.mark.gen_test
async def test_a_rate_is_held_and_says_when_to_go_on(
    tmp_path: Path, limit: str, event: str, data: dict[str, Any]
) -> None:
    async with serving(tmp_path, **{limit: "2/hour"}) as server, House(server).member("Alice") as alice:
        codes = []
        for number in range(3):
            sent = data | {"clientMsgId": f"{number}"} if event == "send_message" else data
            await alice.send(event, sent, number)
        await alice.send("heartbeat", {}, "end")
        while (frame := await alice.read()).get("id") != "end":
            codes.append(frame["data"].get("code") if frame["event"] == "error" else None)
            if codes[-1] == "rate_limited":
                assert frame["id"] == 2
                assert 0 < frame["data"]["retryAfterMs"] <= 3_600_000
        assert codes.count("rate_limited") == 1


@pytest.mark.gen_test
async def test_a_repeated_send_is_answered_before_limits_are_asked(tmp_path: Path) -> None:
    async with serving(tmp_path, messages_per_session="1/hour") as server, House(server).member("Alice") as alice:
        first, *others = [await alice.ask("send_message", {"text": "Hi", "clientMsgId": "1"}, id=n) for n in range(3)]
        assert [other["data"] for other in others] == [first["data"]] * 2
        refused = await alice.ask("send_message", {"text": "Ho", "clientMsgId": "2"})
        assert (refused["data"]["code"], refused["data"]["clientMsgId"]) == ("rate_limited", "2")


@pytest.mark.parametrize(
    "frame", ['{"event": "heartbeat"}', '{"event": 1}', '{"event"', '{"event": "send_message", "data": {}}']
)
@pytest.mark.gen_test
async def test_who_goes_on_and_on_is_closed(tmp_path: Path, frame: str) -> None:
    async with serving(tmp_path, events_per_session="1/hour") as server, House(server).member("Alice") as alice:
        for _ in range(70):
            await alice.raw.send(frame)
        assert await alice.ended() == 4429
        assert sum(told["event"] == "error" for told in alice.passed) >= 60


@pytest.mark.gen_test
async def test_who_does_something_right_in_between_may_not_go_on_either(tmp_path: Path) -> None:
    async with serving(tmp_path) as server, House(server).member("Alice") as alice:
        for _ in range(8):
            for frame in ('{"event": "heartbeat"}', *["{nonsense"] * 9):
                await alice.raw.send(frame)
        assert await alice.ended() == 4429


@pytest.mark.gen_test
async def test_now_and_then_a_bad_frame_closes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("anonchat.connections.connection.FORGIVEN", 1_000)
    async with serving(tmp_path) as server, House(server).member("Alice") as alice:
        for _ in range(70):
            await alice.raw.send("{nonsense")
            assert (await alice.until("error"))["data"]["code"] == "bad_frame"
            await asyncio.sleep(0.002)
        assert (await alice.ask("heartbeat"))["event"] == "heartbeat_ack"


@pytest.mark.parametrize("event", ["heartbeat", "identify"])
@pytest.mark.gen_test
async def test_who_never_identifies_may_not_go_on_either(tmp_path: Path, event: str) -> None:
    async with serving(tmp_path) as server, connected(server.port) as socket:
        for _ in range(70):
            await socket.raw.send(f'{{"event": "{event}", "data": {{}}}}')
        assert await socket.ended() == 4429


# --- how many


@pytest.mark.gen_test
async def test_sockets_per_session_are_counted_and_given_back(tmp_path: Path) -> None:
    async with serving(tmp_path, sockets_per_session=2) as server:
        house = House(server)
        token = await house.token("Alice")
        async with house.member("Alice", token):
            async with house.member("Alice", token), connected(server.port) as third:
                await third.send("identify", {"token": token}, "one too many")
                refused = await third.until("error", "one too many")
                assert refused["data"]["code"] == "rate_limited"
                assert "sockets_per_session" in refused["data"]["message"]
                assert refused["data"]["retryAfterMs"] > 0
                assert await third.ended() == 1013
            async with house.member("Bob"), house.member("Alice", token) as again:
                assert (await again.ask("get_presence"))["data"]["total"] == 2


@pytest.mark.gen_test
async def test_concurrent_sockets_of_a_session_never_pass_the_limit_together(tmp_path: Path) -> None:
    async with serving(tmp_path, sockets_per_session=3) as server:
        token = await House(server).token("Alice")

        async def attempt() -> str:
            async with connected(server.port) as socket:
                await socket.send("identify", {"token": token})
                await socket.until("hello")
                outcome: str = (await socket.read())["event"]
                outcomes.append(outcome)
                if len(outcomes) == 10:
                    everybody.set()
                await everybody.wait()
                return outcome

        outcomes: list[str] = []
        everybody = asyncio.Event()
        assert sorted(await asyncio.gather(*(attempt() for _ in range(10)))) == ["error"] * 7 + ["identified"] * 3


@pytest.mark.gen_test
async def test_sockets_per_network_are_counted_and_given_back(tmp_path: Path) -> None:
    async with serving(tmp_path, sockets_per_network=1) as server:
        async with connected(server.port) as first:
            await first.until("hello")
            with pytest.raises(InvalidStatus) as refusal:
                async with connected(server.port):
                    pass
        answer = refusal.value.response
        problem = json.loads(answer.body)
        assert (answer.status_code, problem["code"]) == (429, "rate_limited")
        assert int(answer.headers["Retry-After"]) * 1_000 == problem["retryAfterMs"]
        async with asyncio.timeout(SECONDS):
            await server.sockets.emptied()
        async with connected(server.port) as second:
            await second.until("hello")


# --- sizes


@pytest.mark.gen_test
async def test_sizes_of_frames_and_texts(tmp_path: Path) -> None:
    async with serving(tmp_path, frame_bytes=1_024, json_depth=4, text_length=10) as server:
        house = House(server)
        async with house.member("Alice") as alice:
            long = await alice.ask("send_message", {"text": "x" * 11, "clientMsgId": "1"})
            assert long["data"]["code"] == "text_too_long"
            exact = await alice.ask("send_message", {"text": "🦊" * 10, "clientMsgId": "2"})
            assert exact["event"] == "message_ack"
            await alice.raw.send('{"event": "typing", "data": {"a": {"b": {"c": {}}}}, "id": 1}')
            assert (await alice.until("error"))["data"]["code"] == "bad_frame"
            await alice.raw.send("{" + " " * 1_024 + "}")
            assert await alice.ended() == 1009


@pytest.mark.gen_test
async def test_a_name_that_is_too_long_is_called_so(tmp_path: Path) -> None:
    async with serving(tmp_path) as server, House(server).member("Alice") as alice:
        for name, told in (("x" * 60_000, '"event" is too long'), ("", 'A frame needs "event"')):
            refused = (await alice.ask(name))["data"]
            assert (refused["code"], refused["message"].startswith(told)) == ("bad_frame", True)


@pytest.mark.parametrize(
    ("limits", "sent", "code"),
    [
        ({"frame_fragments": 2}, [(0x01, b"a"), (0x00, b"a"), (0x00, b"a")], 1009),
        ({"frame_bytes": 1_024}, [(0x01, b"a" * 600), (0x00, b"a" * 600)], 1009),
        ({"unfinished_seconds": 0.2}, [(0x01, b"a")], 4400),
        ({"identify_seconds": 0.2}, [], 4401),
        ({"identify_seconds": 0.2}, [(0x81, b'{"event": "identify", "data": {"token": 1}}')], 4401),
        ({"ping_seconds": 0.2, "pong_seconds": 0.2}, [], 4408),
    ],
)
@pytest.mark.gen_test
async def test_what_a_connection_must_not_do(
    tmp_path: Path, limits: dict[str, object], sent: list[tuple[int, bytes]], code: int
) -> None:
    async with serving(tmp_path, **limits) as server, raw(server) as client:
        for first, payload in sent:
            client.frame(payload, first)
        assert await client.close_code() == code


@pytest.mark.gen_test
async def test_a_stopped_reader_is_closed_and_the_others_go_on(tmp_path: Path) -> None:
    async with serving(tmp_path, queue_bytes=65_536) as server:
        house = House(server)
        token = await house.token("Slow")
        async with house.member("Alice") as alice, house.member("Bob") as bob, raw(server, 4_096) as slow:
            slow.frame(json.dumps({"event": "identify", "data": {"token": token}}).encode())
            await alice.until("presence")
            for number in range(2_000):
                ack = await alice.ask("send_message", {"text": "🦊" * 4_000, "clientMsgId": f"{number}"}, id=number)
                assert ack["event"] == "message_ack"
                if server.metrics.registry.get_sample_value("anonchat_slow_connections_total"):
                    break
            assert server.metrics.registry.get_sample_value("anonchat_slow_connections_total") == 1
            await alice.send("send_message", {"text": "Still here", "clientMsgId": "last"})
            while (await bob.until("message"))["data"]["content"]["text"] != "Still here":
                pass


@pytest.mark.gen_test
async def test_a_broken_token_in_the_url_is_refused_and_not_logged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with serving(tmp_path) as server:
        with pytest.raises(InvalidStatus) as refusal:
            async with connected(server.port, path="/ws?t=secret%ff"):
                pass
        assert refusal.value.response.status_code == 422
    captured = capsys.readouterr()
    assert "secret" not in captured.out + captured.err


@pytest.mark.gen_test
async def test_a_session_that_is_over_sends_nothing(tmp_path: Path) -> None:
    async with running_server(settings_in(tmp_path)) as server, House(server).member("Alice") as alice:
        session = (await alice.ask("get_presence"))["data"]["users"][0]
        found = await server.sessions.get(session["sessionId"])
        assert found is not None
        await server.sessions.leave(found, reason="test")
        assert (await alice.ask("send_message", {"text": "Hi", "clientMsgId": "1"}))["data"][
            "code"
        ] == "session_expired"


@pytest.mark.gen_test
async def test_connected_sessions_outlive_a_short_time_to_live(tmp_path: Path) -> None:
    clock = SettableClock()
    settings = settings_in(tmp_path, sessions={"ttl_seconds": 60})
    async with running_server(settings, clock) as server:
        house = House(server)
        token = await house.token("Alice")
        async with house.member("Alice", token) as alice:
            for _ in range(6):
                clock.advance(21)
                before = clock.now()
                async with asyncio.timeout(SECONDS):
                    while (await server.sessions.find(token)).expires_at < before + 59_000:
                        await alice.ask("heartbeat")
            assert (await alice.ask("send_message", {"text": "Hi", "clientMsgId": "1"}))["event"] == "message_ack"


@pytest.mark.gen_test
async def test_who_waits_in_line_to_identify_is_not_late(tmp_path: Path) -> None:
    async with serving(tmp_path, identify_seconds=0.2) as server, AsyncExitStack() as open_sockets:
        token = await House(server).token("Patient")
        good, bad = [await open_sockets.enter_async_context(connected(server.port)) for _ in range(2)]
        async with AsyncExitStack() as turns:
            for _ in range(TOGETHER):
                await turns.enter_async_context(server.welcome.turns)
            await good.send("identify", {"token": token})
            await bad.send("identify", {"token": "x" * 43})
            late = asyncio.get_running_loop().time() + 0.3  # longer than one may take to identify
            while asyncio.get_running_loop().time() < late:
                await asyncio.sleep(0.01)
        await good.until("identified")
        assert (await bad.until("error"))["data"]["code"] == "invalid_token"
        assert await bad.ended() == 4401
