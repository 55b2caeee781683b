"""Ways to get in, or around a limit, that must not work: other sites' pages, rebound names, sweeps, guesses, lists of rooms."""

from __future__ import annotations

import hashlib
import hmac
import itertools
import re
import uuid
from collections.abc import AsyncIterator, Iterator
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from anonchat.app import Server
from anonchat.ids import new_id, new_invite_token, new_token, token_hash
from anonchat.testing import running_server, settings_in
from anonchat.testing.clients import Rest, connected
from anonchat.testing.databases import run_sql
from anonchat.testing.people import OpenRoom, Reply, open_room, request

from .acts import routes_of

pytestmark = pytest.mark.gen_test

EVIL = "https://evil.example"
PROXY = {"port": 0, "trusted_proxies": (ip_network("127.0.0.1"),), "operator_token": "an-operator-token-of-24"}


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    async with running_server(settings_in(tmp_path, server=PROXY, plugins={"enabled": None})) as running:
        yield running


# --- pages of other sites, and names that were rebound


@pytest.mark.parametrize("path", ["/ws", "/", "/ws?t={token}", "/?t={token}"])
async def test_a_page_of_another_site_opens_no_socket(server: Server, path: str) -> None:
    """Not even with the token of its visitor, by which way ever it would come."""
    room = await open_room(server)
    token = (await room.join("Victim")).body["sessionToken"]
    address, headers = path.format(token=token), {"Authorization": f"Bearer {token}", "Cookie": f"token={token}"}
    for origin in (EVIL, "null", "http://127.0.0.1", f"http://127.0.0.1:{server.port}.evil.example"):
        with pytest.raises(InvalidStatus) as refusal:
            async with connected(server.port, path=address, headers=headers, origin=origin):
                pass
        assert refusal.value.response.status_code == 403
    assert server.presence.of(room.id).people == {}
    own = f"http://127.0.0.1:{server.port}"
    async with connected(server.port, path=address, headers=headers, origin=own) as socket:  # the control
        assert (await socket.until("identified"))["data"]["username"] == "Victim"


async def test_every_address_refuses_a_name_that_is_not_ours(server: Server) -> None:
    """All routes that are declared, plugins' too, the pages, the files and the sockets."""
    paths = {route.partition(" ")[2] for route in await routes_of(server)}
    paths |= {"/", "/r/x", "/embed/r/x", "/ws", "/admin", "/static/anonchat/main.mjs", "/static/polls/polls.mjs"}
    rest = Rest(server.port)
    for path in sorted(paths):
        named = re.sub(r"\{\w+\}", "x", path)
        for method in ("GET", "POST", "OPTIONS"):
            reply = await rest.acall(method, named, headers={"Host": f"rebound.example:{server.port}"})
            assert reply.status == 421 or (reply.status == 405 and method != "GET"), (method, path, reply.status)
            assert "Access-Control-Allow-Origin" not in reply.headers
    assert (await rest.acall("GET", "/", headers={"Host": "127.0.0.1"})).status == 200  # the control
    with pytest.raises(InvalidStatus) as refusal:
        async with connected(server.port, headers={"Host": "rebound.example"}):
            pass
    assert refusal.value.response.status_code in (400, 421)


# --- around a limit

# All of these are one network: what a proxy adds to an address, how it can be spelled, and all of an IPv6 /64.
ONE_NETWORK = {
    "IPv4": (
        *("203.0.113.7", "203.0.113.7:1", "203.0.113.7:65535", " 203.0.113.7", "::ffff:203.0.113.7"),
        *("[::ffff:203.0.113.7]:80", "::FFFF:CB00:7107", "198.51.100.1, 203.0.113.7", "x, , 203.0.113.7"),
    ),
    "IPv6": (
        *(f"2001:db8:1:2:{number:x}::{number:x}" for number in range(1, 40)),
        *("2001:DB8:1:2::1", "2001:0db8:0001:0002::1", "[2001:db8:1:2::1]:80", "2001:db8:1:2::%eth0"),
    ),
}


@pytest.mark.parametrize("addresses", ONE_NETWORK.values(), ids=ONE_NETWORK)
async def test_a_sweep_of_addresses_is_one_network(tmp_path: Path, addresses: tuple[str, ...]) -> None:
    """Each attempt differs in all that a client can choose: name, device, fingerprint, agent, address."""
    limits = {"joins_per_network": "3/hour"}
    async with running_server(settings_in(tmp_path, server=PROXY, limits=limits)) as server:
        rooms = [await open_room(server) for _ in range(2)]
        replies = [await attempt(rooms[number % 2], number, address) for number, address in enumerate(addresses)]
        assert [reply.status for reply in replies] == [201] * 3 + [429] * (len(addresses) - 3)
        assert (await attempt(rooms[0], 1_000, "192.0.2.1")).status == 201  # the control: a neighbour


async def attempt(room: OpenRoom, number: int, address: str) -> Reply:
    body = {
        "username": f"Guest {number}",
        "inviteToken": room.invite_token,
        "deviceId": f"device {number}",
        "fingerprintHash": f"fingerprint {number}",
    }
    headers = {"X-Forwarded-For": address, "User-Agent": f"Agent/{number}", "Cookie": f"visitor={number}"}
    return await request(room.server, "POST", f"/api/rooms/{room.id}/join", body, headers=headers)


async def test_who_connects_anew_has_the_limit_of_before(tmp_path: Path) -> None:
    """By another socket, beside the first or after it, and by another token of the same device."""
    async with running_server(settings_in(tmp_path, limits={"messages_per_session": "2/hour"})) as server:
        room = await open_room(server)
        async with room.enter("Ann", deviceId="a device") as ann, room.enter("Bob") as bob:
            assert [(await ann.say(text)).event for text in "ab"] == ["message_ack"] * 2
            joined = (await room.join("Ann", deviceId="a device")).body
            assert (joined["sessionId"], joined["sessionToken"] == ann.token) == (ann.session_id, False)
            for token in (ann.token, joined["sessionToken"]):
                again = await room.identify("Ann", ann.session_id, token)
                assert (await again.say("once more", clientMsgId=token[:8])).data["code"] == "rate_limited"
                await again.close()
            assert (await bob.say("I may")).event == "message_ack"  # the control


async def test_guesses_are_counted(tmp_path: Path) -> None:
    """A network that guesses tokens, invites or rooms is soon refused, whatever it asks for."""
    async with running_server(settings_in(tmp_path, limits={"requests_per_network": "8/hour"})) as server:
        room = await open_room(server)
        path = f"/api/rooms/{room.id}"
        guesses: Iterator[tuple[str, str, dict[str, Any] | None, str | None]] = itertools.cycle(
            [
                ("GET", f"{path}/messages", None, new_token()),
                ("POST", f"{path}/validate-invite", {"inviteToken": new_invite_token()}, None),
                ("GET", f"/api/rooms/{new_id()}", None, None),
                ("GET", f"/r/{new_id()}", None, None),
            ]
        )
        codes = []
        for method, address, body, token in itertools.islice(guesses, 20):
            codes.append((await request(server, method, address, body, token=token)).status)
        assert codes[:7] == [401, 403, 404, 404, 401, 403, 404]  # opening the room was the first request
        assert set(codes[7:]) == {429}


async def test_guesses_over_sockets_are_counted(tmp_path: Path) -> None:
    """With the others, in the handshake and after it; whoever has a token comes in all the same."""
    settings = settings_in(tmp_path, limits={"requests_per_network": "10/hour"})
    async with running_server(settings) as server:
        room = await open_room(server)
        token = (await room.join("Ann")).body["sessionToken"]
        codes = []
        for number in range(12):
            guess = new_token()
            async with connected(
                server.port, headers={"Authorization": f"Bearer {guess}"} if number % 2 else None
            ) as socket:
                if not number % 2:
                    await socket.send("identify", {"token": guess})
                codes.append((await socket.until("error"))["data"]["code"])
        assert codes == ["invalid_token"] * 8 + ["rate_limited"] * 4
        assert (await request(server, "GET", f"/api/rooms/{room.id}")).status == 429
        for _ in range(3):  # the control
            async with connected(server.port) as socket:
                await socket.send("identify", {"token": token})
                assert (await socket.until("identified"))["data"]["username"] == "Ann"


# --- what would have to be guessed


def test_secrets_have_bits_enough() -> None:
    """Session tokens 256, invites 144, room ids 122: none repeats, and nothing of one tells of another."""
    tokens, invites, rooms = ({make() for _ in range(2_000)} for make in (new_token, new_invite_token, new_id))
    assert {len(found) for found in (tokens, invites, rooms)} == {2_000}
    assert all(re.fullmatch(r"[0-9a-f]{64}", token) for token in tokens)
    assert all(re.fullmatch(r"[\w-]{24}", invite) for invite in invites)
    assert all(uuid.UUID(room).version == 4 for room in rooms)
    for found, places in ((tokens, range(64)), (invites, range(24)), (rooms, (0, 7, 9, 20, 35))):
        for place in places:
            assert len({text[place] for text in found}) >= 16, "a place that does not vary holds no secret"


async def test_secrets_are_stored_as_hashes_only(server: Server, tmp_path: Path) -> None:
    """So what is looked for in the database has no beginning in common with a guess, and timing tells nothing."""
    room = await open_room(server)
    session = (await room.join("Ann")).body["sessionToken"]
    for table, secrets in (("tokens", {session}), ("invites", {room.invite_token, room.moderator_token})):
        stored = {str(value) for (value,) in run_sql(tmp_path, f"SELECT token_hash FROM {table}")}
        assert stored == {hashlib.sha256(secret.encode()).hexdigest() for secret in secrets}
    assert token_hash(session[:-1] + "x")[:8] != token_hash(session)[:8]


async def test_the_operators_token_is_compared_in_constant_time(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """How long it takes cannot be measured on a busy machine, so it is asked for what compares."""
    compared = []
    compare = hmac.compare_digest

    def noting(one: bytes, other: bytes) -> bool:
        compared.append(one)
        return compare(one, other)

    monkeypatch.setattr(hmac, "compare_digest", noting)
    for guess in ("an-operator-token-of-2X", "x"):
        assert (await request(server, "GET", "/metrics", token=guess)).status == 403
    assert (await request(server, "GET", "/metrics", token="an-operator-token-of-24")).status == 200
    assert len(compared) == 3


# --- lists of rooms


async def test_rooms_that_are_not_public_cannot_be_listed(server: Server) -> None:
    hidden = await open_room(server, "Hidden")
    shown = [await open_room(server, f"Shown {number}", isPublic=True) for number in range(3)]
    cursors = [
        "",
        *(f"?cursor={cursor}" for cursor in ("0~", "9999999999999~", f"9999999999999~{hidden.id}", "x", "-1~x", "%00")),
    ]
    listed: set[str] = set()
    for query in cursors:
        reply = await request(server, "GET", f"/api/rooms{query}")
        assert reply.status in (200, 422)
        listed |= {room["roomId"] for room in reply.body.get("rooms", ())}
    assert listed == {room.id for room in shown}
    for part in (hidden.id[:-1], hidden.id[:8], "%25", "_" * 36, hidden.id.upper(), f"{hidden.id}%20", "..%2f"):
        reply = await request(server, "GET", f"/api/rooms/{part}")
        assert (reply.status, reply.body["code"]) in ((404, "room_not_found"), (404, "not_found")), part


async def test_a_search_for_people_stays_in_its_room(server: Server) -> None:
    one, other = await open_room(server), await open_room(server)
    token = (await one.join("Ann")).body["sessionToken"]
    await other.join("Hidden")
    for search in ("", "%25", "_", "hid", "%27%20OR%20%271%27=%271"):
        reply = await request(server, "GET", f"/api/rooms/{one.id}/participants?search={search}", token=token)
        assert {person["username"] for person in reply.body["participants"]} <= {"Ann"}
    reply = await request(server, "GET", f"/api/rooms/{one.id}/participants?search=an", token=token)
    assert reply.body["total"] == 1  # the control
