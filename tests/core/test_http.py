"""What REST and pages let in: hosts, origins, proxies, headers, methods, and requests that are not as they should be."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import AsyncIterator
from contextlib import suppress
from ipaddress import IPv4Network, ip_network
from pathlib import Path
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

from anonchat.app import Server
from anonchat.http import ingress
from anonchat.limits import sender_of
from anonchat.testing import running_server, settings_in
from anonchat.testing.clients import Reply, Rest
from anonchat.testing.clocks import SettableClock

PAGES = ("/", "/privacy", "/api/docs", "/r/unknown", "/static/anonchat/style.css")
DATA = (
    "/health",
    "/health/ready",
    "/api/rooms",
    "/api/openapi.json",
    "/metrics",
    "/nothing",
    "/ws",
    "/api/rooms/x/join",
)
FOREIGN_HOSTS = (
    *("evil.example", "localhost.evil.example", "127.0.0.1.nip.io", "2130706433"),
    *("x@127.0.0.1", "127.0.0.1/x", "127.0.0.1?x", "[::1"),
)
FRIEND = "https://friend.example"


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    table = {"allowed_hosts": ("chat.example",), "allowed_origins": (FRIEND,)}
    async with running_server(settings_in(tmp_path, server=table | {"port": 0})) as running:
        yield running


async def ask(server: Server, method: str, path: str, body: object = None, **headers: str) -> Reply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await Rest(server.port).acall(method, path, body, headers=named)


async def raw(server: Server, request: bytes, *, seconds: float = 5) -> bytes:
    """Send bytes and read until the server closes; empty if it did so with a reset, because it had not read all of them."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        writer.write(request)
        async with asyncio.timeout(seconds):
            return await reader.read()
    except ConnectionResetError:
        return b""
    finally:
        writer.close()
        with suppress(ConnectionResetError):
            await writer.wait_closed()


def codes_of(answer: bytes) -> list[int]:
    return [int(code) for code in re.findall(rb"HTTP/1\.1 (\d{3}) ", answer)]


# --- hosts


@pytest.mark.parametrize(
    "host",
    ["localhost", "LOCALHOST:5000", "localhost.", "127.0.0.1:80", "[::1]", "10.1.2.3:8", "[fe80::1]:9", "chat.example"],
)
@pytest.mark.gen_test
async def test_own_names_and_plain_addresses_are_answered(server: Server, host: str) -> None:
    assert (await ask(server, "GET", "/health", Host=host)).status == 200
    assert (await ask(server, "GET", "/", Host=host)).status == 200


@pytest.mark.parametrize(
    "host",
    FOREIGN_HOSTS,
)
@pytest.mark.parametrize("path", ["/health", "/", "/ws", "/api/rooms"])
@pytest.mark.gen_test
async def test_foreign_names_are_refused_with_the_setting_to_change(server: Server, host: str, path: str) -> None:
    reply = await ask(server, "GET", path, Host=host)
    assert reply.status in (421, 400)
    if reply.status == 421:
        assert reply.body["code"] == "misdirected"
        assert "[server] allowed_hosts" in reply.body["detail"]


# --- origins


@pytest.mark.gen_test
async def test_own_pages_may_ask(server: Server) -> None:
    for origin in (f"http://127.0.0.1:{server.port}", f"https://127.0.0.1:{server.port}"):
        reply = await ask(server, "GET", "/api/rooms", Origin=origin)
        assert reply.status == 200
        assert "Access-Control-Allow-Origin" not in reply.headers


@pytest.mark.parametrize(
    "origin",
    ["null", "https://evil.example", "http://127.0.0.1", "http://[", "file://", "", "x", "http://127.0.0.1:1@evil"],
)
@pytest.mark.gen_test
async def test_foreign_pages_may_neither_read_nor_write(server: Server, origin: str) -> None:
    for method, content in (("GET", "application/json"), ("POST", "text/plain"), ("OPTIONS", "")):
        reply = await ask(server, method, "/api/rooms", {"title": "Forged"}, Origin=origin, Content_Type=content)
        assert (reply.status, reply.body["code"]) == (403, "forbidden")
        assert "Access-Control-Allow-Origin" not in reply.headers
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
    reply = await ask(server, "GET", "/ws", Origin=origin, Sec_WebSocket_Key="dGhlIHNhbXBsZSBub25jZQ==", **upgrade)
    assert (reply.status, reply.body["code"]) == (403, "forbidden")
    rooms, _ = await server.rooms.public(None, 10)
    assert rooms == []


@pytest.mark.gen_test
async def test_allowed_origins_pass_the_preflight_and_may_read(server: Server) -> None:
    preflight = await ask(server, "OPTIONS", "/api/rooms", Origin=FRIEND, Access_Control_Request_Method="POST")
    assert preflight.status == 204
    assert preflight.headers["Access-Control-Allow-Origin"] == FRIEND
    assert preflight.headers["Access-Control-Allow-Methods"] == "GET, POST"
    assert "Authorization" in preflight.headers["Access-Control-Allow-Headers"]
    assert "Access-Control-Allow-Credentials" not in preflight.headers
    reply = await ask(server, "POST", "/api/rooms", {"title": "Welcome"}, Origin=FRIEND)
    assert (reply.status, reply.headers["Access-Control-Allow-Origin"]) == (201, FRIEND)
    assert (reply.headers["Vary"], reply.headers["Cross-Origin-Resource-Policy"]) == ("Origin", "cross-origin")


@pytest.mark.gen_test
async def test_every_site_may_ask_where_that_is_wanted(tmp_path: Path) -> None:
    async with running_server(settings_in(tmp_path, server={"port": 0, "allowed_origins": ("*",)})) as server:
        for origin in ("https://any.example", "null", "a b"):
            reply = await ask(server, "GET", "/api/rooms", Origin=origin)
            assert (reply.status, reply.headers["Access-Control-Allow-Origin"]) == (200, "*")


# --- proxies


@pytest.mark.parametrize(
    ("peer", "forwarded", "sender"),
    [
        ("10.0.0.1", "1.1.1.1", "1.1.1.1"),
        ("10.0.0.1", "6.6.6.6, 1.1.1.1", "1.1.1.1"),
        ("10.0.0.1", "6.6.6.6, 1.1.1.1, 10.0.0.2", "1.1.1.1"),
        ("10.0.0.1", "6.6.6.6, 2001:db8::1", "2001:db8::1"),
        ("10.0.0.1", "6.6.6.6:1, 1.1.1.1:2345, 10.0.0.2:80", "1.1.1.1"),
        ("10.0.0.1", "[2001:db8::1]:2345", "2001:db8::1"),
        ("10.0.0.1", "[2001:db8::1]", "2001:db8::1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", None, "10.0.0.1"),
        ("2.2.2.2", "1.1.1.1", "2.2.2.2"),
    ],
)
def test_forwarded_addresses_are_read_from_the_right(peer: str, forwarded: str | None, sender: str) -> None:
    assert sender_of(peer, forwarded, (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))) == sender


@pytest.mark.parametrize(
    ("trusted", "statuses"), [((), [201, 429, 429]), ((ip_network("127.0.0.1"),), [201, 201, 429])]
)
@pytest.mark.gen_test
async def test_limits_believe_only_trusted_proxies(
    tmp_path: Path, trusted: tuple[IPv4Network, ...], statuses: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    # A logger of its own: another test of the same process may have had it made for another place.
    monkeypatch.setattr(ingress, "log", structlog.get_logger("anonchat.http"))
    limits = {"rooms_per_network": "1/hour"}
    settings = settings_in(tmp_path, server={"port": 0, "trusted_proxies": trusted}, limits=limits)
    with capture_logs() as logs:
        async with running_server(settings) as server:
            replies = [
                await ask(server, "POST", "/api/rooms", {"title": "Room"}, X_Forwarded_For=forwarded)
                for forwarded in ("1.1.1.1", "2.2.2.2", "9.9.9.9, 1.1.1.1")
            ]
            assert [reply.status for reply in replies] == statuses
            assert server.ingress.saw_unknown_proxy is not bool(trusted)
    assert sum("trusted_proxies" in str(line) for line in logs) == (0 if trusted else 1)


# --- headers


@pytest.mark.parametrize("path", [*PAGES, *DATA])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS", "BREW"])
@pytest.mark.gen_test
async def test_every_answer_carries_the_security_headers(server: Server, path: str, method: str) -> None:
    headers = (await ask(server, method, path)).headers
    policy = headers["Content-Security-Policy"]
    for directive in ("default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'"):
        assert directive in policy
    is_page = (headers["Content-Type"] or "").startswith("text/html")
    assert ("style-src 'self'" in policy) == is_page
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert headers["Cache-Control"] == (
        "max-age=3600" if path == "/static/anonchat/style.css" and method in ("GET", "HEAD") else "no-store"
    )
    assert headers["Server"] is None
    assert headers["Set-Cookie"] is None


@pytest.mark.gen_test
async def test_pages_load_nothing_from_elsewhere(server: Server) -> None:
    for path in PAGES[:4]:
        text = (await ask(server, "GET", path)).body
        assert [said for said in re.findall(r"<(?:script|style)[^>]*>([^<]*)", text) if said] == []
        assert "style=" not in text
        assert all(source.startswith("/") for source in re.findall(r'(?:src|href)="([^"]*)"', text))
        assert "//" not in text.replace(f"http://127.0.0.1:{server.port}", "")


# --- methods and paths


@pytest.mark.parametrize(
    ("path", "allow"),
    [
        ("/api/rooms", "GET, HEAD, OPTIONS, POST"),
        ("/api/rooms/x/join", "OPTIONS, POST"),
        ("/", "GET, HEAD"),
        ("/ws", "GET"),
    ],
)
@pytest.mark.gen_test
async def test_a_method_that_is_not_answered_names_those_that_are(server: Server, path: str, allow: str) -> None:
    for method in ("DELETE", "BREW"):
        reply = await ask(server, method, path)
        assert (reply.status, reply.body["code"], reply.headers["Allow"]) == (405, "method_not_allowed", allow)


@pytest.mark.gen_test
async def test_head_is_get_without_a_body(server: Server) -> None:
    for path in (*PAGES, "/health", "/api/rooms"):
        asked, told = await ask(server, "HEAD", path), await ask(server, "GET", path)
        assert (asked.status, asked.body) == (told.status, "")
        assert asked.headers["Content-Type"] == told.headers["Content-Type"]


@pytest.mark.parametrize("header", ["If-None-Match", "If-Match", "If-Modified-Since", "Range", "Expect"])
@pytest.mark.gen_test
async def test_conditions_change_nothing(server: Server, header: str) -> None:
    for path in ("/health", "/", "/static/anonchat/style.css"):
        reply = await ask(server, "GET", path, **{header: "*"})
        assert (reply.status, reply.headers["ETag"]) == (200, None)


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/api/rooms/%00", 422, "validation_failed"),
        ("/api/rooms/%ff", 422, "validation_failed"),
        ("/r/%00", 422, "validation_failed"),
        ("/api/rooms?cursor=%ff", 422, "validation_failed"),
        ("/api/rooms?limit=" + "9" * 5_000, 422, "validation_failed"),
        ("/api/rooms?unknown=1", 422, "validation_failed"),
        ("/api/rooms/%2e%2e", 404, "room_not_found"),
        ("/api/rooms/" + "x" * 65, 404, "not_found"),
        ("/static/anonchat/../app.py", 404, "not_found"),
        ("/static/anonchat/%2e%2e/app.py", 404, "not_found"),
        ("//evil.example/", 404, "not_found"),
    ],
)
@pytest.mark.gen_test
async def test_odd_paths_are_refused(server: Server, path: str, status: int, code: str) -> None:
    reply = await ask(server, "GET", path)
    assert reply.status == status
    if not path.startswith("/r/") or reply.headers["Content-Type"] == "application/problem+json":
        assert reply.body["code"] == code


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b'{"title": "\\ud800"}', 422, "validation_failed"),
        (b'{"title": "a\\u0000"}', 422, "validation_failed"),
        (b'{"title": NaN}', 422, "validation_failed"),
        (b"\xff", 422, "validation_failed"),
        (b"[]", 422, "validation_failed"),
        (b'{"title": "a", "settings": ' + b'{"a":' * 40 + b"1" + b"}" * 41, 422, "validation_failed"),
        (b'{"title": "a", "settings": {"a": "' + b"x" * 9_000 + b'"}}', 422, "validation_failed"),
        (b'{"title": "a", "maxParticipants": 18446744073709551615}', 422, "validation_failed"),
        (b'{"title": "a", "chatDurationSeconds": 1e30}', 422, "validation_failed"),
        (b'{"title": "a", "isPublic": 1}', 422, "validation_failed"),
        (b" " * 65_537, 413, "too_large"),
    ],
)
@pytest.mark.gen_test
async def test_odd_bodies_are_refused(server: Server, body: bytes, status: int, code: str) -> None:
    reply = await ask(server, "POST", "/api/rooms", body)
    assert (reply.status, reply.body["code"]) == (status, code)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b'{"title": "\\u0000"}', "The NUL character cannot be sent."),
        (b'{"settings": ' + b"[" * 40 + b"]" * 40 + b"}", "This is nested too deeply."),
        (b"[]", "This must be a JSON object."),
        (b"title=Lunch", "This is not JSON as it should be"),
    ],
)
@pytest.mark.gen_test
async def test_an_odd_body_is_refused_with_its_reason(server: Server, body: bytes, told: str) -> None:
    assert (await ask(server, "POST", "/api/rooms", body)).body["detail"].startswith(told)


@pytest.mark.gen_test
async def test_forms_are_not_taken_for_json(server: Server) -> None:
    for kind, body in (
        ("application/x-www-form-urlencoded", b"title=Forged"),
        ("multipart/form-data; boundary=a", b"--a\r\nnonsense\r\n--a--\r\n"),
        ("multipart/form-data", b"--a"),
    ):
        reply = await ask(server, "POST", "/api/rooms", body, Content_Type=kind)
        assert reply.status in (400, 422)


# --- what is not HTTP, or hardly


@pytest.mark.gen_test
async def test_pipelined_requests_are_answered_in_order(server: Server) -> None:
    one = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
    two = b"GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n"
    last = b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    assert codes_of(await raw(server, one + two + one + last)) == [200, 404, 200, 200]


@pytest.mark.parametrize(
    "request_of",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 20_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X: a\r\n" * 5_000 + b"\r\n",
        b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: a\x00b\r\n\r\n",
        b"POST /api/rooms HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9999999\r\n\r\n",
        b"POST /api/rooms HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        b"POST /api/rooms HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}",
        b"POST /api/rooms HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"nonsense\r\n\r\n",
    ],
)
@pytest.mark.gen_test
async def test_what_is_hardly_http_is_refused_and_closed(server: Server, request_of: bytes) -> None:
    answer = await raw(server, request_of + b"\r\n\r\n", seconds=15)
    assert all(code in (400, 413, 431) for code in codes_of(answer))
    assert b"Traceback" not in answer
    assert (await ask(server, "GET", "/health")).status == 200


@pytest.mark.gen_test
async def test_a_head_and_a_body_have_a_time_and_a_size(server: Server) -> None:
    parameters = server._listeners[0].conn_params
    assert (parameters.header_timeout, parameters.body_timeout) == (15, 10)
    assert (parameters.max_header_size, parameters.max_body_size) == (16_384, 131_072)


@pytest.mark.gen_test
async def test_a_body_that_does_not_come_is_waited_for_ten_seconds(server: Server) -> None:
    began = asyncio.get_running_loop().time()
    await raw(server, b"POST /api/rooms HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{", seconds=15)
    assert 9 < asyncio.get_running_loop().time() - began < 13


# --- limits


@pytest.mark.memory
@pytest.mark.parametrize(
    ("limit", "method", "path"),
    [
        ("requests_per_network", "GET", "/api/rooms"),
        ("requests_per_network", "GET", "/"),
        ("rooms_per_network", "POST", "/api/rooms"),
        ("rooms_per_fingerprint", "POST", "/api/rooms"),
        ("joins_per_network", "POST", "/api/rooms/x/join"),
        ("joins_per_fingerprint", "POST", "/api/rooms/x/join"),
    ],
)
@pytest.mark.gen_test
async def test_a_limit_says_when_to_come_again(tmp_path: Path, limit: str, method: str, path: str) -> None:
    clock = SettableClock()
    async with running_server(settings_in(tmp_path, limits={limit: "2/minute"}), clock) as server:
        body: dict[str, Any] | None = (
            {"title": "Room", "fingerprintHash": "0123456789"} if path == "/api/rooms" else None
        )
        if path.endswith("join"):
            body = {"inviteToken": "x", "username": "Al", "fingerprintHash": "0123456789"}
        replies = [await ask(server, method, path, body) for _ in range(3)]
        assert 429 not in [reply.status for reply in replies[:2]]
        refused = replies[2]
        assert (refused.status, refused.body["code"], refused.body["retryAfterMs"]) == (429, "rate_limited", 30_000)
        assert refused.headers["Retry-After"] == "30"
        clock.advance(30)
        assert (await ask(server, method, path, body)).status != 429


# --- an ended room


@pytest.mark.gen_test
async def test_an_ended_room_is_over_for_its_sessions_while_its_grace_runs(tmp_path: Path) -> None:
    async with running_server(settings_in(tmp_path, rooms={"purge_grace_seconds": 3_600})) as server:
        room = (await ask(server, "POST", "/api/rooms", {"title": "Room"})).body
        path = f"/api/rooms/{room['roomId']}"
        body = {"moderatorToken": room["moderatorToken"], "username": "Mo"}
        token = (await ask(server, "POST", f"{path}/join", body)).body["sessionToken"]
        assert (await ask(server, "GET", f"{path}/messages", Authorization=f"Bearer {token}")).status == 200
        await server.retention.end(room["roomId"], "test")
        for place in ("/messages", "/participants", "/invites"):
            reply = await ask(server, "GET", path + place, Authorization=f"Bearer {token}")
            assert (reply.status, reply.body["code"]) == (410, "room_ended")
        page = await ask(server, "GET", f"/r/{room['roomId']}")
        assert page.status == 410


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Upgrade": "websocket"},
        {"Upgrade": "h2c", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"},
        {"Upgrade": "websocket", "Connection": "keep-alive", "Sec-WebSocket-Version": "13"},
        {"Upgrade": "websocket", "Connection": "keep-alive, Upgrade", "Sec-WebSocket-Version": "8"},
    ],
)
@pytest.mark.gen_test
async def test_what_asks_for_no_websocket_is_told_what_to_ask_for(server: Server, headers: dict[str, str]) -> None:
    reply = await ask(server, "GET", "/ws", **headers)
    assert (reply.status, reply.body["code"]) == (426, "validation_failed")
    assert (reply.headers["Upgrade"], reply.headers["Sec-WebSocket-Version"]) == ("websocket", "13")


@pytest.mark.gen_test
async def test_who_does_not_take_the_answer_is_cut_off(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("anonchat.http.api.ANSWER_SECONDS", 0.5)
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2_048)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 200)
        client.connect(("127.0.0.1", server.port))
        client.sendall(b"GET /static/anonchat/vendor/uplot.mjs HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await asyncio.sleep(0.2)
        assert sum(len(listener._connections) for listener in server._listeners) == 1
        await asyncio.sleep(1)
        assert sum(len(listener._connections) for listener in server._listeners) == 0
