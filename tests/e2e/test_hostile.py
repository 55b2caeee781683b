"""Whatever a client sends ends in an answer or a coded error, harms nobody else, and leaves no trace in the log."""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed

from anonchat.errors import CODES
from anonchat.testing.clients import Rest, Socket, connected
from anonchat.testing.contract import Contract
from anonchat.testing.processes import ServerProcess, environment

STARVED_SECONDS = 0.5  # of a processor, in more than a second without a turn of the event loop
BOUND = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


class Scene:
    """A server, a room with a bystander in it, a foreign room, and a loop to attack them in."""

    def __init__(self, server: ServerProcess, loop: asyncio.AbstractEventLoop) -> None:
        self.server = server
        self.loop = loop
        self.rest = Rest(server.port)
        self.contract = Contract.of(server.url)
        self.room = self.make_room()
        self.foreign = self.make_room()
        self.bystander = self.join(self.room, "Bystander")
        self.names = itertools.count()
        self.foreign_message = self.run(self._say_elsewhere())

    def make_room(self) -> dict[str, Any]:
        room: dict[str, Any] = self.rest.call("POST", "/api/rooms", {"title": "Room", "maxParticipants": 5_000}).body
        return room

    def join(self, room: Mapping[str, Any], name: str) -> dict[str, Any]:
        body = {"inviteToken": room["inviteToken"], "username": name}
        session: dict[str, Any] = self.rest.call("POST", f"/api/rooms/{room['roomId']}/join", body).body
        return session

    def attacker(self) -> dict[str, Any]:
        return self.join(self.room, f"Attacker {next(self.names)}")

    def run(self, work: Any) -> Any:
        return self.loop.run_until_complete(asyncio.wait_for(work, 60))

    async def _say_elsewhere(self) -> str:
        async with connected(self.server.port) as socket:
            await identify(socket, self.join(self.foreign, "Somebody"))
            ack = await socket.ask("send_message", {"text": "A secret", "clientMsgId": "1"})
        message_id: str = ack["data"]["serverMessageId"]
        return message_id

    async def chat_goes_on(self) -> None:
        """The bystander can come in and talk, and what it is told is as it should be."""
        async with connected(self.server.port, contract=self.contract) as socket:
            await identify(socket, self.bystander)
            text = f"Still here {next(self.names)}"
            ack = await socket.ask("send_message", {"text": text, "clientMsgId": text})
            assert ack["event"] == "message_ack"
            assert (await socket.until("message"))["data"]["content"] == {"type": "text", "text": text}

    def check(self) -> None:
        self.run(self.chat_goes_on())
        assert "Traceback" not in self.server.log
        errors = [json.loads(line) for line in self.server.log.splitlines() if '"level": "error"' in line]
        # That a machine had no processor to give for a second is no fault of the server.
        assert [error for error in errors if error.get("processor_seconds", 1.0) > STARVED_SECONDS] == []


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    loop = asyncio.new_event_loop()
    try:
        with ServerProcess(tmp_path_factory.mktemp("hostile"), environment()) as server:
            found = Scene(server, loop)
            yield found
            found.check()
            assert server.stop() == 0
            assert '"level": "info"' in server.log  # so an error would have been found, too
    finally:
        loop.close()


async def identify(socket: Socket, session: Mapping[str, Any]) -> None:
    await socket.send("identify", {"token": session["sessionToken"]})
    await socket.until("history_chunk")


async def answers_to(socket: Socket, frames: list[str | bytes]) -> tuple[list[dict[str, Any]], int | None]:
    """Send raw frames, then a heartbeat; everything that came until its answer, and the close code if there was one."""
    came: list[dict[str, Any]] = []
    try:
        for frame in frames:
            await socket.raw.send(frame)
        await socket.raw.send('{"event": "heartbeat", "id": "the end"}')
        while (frame_of := await socket.read()).get("id") != "the end":
            came.append(frame_of)
    except ConnectionClosed:
        return came, socket.raw.close_code
    return came, None


# --- what is sent

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([2**53, 2**63, 2**64, -(2**70), 10**400, 0, -1])
    | st.floats()
    | st.text(max_size=30)
    | st.sampled_from(
        ["\0", "\ud800", "\u202e", "x" * 5_000, "../", "' OR 1=1 --", "%s", "{}", "<script>", "\r\nSet-Cookie: a=b"]
    )
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
FIELDS = [
    "text",
    "clientMsgId",
    "replyToId",
    "messageId",
    "typing",
    "before",
    "after",
    "limit",
    "forget",
    "token",
    "since",
    "epoch",
    "targetSessionId",
    "reason",
    "options",
]
EVENTS = [
    "identify",
    "send_message",
    "edit_message",
    "delete_message",
    "typing",
    "get_history",
    "get_presence",
    "heartbeat",
    "leave",
    "nothing_like_it",
    "kick",
    "message",
    "error",
    "hello",
    "room_ended",
]
frames = st.fixed_dictionaries(
    {
        "event": st.sampled_from(EVENTS) | values,
        "data": st.dictionaries(st.sampled_from(FIELDS), values, max_size=4) | values,
    },
    optional={"id": st.integers(0, 99) | st.text(max_size=5), "seq": values},
)
ODD = [
    "", "{}", "[]", "null", "1", '"text"', "{", "}", '{"event"', '{"event": "heartbeat"', '{"event": null}', '{"event": ""}',
    '{"event": "heartbeat", "data": NaN}', '{"event": "heartbeat", "data": {"a": Infinity}}', '{"event": "typing", "data": null}',
    '{"event": "send_message", "data": {"text": "\\ud800", "clientMsgId": "1"}}',
    '{"event": "send_message", "data": {"text": "\\u0000", "clientMsgId": "1"}}',
    '{"event": "\\u0000"}', '{"event": "heartbeat", "\\u0000": 1}', '{"event": "heartbeat", "id": 1e400}',
    '{"event": "heartbeat", "id": 9007199254740993}', '{"event": "heartbeat", "id": [1]}', '{"event": "heartbeat", "id": true}',
    '{"event": "get_history", "data": {"before": 9007199254740993}}', '{"event": "get_history", "data": {"after": -1}}',
    '{"event": "a", "event": "heartbeat", "data": 1, "data": {}}', "\ufeff{}", " \n\t{}", "{" * 60_000, "[" * 60_000,
    '{"event": "heartbeat", "data": ' + '{"a":' * 500 + "1" + "}" * 501, '{"event": "' + "e" * 60_000 + '"}',
]  # fmt: skip


def text_of(frame: Any) -> str:
    return json.dumps(frame)


@given(frame=frames)
@settings(BOUND, max_examples=150)
def test_every_frame_is_answered_with_its_id(scene: Scene, frame: dict[str, Any]) -> None:
    async def attack() -> None:
        async with connected(scene.server.port, contract=scene.contract) as socket:
            await identify(socket, session)
            came, code = await answers_to(socket, [text_of(frame)])
        left = [told for told in came if told["event"] == "left"]
        assert code == (1000 if left else None)
        answers = [told for told in came if "id" in told]
        errors = [told["data"]["code"] for told in came if told["event"] == "error"]
        assert set(errors) <= set(CODES) - {"internal", "plugin_failed"}
        if not is_readable(frame):
            assert (errors, answers) == (["bad_frame"], [])
        elif "id" in frame and (frame["event"] != "typing" or errors):
            assert [told["id"] for told in answers] == [frame["id"]]

    session = scene.attacker()
    scene.run(attack())


def is_readable(value: object) -> bool:
    """Whether a value can stand in strict JSON and in our storages."""
    if isinstance(value, str):
        return "\0" not in value and not any("\ud800" <= sign <= "\udfff" for sign in value)
    if isinstance(value, int | float):
        return abs(value) <= sys.float_info.max  # also false for NaN
    if isinstance(value, dict):
        return all(is_readable(part) for item in value.items() for part in item)
    return all(is_readable(part) for part in value) if isinstance(value, list) else True


@given(frame=st.sampled_from(ODD) | st.text(max_size=200) | st.binary(max_size=200))
@settings(BOUND, max_examples=150)
def test_no_text_and_no_bytes_do_harm(scene: Scene, frame: str | bytes) -> None:
    async def attack() -> None:
        async with connected(scene.server.port, contract=scene.contract) as socket:
            await identify(socket, session)
            came, code = await answers_to(socket, [frame])
        told = [event for event in came if event["event"] == "error"]
        ours = isinstance(frame, str) and frame.lstrip().startswith("{")
        assert code is None if ours else code == 4400
        assert all(event["data"]["code"] in CODES for event in told)
        assert len(told) == 1 or (ours and '"heartbeat"' in str(frame))

    with suppress(UnicodeEncodeError):
        str(frame).encode()
        session = scene.attacker()
        scene.run(attack())


@given(order=st.lists(st.sampled_from(EVENTS), min_size=1, max_size=12))
@settings(BOUND, max_examples=30)
def test_nothing_works_before_identify(scene: Scene, order: list[str]) -> None:
    async def attack() -> None:
        async with connected(scene.server.port, contract=scene.contract) as socket:
            wanted = [text_of({"event": event, "data": {}, "id": place}) for place, event in enumerate(order)]
            came, code = await answers_to(socket, [frame for frame in wanted if "identify" not in frame])
            assert code is None
            told = {event["id"]: event["data"]["code"] for event in came if event["event"] == "error"}
            assert told == {place: "not_identified" for place, event in enumerate(order) if event != "identify"}

    scene.run(attack())


@given(token=st.text(max_size=200) | st.sampled_from(["", "0" * 64, "x" * 129]) | values)
@settings(BOUND, max_examples=60)
def test_no_token_but_a_session_token_identifies(scene: Scene, token: object) -> None:
    async def attack() -> None:
        async with connected(scene.server.port, contract=scene.contract) as socket:
            await socket.raw.send(text_of({"event": "identify", "data": {"token": token}, "id": 1}))
            told = await socket.until("error")
            assert told["data"]["code"] in ("invalid_token", "validation_failed", "bad_frame")
            if told["data"]["code"] == "invalid_token":
                assert await socket.ended() == 4401

    scene.run(attack())


def test_invites_and_operator_words_are_no_session_tokens(scene: Scene) -> None:
    async def attack(token: str) -> None:
        async with connected(scene.server.port, headers={"Authorization": f"Bearer {token}"}) as socket:
            assert (await socket.until("error"))["data"]["code"] == "invalid_token"
            assert await socket.ended() == 4401

    for kind in ("inviteToken", "moderatorToken", "roomId"):
        scene.run(attack(scene.room[kind]))


def test_broken_frames_close_only_their_own_connection(scene: Scene) -> None:
    async def attack(frame: bytes, expected: int) -> None:
        async with connected(scene.server.port) as socket:
            await identify(socket, scene.attacker())
            socket.raw.transport.write(frame)
            assert await socket.ended() == expected

    masked_latin1 = bytes((0x81, 0x81, 0, 0, 0, 0, 0xFF))
    masked_binary = bytes((0x82, 0x81, 0, 0, 0, 0, 0x00))
    for frame, code in (
        (masked_latin1, 1007),
        (masked_binary, 4400),
        (b"\x81\x01a", 1002),
        (b"\xf1\x80\0\0\0\0", 1002),
        (bytes((0x81, 0xFF)) + (65_537).to_bytes(8), 1009),
    ):
        scene.run(attack(frame, code))
    scene.check()


def test_a_frame_before_a_binary_one_still_gets_its_answer(scene: Scene) -> None:
    async def attack() -> None:
        async with connected(scene.server.port) as socket:
            await identify(socket, scene.attacker())
            first = text_of({"event": "get_presence", "data": {}, "id": "first"})
            came, code = await answers_to(socket, [first, b"\0"])
            assert [event["event"] for event in came if event["event"] != "presence"] == ["presence_state", "error"]
            assert code == 4400

    scene.run(attack())


def test_other_rooms_stay_closed(scene: Scene) -> None:
    async def attack() -> None:
        async with connected(scene.server.port, contract=scene.contract) as socket:
            await identify(socket, session)
            foreign = {"messageId": scene.foreign_message}
            for event, data in (
                ("edit_message", foreign | {"text": "Mine now"}),
                ("delete_message", foreign),
                ("send_message", {"text": "?", "clientMsgId": "r", "replyToId": scene.foreign_message}),
            ):
                assert (await socket.ask(event, data))["data"]["code"] == "message_not_found"
            page = await socket.ask("get_history", {"before": 2**53, "limit": 200})
            assert all(message["roomId"] == scene.room["roomId"] for message in page["data"]["messages"])
            assert "A secret" not in json.dumps(page)

    session = scene.attacker()
    scene.run(attack())
    for place in ("participants", "messages", "invites"):
        reply = scene.rest.call("GET", f"/api/rooms/{scene.foreign['roomId']}/{place}", token=session["sessionToken"])
        assert (reply.status, reply.body["code"]) == (403, "forbidden")


def test_positions_of_other_rooms_and_beyond_the_end_give_a_fresh_start(scene: Scene) -> None:
    async def attack(since: int) -> str:
        async with connected(scene.server.port, contract=scene.contract) as socket:
            await socket.send("identify", {"token": session["sessionToken"], "since": since, "epoch": epoch}, 1)
            await socket.until("hello")
            event: str = (await socket.read())["event"]
            return event

    async def find_epoch() -> str:
        async with connected(scene.server.port) as socket:
            await socket.send("identify", {"token": session["sessionToken"]})
            found: str = (await socket.until("identified"))["data"]["epoch"]
            return found

    session = scene.attacker()
    epoch = scene.run(find_epoch())
    assert [scene.run(attack(since)) for since in (2**53, 10**6)] == ["identified", "identified"]
    assert [scene.run(attack(since)) for since in (-1, 2**53 + 1, 2**64 - 1)] == ["error", "error", "error"]


def test_leaving_in_another_tab_ends_a_busy_connection(scene: Scene) -> None:
    async def attack() -> None:
        async with connected(scene.server.port) as one, connected(scene.server.port) as two:
            await identify(one, session)
            await identify(two, session)
            for number in range(50):
                await one.send("send_message", {"text": "Busy", "clientMsgId": f"{number}"}, number)
            await two.send("leave", {}, "leave")
            assert [await one.ended(), await two.ended()] == [1000, 1000]
            codes = {frame["data"]["code"] for frame in one.passed if frame["event"] == "error"}
            assert codes <= {"session_expired"}

    session = scene.attacker()
    scene.run(attack())


@given(avatar=st.text(max_size=70), name=st.text(max_size=40))
@settings(BOUND, max_examples=80)
def test_names_and_avatars_reach_others_only_checked(scene: Scene, avatar: str, name: str) -> None:
    path = f"/api/rooms/{scene.foreign['roomId']}"
    body = {"inviteToken": scene.foreign["inviteToken"], "username": name, "avatar": avatar}
    with suppress(UnicodeEncodeError):
        json.dumps(body, ensure_ascii=False).encode()
        reply = scene.rest.call("POST", f"{path}/join", body)
        assert reply.status in (201, 409, 422)
        if reply.status == 201:
            people = scene.rest.call("GET", f"{path}/participants?limit=200", token=reply.body["sessionToken"])
            shown = "".join(f"{person['username']}{person['avatar']}" for person in people.body["participants"])
            assert not any(ord(sign) < 32 or sign in "\u202e\u2066\u2028" for sign in shown)


@given(settings_of=st.dictionaries(st.text(max_size=10), values, max_size=5), title=st.text(max_size=200))
@settings(BOUND, max_examples=60)
def test_a_room_can_hold_no_bomb(scene: Scene, settings_of: dict[str, Any], title: str) -> None:
    body = {"title": title, "settings": settings_of, "description": title, "isPublic": True}
    reply = scene.rest.call("POST", "/api/rooms", body)
    assert reply.status in (201, 422), reply
    if reply.status == 201:
        told = scene.rest.call("GET", f"/api/rooms/{reply.body['roomId']}")
        assert (told.status, len(json.dumps(told.body["settings"])) < 50_000) == (200, True)
        shown = told.body["title"] + told.body["description"]
        assert not any((ord(sign) < 32 and sign != "\n") or sign in "\u202e\u2066\x85" for sign in shown)


# --- REST

methods = st.sampled_from(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "BREW"])
parts = st.text(max_size=12).map(lambda text: quote(text.encode("utf-8", "surrogatepass"), safe="")) | st.sampled_from(
    ["api", "rooms", "join", "leave", "participants", "messages", "invites", "validate-invite", "time-remaining", "..", ".",
     "%00", "%ff", "%2e%2e", "%2f", "ws", "r", "static", "health", "ready", "metrics", "privacy", "style.css", "docs"]
)  # fmt: skip
queries = st.dictionaries(
    st.sampled_from(["cursor", "limit", "search", "before", "after", "t", "x", "%ff"]),
    st.sampled_from(["", "%ff", "%00", "-1", "9" * 400, "1e9", "%d9%a1", "0", "~", "1~%00", "a&limit=2"]),
    max_size=3,
).map(lambda query: "&".join(f"{name}={value}" for name, value in query.items()))
headers = st.dictionaries(
    st.sampled_from(["Authorization", "Origin", "Content-Type", "X-Forwarded-For", "If-None-Match", "Range", "Expect", "Cookie",
                     "Accept", "Upgrade", "Connection", "Sec-WebSocket-Version", "Sec-WebSocket-Key"]),
    st.sampled_from(["", "Bearer ", "Bearer \xff", "null", "http://[", "http://localhost", "multipart/form-data; boundary=a",
                     "application/x-www-form-urlencoded", "text/plain", "bytes=0-1", "*", "websocket", "Upgrade", "13", "a" * 2_000,
                     "100-continue", "1.1.1.1, , x", "a=b; c=\xe9"]),
    max_size=4,
)  # fmt: skip
bodies = (
    st.none()
    | st.binary(max_size=300)
    | values.map(lambda value: json.dumps(value).encode())
    | st.dictionaries(
        st.sampled_from(
            ["title", "inviteToken", "username", "forget", "settings", "maxUses", "role", "avatar", "isPublic"]
        ),
        values,
        max_size=4,
    ).map(lambda value: json.dumps(value).encode())
    | st.sampled_from([b"{" * 1_000, b"[" * 60_000, b'{"title": "\xff"}', b"--a\r\n\r\nx\r\n--a--", b"x" * 65_537])
)


@given(method=methods, path=st.lists(parts, max_size=5), query=queries, header=headers, body=bodies)
@settings(BOUND, max_examples=400)
def test_any_request_gets_an_answer(
    scene: Scene, method: str, path: list[str], query: str, header: dict[str, str], body: bytes | None
) -> None:
    check_request(scene.server.port, method, f"/{'/'.join(path)}{query and '?'}{query}", header, body)


@given(data=st.data(), method=methods, query=queries, header=headers, body=bodies)
@settings(BOUND, max_examples=400)
def test_any_request_to_a_known_path_gets_an_answer(
    scene: Scene, data: st.DataObject, method: str, query: str, header: dict[str, str], body: bytes | None
) -> None:
    paths = [*scene.contract.paths, "/r/{roomId}", "/", "/ws", "/static/anonchat/style.css"]
    path = data.draw(st.sampled_from(paths))
    room = data.draw(st.sampled_from([scene.foreign["roomId"], "x", "%00", "%ff"]))
    path = path.replace("{roomId}", room).replace("{inviteId}", "x")
    if data.draw(st.booleans()):
        header = {**header, "Authorization": f"Bearer {scene.bystander['sessionToken']}"}
    if not (path.endswith("/leave") and method == "POST"):
        check_request(scene.server.port, method, f"{path}{query and '?'}{query}", header, body)


def check_request(port: int, method: str, path: str, header: Mapping[str, str], body: bytes | None) -> None:
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request(method, path, body, dict(header))
        answer = connection.getresponse()
        if answer.status == 101:
            return
        text = answer.read()
    except HTTPException:
        return  # the client library refuses to read a body that CONNECT or HEAD may not have
    finally:
        connection.close()
    assert answer.status < 500, (answer.status, text)
    assert "Server" not in answer.headers
    is_page = path.startswith("/r/") and answer.headers.get_content_type() == "text/html"
    if answer.status >= 400 and method != "HEAD" and not is_page:
        problem = json.loads(text)
        assert problem["code"] in CODES
        assert problem["status"] == answer.status
        assert (answer.status != 405) or answer.headers["Allow"]
