"""Two clients that share no code with the server walk through the whole protocol of the core.

Every answer and event is held against the documents that the server publishes (`Contract`), and those that matter
against the fields that the protocol names (`has`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from anonchat.testing.clients import Reply, Rest, Socket, connected
from anonchat.testing.contract import Contract
from anonchat.testing.processes import ServerProcess, environment

ENVIRON = environment(sessions={"grace_seconds": 0})

ROOM = (
    "roomId title description ephemeral createdAt isOpen actualParticipants maxParticipants closedAt expiresAt "
    "retentionSeconds purgeGraceSeconds plugins"
)
USER = "sessionId username anonymousId role avatar"
MESSAGE = "id roomId seq changedSeq authorUsername anonymousId authorSessionId authorRole content mentions createdAt"
CHUNK = "messages hasMore epoch seq"
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


def has(data: Mapping[str, Any], fields: str, optional: str = "") -> Mapping[str, Any]:
    """Check that `data` has exactly these fields, and perhaps some of the optional ones; returns it."""
    required = set(fields.split())
    assert required <= set(data) <= required | set(optional.split()), sorted(set(data) ^ required)
    return data


def refused(reply: Reply, status: int, code: str) -> Reply:
    """Check that a request was refused as RFC 9457 and the protocol want it."""
    assert (reply.status, reply.body["code"]) == (status, code)
    assert reply.headers["Content-Type"] == "application/problem+json"
    has(reply.body, "type title status code detail", "errors retryAfterMs")
    return reply


@dataclass(frozen=True, slots=True)
class Walk:
    """A running server and its documents."""

    server: ServerProcess
    contract: Contract
    rest: Rest

    def room(self, **fields: object) -> dict[str, Any]:
        reply = self.rest.call("POST", "/api/rooms", {"title": "Lunch"} | fields)
        assert reply.status == 201
        has(reply.body, "roomId inviteToken moderatorToken joinUrl moderatorUrl")
        return dict(reply.body)

    def join(
        self, room: Mapping[str, Any], username: str, kind: str = "inviteToken", **fields: object
    ) -> dict[str, Any]:
        body = {kind: room[kind], "username": username} | fields
        reply = self.rest.call("POST", f"/api/rooms/{room['roomId']}/join", body)
        assert reply.status == 201
        has(reply.body, "sessionToken sessionId anonymousId role websocketUrl username")
        assert re.fullmatch(r"[0-9a-f]{64}", reply.body["sessionToken"])
        assert re.fullmatch(r"[0-9a-f]{6}", reply.body["anonymousId"])
        assert reply.body["sessionToken"] not in reply.body["websocketUrl"]
        return dict(reply.body)

    def connect(self, **options: Any) -> AbstractAsyncContextManager[Socket]:
        return connected(self.server.port, contract=self.contract, **options)


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Walk]:
    with ServerProcess(tmp_path_factory.mktemp("walk"), ENVIRON) as server:
        contract = Contract.of(server.url)
        yield Walk(server, contract, Rest(server.port, contract))
        assert "Traceback" not in server.log
        assert '"level": "error"' not in server.log


async def enter(socket: Socket, session: Mapping[str, Any], **position: object) -> list[dict[str, Any]]:
    """Identify by the first frame; returns what came: identified, presence_state, and history or replay."""
    await socket.send("identify", {"token": session["sessionToken"]} | position)
    assert has((await socket.read())["data"], "protocol serverTime heartbeatSeconds limits plugins")["protocol"] == 1
    return [await socket.read() for _ in range(3)]


async def say(socket: Socket, text: str, **fields: object) -> dict[str, Any]:
    """Send a message and wait for its ack and for the message itself; returns the message."""
    ack = await socket.ask("send_message", {"text": text, "clientMsgId": text[:40]} | fields, id=text[:40])
    has(ack["data"], "clientMsgId serverMessageId seq createdAt")
    arrived = await socket.until("message")
    assert arrived["data"]["id"] == ack["data"]["serverMessageId"]
    assert arrived["seq"] == arrived["data"]["seq"] == ack["data"]["seq"]
    message: dict[str, Any] = arrived["data"]
    return message


# --- rooms and invites


def test_public_rooms_are_listed_page_by_page(walk: Walk) -> None:
    hidden = walk.room()
    made = [walk.room(isPublic=True, title=f"Public {number}")["roomId"] for number in range(3)]
    found: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        reply = walk.rest.call("GET", f"/api/rooms?limit=2{cursor and f'&cursor={cursor}'}")
        has(reply.body, "rooms nextCursor")
        for room in reply.body["rooms"]:
            has(room, ROOM, "isPublic")
        found += [room["roomId"] for room in reply.body["rooms"]]
        cursor = reply.body["nextCursor"]
    assert found == list(reversed(made))
    assert hidden["roomId"] not in found


def test_metadata_tell_what_was_asked_for(walk: Walk) -> None:
    room = walk.room(description="At noon", ephemeral=False, maxParticipants=3, settings={"color": "red"})
    walk.join(room, "Alice")
    reply = walk.rest.call("GET", f"/api/rooms/{room['roomId']}")
    told = has(reply.body, ROOM, "isPublic settings")
    assert MOMENT.fullmatch(told["createdAt"])
    assert (told["title"], told["description"], told["settings"]) == ("Lunch", "At noon", {"color": "red"})
    assert (told["actualParticipants"], told["maxParticipants"]) == (1, 3)
    assert (told["ephemeral"], told["expiresAt"], told["retentionSeconds"], told["isOpen"]) == (False, None, None, True)
    remaining = walk.rest.call("GET", f"/api/rooms/{room['roomId']}/time-remaining")
    assert remaining.body == {"remainingSeconds": None}


def test_time_remaining_counts_down(walk: Walk) -> None:
    reply = walk.rest.call("GET", f"/api/rooms/{walk.room(chatDurationSeconds=100)['roomId']}/time-remaining")
    assert 90 <= reply.body["remainingSeconds"] <= 100


def test_an_invite_opens_its_own_room_only(walk: Walk) -> None:
    room, other = walk.room(), walk.room()
    check = f"/api/rooms/{room['roomId']}/validate-invite"
    assert walk.rest.call("POST", check, {"inviteToken": room["inviteToken"]}).body["ok"] is True
    refused(walk.rest.call("POST", check, {"inviteToken": other["inviteToken"]}), 403, "invalid_invite")
    body = {"inviteToken": other["moderatorToken"], "username": "Eve"}
    refused(walk.rest.call("POST", f"/api/rooms/{room['roomId']}/join", body), 403, "invalid_invite")
    as_moderator = {"moderatorToken": room["inviteToken"], "username": "Eve"}
    refused(walk.rest.call("POST", f"/api/rooms/{room['roomId']}/join", as_moderator), 403, "invalid_invite")


def test_invites_are_made_listed_used_up_and_revoked(walk: Walk) -> None:
    room = walk.room()
    invites = f"/api/rooms/{room['roomId']}/invites"
    token = walk.join(room, "Mo", "moderatorToken")["sessionToken"]
    refused(walk.rest.call("GET", invites, token=walk.join(room, "Alice")["sessionToken"]), 403, "not_moderator")
    once = walk.rest.call("POST", invites, {"maxUses": 1}, token=token).body
    has(once, "inviteId role createdAt expiresAt maxUses uses revokedAt inviteToken joinUrl")
    join = f"/api/rooms/{room['roomId']}/join"
    assert walk.rest.call("POST", join, {"inviteToken": once["inviteToken"], "username": "Bob"}).status == 201
    again = walk.rest.call("POST", join, {"inviteToken": once["inviteToken"], "username": "Cleo"})
    refused(again, 403, "invalid_invite")
    short = walk.rest.call("POST", invites, {"expiresInSeconds": 3_600, "role": "moderator"}, token=token).body
    assert MOMENT.fullmatch(short["expiresAt"])
    listed = walk.rest.call("GET", invites, token=token).body["invites"]
    assert [invite["uses"] for invite in listed if invite["inviteId"] == once["inviteId"]] == [1]
    assert all("inviteToken" not in invite for invite in listed)
    assert walk.rest.call("DELETE", f"{invites}/{short['inviteId']}", token=token).body == {"ok": True}
    refused(walk.rest.call("DELETE", f"{invites}/{short['inviteId']}", token=token), 404, "not_found")
    revoked = walk.rest.call("POST", join, {"inviteToken": short["inviteToken"], "username": "Dora"})
    refused(revoked, 403, "invalid_invite")


def test_names_and_places_are_held(walk: Walk) -> None:
    room = walk.room(maxParticipants=2)
    join = f"/api/rooms/{room['roomId']}/join"
    walk.join(room, "Alice")
    body = {"inviteToken": room["inviteToken"]}
    refused(walk.rest.call("POST", join, body | {"username": "ALICE"}), 409, "username_taken")
    refused(walk.rest.call("POST", join, body | {"username": "\u202e"}), 422, "username_invalid")
    bob = walk.join(room, "Bob")
    refused(walk.rest.call("POST", join, body | {"username": "Cleo"}), 409, "room_full")
    leave = f"/api/rooms/{room['roomId']}/leave"
    assert walk.rest.call("POST", leave, {}, token=bob["sessionToken"]).body == {"ok": True}
    refused(walk.rest.call("POST", leave, {}, token=bob["sessionToken"]), 401, "invalid_token")
    walk.join(room, "Bob")


def test_participants_are_searched_and_paged(walk: Walk) -> None:
    room = walk.room()
    token, *_ = (walk.join(room, name)["sessionToken"] for name in ("Alice", "Bob", "Alina"))
    people = f"/api/rooms/{room['roomId']}/participants"
    first = walk.rest.call("GET", f"{people}?limit=2", token=token).body
    rest = walk.rest.call("GET", f"{people}?limit=2&cursor={first['nextCursor']}", token=token).body
    assert [person["username"] for person in first["participants"] + rest["participants"]] == ["Alice", "Bob", "Alina"]
    assert (first["total"], rest["nextCursor"]) == (3, None)
    for person in first["participants"]:
        has(person, USER)
    found = walk.rest.call("GET", f"{people}?search=al", token=token).body
    assert {person["username"] for person in found["participants"]} == {"Alice", "Alina"}
    refused(walk.rest.call("GET", people), 401, "not_identified")
    refused(walk.rest.call("GET", people, token=walk.join(walk.room(), "Eve")["sessionToken"]), 403, "forbidden")


# --- the socket


@pytest.mark.gen_test
async def test_all_three_ways_to_identify(walk: Walk) -> None:
    room = walk.room()
    alice, bob, cleo = (walk.join(room, name, avatar="🦊") for name in ("Alice", "Bob", "Cleo"))
    async with walk.connect() as first:
        identified, present, history = await enter(first, alice)
        told = has(identified["data"], "sessionId roomId username anonymousId role room epoch seq ext")
        assert (told["sessionId"], told["username"], told["role"]) == (alice["sessionId"], "Alice", "participant")
        has(told["room"], ROOM, "isPublic settings")
        assert has(present["data"], "users total version")["total"] == 1
        assert has(present["data"]["users"][0], USER)["avatar"] == "🦊"
        assert has(history["data"], f"{CHUNK} recovered")["recovered"] is False
        async with walk.connect(headers={"Authorization": f"Bearer {bob['sessionToken']}"}) as second:
            assert (await second.until("identified"))["data"]["username"] == "Bob"
            joined = has((await first.until("presence"))["data"], "event user total version")
            assert (joined["event"], joined["total"], has(joined["user"], USER)["username"]) == ("join", 2, "Bob")
            async with walk.connect(path=f"/ws?t={cleo['sessionToken']}") as third:
                assert (await third.until("identified"))["data"]["username"] == "Cleo"
                again = await third.ask("identify", {"token": cleo["sessionToken"]})
                assert again["data"]["code"] == "conflict"
    assert cleo["sessionToken"] not in walk.server.log


@pytest.mark.gen_test
async def test_the_root_upgrades_too_and_the_token_in_the_url_can_be_switched_off(walk: Walk, tmp_path: Path) -> None:
    async with walk.connect(path="/") as socket:
        await enter(socket, walk.join(walk.room(), "Alice"))
    with ServerProcess(tmp_path, {**ENVIRON, "ANONCHAT_SERVER__TOKEN_IN_URL": "false"}) as server:
        strict = Walk(server, walk.contract, Rest(server.port))
        session = strict.join(strict.room(), "Alice")
        async with strict.connect(path=f"/ws?t={session['sessionToken']}") as socket:
            await socket.until("hello")
            assert (await socket.ask("get_presence"))["data"]["code"] == "not_identified"


@pytest.mark.gen_test
async def test_messages_are_sent_answered_changed_and_deleted(walk: Walk) -> None:
    room = walk.room()
    alice, bob, owner = walk.join(room, "Alice"), walk.join(room, "Bob"), walk.join(room, "Mo", "moderatorToken")
    async with walk.connect() as one, walk.connect() as two, walk.connect() as three:
        for socket, session in ((one, alice), (two, bob), (three, owner)):
            await enter(socket, session)
        first = has(await say(one, "Hello"), MESSAGE)
        assert (first["content"], first["mentions"]) == ({"type": "text", "text": "Hello"}, [])
        assert (await two.until("message"))["data"] == first
        repeated = await one.ask("send_message", {"text": "Hello", "clientMsgId": "Hello"}, id=2)
        assert repeated["data"]["serverMessageId"] == first["id"]
        reply = has(await say(two, "Hi", replyToId=first["id"]), f"{MESSAGE} replyToId")
        assert (reply["replyToId"], reply["seq"]) == (first["id"], first["seq"] + 1)
        assert has(
            (await one.ask("edit_message", {"messageId": first["id"], "text": "Hallo"}))["data"], "messageId seq"
        )
        edited = await two.until("message_edited")
        message = has(has(edited["data"], "message")["message"], f"{MESSAGE} editedAt")
        assert (message["content"]["text"], message["changedSeq"], message["seq"]) == ("Hallo", edited["seq"], 1)
        denied = await two.ask("edit_message", {"messageId": first["id"], "text": "Mine"})
        assert denied["data"]["code"] == "forbidden"
        assert (await two.ask("delete_message", {"messageId": first["id"]}))["data"]["code"] == "forbidden"
        assert has((await three.ask("delete_message", {"messageId": first["id"]}))["data"], "messageId")
        gone = has((await two.until("message_deleted"))["data"], "messageId by deletedAt")
        assert (gone["messageId"], gone["by"]) == (first["id"], "moderator")
        await two.ask("delete_message", {"messageId": reply["id"]})
        by = [(await one.until("message_deleted"))["data"]["by"] for _ in range(2)]
        assert by == ["moderator", "author"]
        page = (await one.ask("get_history"))["data"]
        assert [message["content"]["text"] for message in page["messages"]] == ["", ""]


@pytest.mark.gen_test
async def test_typing_presence_and_heartbeat(walk: Walk) -> None:
    room = walk.room()
    alice, bob = walk.join(room, "Alice"), walk.join(room, "Bob")
    async with walk.connect() as one:
        await enter(one, alice)
        async with walk.connect() as two, walk.connect() as tab:
            await enter(two, bob)
            await enter(tab, bob)
            await two.send("typing", {"typing": True})
            told = has((await one.until("typing"))["data"], "sessionId username anonymousId typing")
            assert (told["username"], told["typing"]) == ("Bob", True)
            state = (await one.ask("get_presence"))["data"]
            assert (state["total"], [user["username"] for user in state["users"]]) == (2, ["Alice", "Bob"])
            await say(one, "Hello")
            beat = has((await two.ask("heartbeat"))["data"], "serverTime seq presenceVersion")
            assert (beat["seq"], beat["presenceVersion"]) == (1, state["version"])
            assert all(frame["event"] != "typing" for frame in two.passed)
            await two.raw.close()
            assert (await tab.ask("get_presence"))["data"]["total"] == 2
        left = (await one.until("presence"))["data"]
        assert (left["event"], left["user"]["username"], left["total"]) == ("leave", "Bob", 1)
        assert [frame["data"]["event"] for frame in one.passed if frame["event"] == "presence"] == ["join"]


@pytest.mark.gen_test
async def test_history_is_read_in_both_directions(walk: Walk) -> None:
    room = walk.room()
    alice = walk.join(room, "Alice")
    messages = f"/api/rooms/{room['roomId']}/messages"
    async with walk.connect() as socket:
        await enter(socket, alice)
        for number in range(1, 8):
            await say(socket, f"{number}")
        for query, seqs, more in (
            ({"limit": 3}, [5, 6, 7], True),
            ({"before": 5, "limit": 3}, [2, 3, 4], True),
            ({"before": 2, "limit": 3}, [1], False),
            ({"after": 5, "limit": 3}, [6, 7], False),
            ({"after": 0, "limit": 3}, [1, 2, 3], True),
        ):
            live = has((await socket.ask("get_history", query))["data"], CHUNK)
            text = "&".join(f"{name}={value}" for name, value in query.items())
            told = walk.rest.call("GET", f"{messages}?{text}", token=alice["sessionToken"]).body
            assert live == has(told, CHUNK)
            assert ([message["seq"] for message in live["messages"]], live["hasMore"]) == (seqs, more)


@pytest.mark.gen_test
async def test_leaving_by_event_and_by_rest_closes_every_socket(walk: Walk) -> None:
    room = walk.room()
    alice, bob = walk.join(room, "Alice"), walk.join(room, "Bob")
    async with walk.connect() as one, walk.connect() as two, walk.connect() as tab:
        await enter(one, alice)
        await enter(two, bob)
        await enter(tab, bob)
        await say(two, "Forget me")
        await two.send("leave", {"forget": True}, "bye")
        assert (await two.until("left", "bye"))["data"] == {}
        assert [await two.ended(), await tab.ended()] == [1000, 1000]
        told: dict[str, Any] = {}
        while told.get("presence", {}).get("event") != "leave" or "messages_removed" not in told:
            frame = await one.read()
            told[frame["event"]] = frame["data"]
        assert told["messages_removed"]["reason"] == "forgotten"
        assert (await one.ask("get_history"))["data"]["messages"] == []
        leave = f"/api/rooms/{room['roomId']}/leave"
        assert (await walk.rest.acall("POST", leave, {}, token=alice["sessionToken"])).body == {"ok": True}
        assert await one.ended() == 1000
    async with walk.connect() as late:
        await late.send("identify", {"token": alice["sessionToken"]}, 1)
        assert (await late.until("error", 1))["data"]["code"] == "invalid_token"
        assert await late.ended() == 4401


@pytest.mark.gen_test
async def test_coming_back_gives_what_was_missed_or_a_fresh_start(walk: Walk) -> None:
    room = walk.room()
    alice, bob = walk.join(room, "Alice"), walk.join(room, "Bob")
    async with walk.connect() as one:
        await enter(one, alice)
        async with walk.connect() as two:
            identified, *_ = await enter(two, bob)
            epoch = identified["data"]["epoch"]
            kept = await say(two, "Kept")
        missed = await say(one, "Missed")
        await one.ask("edit_message", {"messageId": missed["id"], "text": "Changed"})
        async with walk.connect() as two:
            *_, replay = await enter(two, bob, since=kept["seq"], epoch=epoch)
            told = has(replay["data"], "events from to epoch recovered")
            assert (replay["event"], told["from"], told["to"], told["recovered"]) == ("replay", 1, 3, True)
            assert [has(event, "event data seq")["event"] for event in told["events"]] == ["message", "message_edited"]
            assert told["events"][0]["data"]["content"]["text"] == "Changed"
        async with walk.connect() as two:
            *_, replay = await enter(two, bob, since=3, epoch=epoch)
            assert replay["data"]["events"] == []
        for position in ({"since": 1, "epoch": "another"}, {"since": 4, "epoch": epoch}, {"since": 1}):
            async with walk.connect() as two:
                *_, fresh = await enter(two, bob, **position)
                assert (fresh["event"], fresh["data"]["recovered"]) == ("history_chunk", False)
                assert [message["seq"] for message in fresh["data"]["messages"]] == [1, 2]
        for number in range(301):
            await one.send("send_message", {"text": f"{number}", "clientMsgId": f"many {number}"}, number)
        await one.until("message_ack", 300)
        async with walk.connect() as two:
            *_, fresh = await enter(two, bob, since=1, epoch=epoch)
            assert (fresh["event"], len(fresh["data"]["messages"])) == ("history_chunk", 50)
            assert (fresh["data"]["seq"], fresh["data"]["hasMore"]) == (304, True)


@pytest.mark.gen_test
async def test_a_short_room_warns_ends_and_is_gone(walk: Walk) -> None:
    room = walk.room(chatDurationSeconds=10)
    path = f"/api/rooms/{room['roomId']}"
    alice = walk.join(room, "Alice")
    async with walk.connect() as socket:
        await enter(socket, alice)
        await say(socket, "Soon over")
        warning = await socket.until("room_ttl_warning")
        assert has(warning["data"], "remainingSeconds")["remainingSeconds"] == 1
        ended = has((await socket.until("room_ended"))["data"], "reason deleted")
        assert (ended["reason"], ended["deleted"]["messages"], ended["deleted"]["participants"]) == ("expired", 1, 1)
        assert await socket.ended() == 4410
    for method, place, body in (
        ("GET", "", None),
        ("GET", "/time-remaining", None),
        ("POST", "/validate-invite", {"inviteToken": room["inviteToken"]}),
        ("POST", "/join", {"inviteToken": room["inviteToken"], "username": "Late"}),
    ):
        refused(walk.rest.call(method, path + place, body), 410, "room_ended")
    report = walk.rest.call("GET", f"{path}/deletion-report").body
    assert has(report, "roomId endedAt reason deleted pending backupsUntil")["deleted"] == ended["deleted"]
    page = walk.rest.call("GET", f"/r/{room['roomId']}")
    assert page.status == 410
    assert "messages" in page.body


@pytest.mark.gen_test
async def test_a_foreign_page_opens_no_socket(walk: Walk) -> None:
    with pytest.raises(InvalidStatus) as refusal:
        async with walk.connect(origin="https://evil.example"):
            pass
    assert refusal.value.response.status_code == 403
