"""Who may do what to whom: each cell of ``roles.txt`` is tried on a running server, and all that is declared has a row."""

from __future__ import annotations

import asyncio
import itertools
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tornado.websocket import websocket_connect

from anonchat import Answer, Call, ClientEvent, Request, Route, Schema, hookimpl
from anonchat.app import Server
from anonchat.testing import running_server, settings_in
from anonchat.testing.people import OpenRoom, Person, open_room, request

from .lock_order import crossing, recorded

TABLE = (Path(__file__).parent / "roles.txt").read_text(encoding="utf-8")
OPERATOR = "an operator's token"
METHODS = ("get", "post", "put", "patch", "delete")
AT_ONCE = 8  # rows that are tried side by side

RANKS = ("participant", "promoted", "owner")
EVENT_ACTORS = ("stranger", "outsider", *RANKS)
ROUTE_ACTORS = (*EVENT_ACTORS, "operator")
CODES = {
    "who": {"not_identified"},
    "token": {"invalid_token"},
    "mod": {"not_moderator"},
    "rank": {"rank_too_low"},
    "here": {"forbidden"},
    "self": {"forbidden"},
    "none": {"message_not_found", "poll_not_found", "not_found", "pins.not_pinned"},
    "done": {"conflict"},
    "yes": {"yes"},
}
ROOM = "/api/rooms/{roomId}"
# After these nothing in the room is as it was before, so each cell has a room of its own.
FINAL = {"leave", "end_room", "rotate_moderator_token"}
FINAL |= {f"POST {ROOM}/{path}" for path in ("leave", "end", "rotate-moderator-token")}

pytestmark = pytest.mark.gen_test(timeout=60)


def section(name: str, table: str = TABLE) -> dict[str, list[str]]:
    """Act -> its outcomes, in the order of the columns."""
    lines = table.partition(f"[{name}]")[2].partition("\n[")[0].splitlines()[1:]
    rows = (line.split() for line in lines if line and not line.startswith("#"))
    words = 1 if name == "events" else 2
    return {" ".join(cells[:words]): cells[words:] for cells in rows}


# --- the people of a room


@dataclass
class World:
    """A room with somebody of each rank, and somebody from another room."""

    server: Server
    room: OpenRoom
    other: OpenRoom
    stack: AsyncExitStack
    invites: dict[str, str]
    people: dict[str, Person] = field(default_factory=dict)
    numbers: itertools.count[int] = field(default_factory=itertools.count)

    async def somebody(self, rank: str) -> Person:
        """One more person of that rank."""
        name = f"Person {next(self.numbers)}"
        token = {"moderatorToken" if rank == "owner" else "inviteToken": self.invites[rank]}
        joined = await request(self.server, "POST", f"/api/rooms/{self.room.id}/join", {"username": name, **token})
        assert joined.status == 201, joined.body
        person = await self.room.identify(name, joined.body["sessionId"], joined.body["sessionToken"])
        self.stack.push_async_callback(person.close)
        return person

    async def as_owner(self, event: str, **data: Any) -> Any:
        """What the owner is answered; an error, too."""
        return (await self.people["owner"].ask(event, data)).data

    async def said(self, person: Person | None = None) -> str:
        """The id of a message by somebody."""
        author = person or await self.somebody("participant")
        answer = await author.say("Something")
        assert answer.event == "message_ack", answer
        return str(answer.data["serverMessageId"])

    async def stranger(self) -> Person:
        """A socket that has not said who it is."""
        person = Person("Nobody", "", "", await websocket_connect(f"ws://127.0.0.1:{self.server.port}/ws"))
        self.stack.push_async_callback(person.close)
        return person

    def token_of(self, actor: str) -> str | None:
        """What stands in the header of a request."""
        if actor in self.people:
            return self.people[actor].token
        return OPERATOR if actor == "operator" else None


@asynccontextmanager
async def world_of(server: Server) -> AsyncIterator[World]:
    """A new room; whoever is in it goes at the end."""
    async with AsyncExitStack() as stack:
        room, other = await open_room(server), await open_room(server)
        world = World(server, room, other, stack, {"participant": room.invite_token, "owner": room.moderator_token})
        world.people["owner"] = await world.somebody("owner")
        invite = await request(
            server, "POST", f"/api/rooms/{room.id}/invites", {"role": "moderator"}, token=world.token_of("owner")
        )
        world.invites["promoted"] = invite.body["inviteToken"]
        for rank in ("participant", "promoted"):
            world.people[rank] = await world.somebody(rank)
        world.people["outsider"] = await stack.enter_async_context(other.enter("Eve", moderator=True))
        yield world


# --- what each act needs: data of the event, or what stands in the path and body of the request


async def ban(world: World, by: str) -> Mapping[str, Any]:
    target = await world.somebody("participant")
    banned = await world.people[by].ask("ban", {"targetSessionId": target.session_id})
    return {"banId": banned.data["banId"]}


async def message(world: World, actor: str) -> Mapping[str, Any]:
    return {"messageId": await world.said()}


async def pin(world: World, actor: str) -> Mapping[str, Any]:
    message_id = await world.said()
    await world.as_owner("pin_message", messageId=message_id)
    return {"messageId": message_id}


async def report(world: World, actor: str) -> Mapping[str, Any]:
    await world.people["participant"].ask("report_message", {"messageId": await world.said(), "reason": "Rude"})
    return {"reportId": (await world.as_owner("get_reports"))["reports"][0]["reportId"]}


async def notification(world: World, actor: str) -> Mapping[str, Any]:
    """One for the actor, or for the participant where the actor is of another room."""
    reader = world.people[actor if actor in RANKS else "participant"]
    await (await world.somebody("participant")).say(f"@{reader.username} hello")
    inbox = await reader.ask("get_notifications")
    return {"notificationId": inbox.data["notifications"][0]["id"]}


async def poll(world: World, actor: str) -> Mapping[str, Any]:
    made = await world.as_owner("create_poll", question="Tea?", options=["Yes", "No"])
    return {"pollId": made["pollId"]}


async def vote(world: World, actor: str) -> Mapping[str, Any]:
    return {**await poll(world, actor), "optionId": "1"}


async def voted(world: World, actor: str) -> Mapping[str, Any]:
    data = await vote(world, actor)
    await world.people[actor].ask("vote", data)
    return data


async def held(world: World, actor: str) -> Mapping[str, Any]:
    await world.as_owner("set_moderation", rules={"words": {"action": "hold", "words": ["quagga"]}})
    answer = await (await world.somebody("participant")).say("A quagga")
    return {"messageId": answer.data["messageId"]}


async def opened(world: World, actor: str) -> Mapping[str, Any]:
    await world.as_owner("reopen_room")
    return {}


async def closed(world: World, actor: str) -> Mapping[str, Any]:
    await world.as_owner("close_room")
    return {}


async def invite(world: World, actor: str, role: str = "participant") -> Mapping[str, Any]:
    path = f"/api/rooms/{world.room.id}/invites"
    made = await request(world.server, "POST", path, {"role": role}, token=world.token_of("owner"))
    return {"inviteId": made.body["inviteId"]}


async def owners_invite(world: World, actor: str) -> Mapping[str, Any]:
    """The moderator link that the room was made with, or its successor."""
    await world.server.invites.rotate_owner(world.room.id)
    (found,) = [invite for invite in await world.server.invites.all(world.room.id) if invite.rank == 2]
    return {"inviteId": found.id}


def given(**data: Any) -> Callable[[World, str], Awaitable[Mapping[str, Any]]]:
    """Data that is the same for everybody."""

    async def give(world: World, actor: str) -> Mapping[str, Any]:
        return data

    return give


async def entry(world: World, actor: str) -> Mapping[str, Any]:
    return {"inviteToken": world.room.invite_token}


async def joining(world: World, actor: str) -> Mapping[str, Any]:
    return {"username": f"Guest {next(world.numbers)}", "inviteToken": world.room.invite_token}


NEEDS: Mapping[str, Callable[[World, str], Awaitable[Mapping[str, Any]]]] = {
    "send_message": given(text="Hello", clientMsgId="once"),
    "typing": given(typing=True),
    "unban/of-a-promoted": lambda world, _: ban(world, "promoted"),
    "unban/of-an-owner": lambda world, _: ban(world, "owner"),
    "close_room": opened,
    "reopen_room": closed,
    "resolve_report": report,
    "set_moderation": given(slowModeSeconds=5),
    "release_message": held,
    "drop_message": held,
    "mark_notification_read": notification,
    "set_notification_preferences": given(types={}),
    "pin_message": message,
    "unpin_message": pin,
    "create_poll": given(question="Coffee?", options=["Yes", "No"]),
    "vote": vote,
    "unvote": voted,
    "close_poll": poll,
    "get_poll_results": poll,
    "POST /api/rooms": given(title="A room"),
    f"POST {ROOM}/validate-invite": entry,
    f"POST {ROOM}/join": joining,
    f"POST {ROOM}/invites/of-a-moderator": given(role="moderator"),
    f"DELETE {ROOM}/invites/{{inviteId}}": invite,
    f"DELETE {ROOM}/invites/{{inviteId}}/of-a-moderator": lambda world, actor: invite(world, actor, "moderator"),
    f"DELETE {ROOM}/invites/{{inviteId}}/of-an-owner": owners_invite,
    "GET /api/analytics/series": given(metric="messages"),
    f"DELETE {ROOM}/bans/{{banId}}": lambda world, _: ban(world, "promoted"),
    f"POST {ROOM}/close": opened,
    f"POST {ROOM}/reopen": closed,
    f"POST {ROOM}/reports/{{reportId}}/resolve": report,
    f"PATCH {ROOM}/moderation": given(slowModeSeconds=5),
    f"POST {ROOM}/held-messages/{{messageId}}/release": held,
    f"DELETE {ROOM}/held-messages/{{messageId}}": held,
    f"POST {ROOM}/notifications/{{notificationId}}/read": notification,
    f"GET {ROOM}/polls/{{pollId}}/export": poll,
}
NOTHING = given()


# --- trying


async def by_event(world: World, actor: str, event: str, data: Mapping[str, Any]) -> str:
    """Send an event; "yes", or the code of the error."""
    person = world.people.get(actor) or await world.stranger()
    frame = await person.send(event, data)
    if event == "typing" and actor != "stranger":  # what has no answer but an error is followed by what has one
        frame = await person.send("heartbeat")
    heard = await person.answer(frame)
    return str(heard.data["code"]) if heard.event == "error" else "yes"


async def by_route(world: World, actor: str, route: str, data: Mapping[str, Any]) -> str:
    """Make a request: `data` fills the path, the rest is query or body. "yes", or the code of the error."""
    method, path = route.split()
    named = set(re.findall(r"\{(\w+)\}", path))
    rest = {name: value for name, value in data.items() if name not in named}
    target = path.format(**{"roomId": world.room.id, **data})
    if method == "GET" and rest:
        target += "?" + "&".join(f"{name}={value}" for name, value in rest.items())
    reply = await request(
        world.server, method, target, rest if method in ("POST", "PATCH") else None, token=world.token_of(actor)
    )
    return "yes" if reply.status < 300 else str(reply.body["code"])


async def row(server: Server, act: str, outcomes: Mapping[str, str]) -> list[str]:
    """Try one act as everybody; what came out otherwise than it says there."""
    wrong = []
    async with AsyncExitStack() as stack:
        world = None
        for actor, outcome in outcomes.items():
            if world is None or act in FINAL:
                world = await stack.enter_async_context(world_of(server))
            data = {} if actor == "stranger" and " " not in act else await NEEDS.get(act, NOTHING)(world, actor)
            name = act.partition("/of-")[0]
            tried = await (by_route if " " in act else by_event)(world, actor, name, data)
            if tried not in CODES[outcome]:
                wrong.append(f"{act} as {actor}: {outcome} is expected, and it is {tried}")
    return wrong


async def row_on_people(server: Server, act: str, outcomes: list[str]) -> list[str]:
    """Try one act on a person of each rank as everybody, and on oneself: by event, and by its route."""
    event, path = act.split()
    actors = ("outsider", *RANKS)
    cells = [*itertools.product(actors, RANKS), *((rank, "oneself") for rank in RANKS)]
    wrong = []
    async with world_of(server) as world:
        for (actor, on), outcome in zip(cells, outcomes, strict=True):
            for way in ("event", *(["route"] if path != "-" else [])):
                target = world.people[actor] if on == "oneself" else await world.somebody(on)
                data = await person_data(world, event, target)
                if way == "event":
                    tried = await by_event(world, actor, event, data)
                else:
                    room_id = world.other.id if actor == "outsider" else world.room.id
                    tried = await by_route(world, actor, f"POST {ROOM}{path}", {"roomId": room_id, **data})
                if tried not in CODES[outcome]:
                    wrong.append(f"{event} by {way} as {actor} on {on}: {outcome} is expected, and it is {tried}")
    return wrong


async def person_data(world: World, event: str, target: Person) -> dict[str, Any]:
    """What the act takes to concern that person."""
    if event in ("edit_message", "delete_message", "report_message"):
        extra = {"edit_message": {"text": "Else"}, "report_message": {"reason": "Rude"}}
        return {"messageId": await world.said(target), **extra.get(event, {})}
    if event == "unmute":
        await world.as_owner("mute", targetSessionId=target.session_id)
    if event == "purge_messages":
        await world.said(target)
    return {"targetSessionId": target.session_id}


async def all_rows(rows: Iterable[Awaitable[list[str]]]) -> list[str]:
    """Several side by side, since each mostly waits for the disk."""
    turns = asyncio.Semaphore(AT_ONCE)

    async def one(work: Awaitable[list[str]]) -> list[str]:
        async with turns:
            return await work

    return list(itertools.chain.from_iterable(await asyncio.gather(*map(one, rows))))


# --- the tests


@pytest.fixture
async def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Server]:
    """Return a server with all bundled plugins, of which every transaction must lock rooms before all else."""
    # All of them come from one address, which a ban would keep out.
    options = {"moderation": {"ban_networks": False}}
    settings = settings_in(
        tmp_path, server={"port": 0, "operator_token": OPERATOR}, plugins={"enabled": None, "options": options}
    )
    with recorded(monkeypatch) as orders:
        async with running_server(settings) as running:
            yield running
    assert crossing(orders) == set()


async def routes_of(server: Server) -> set[str]:
    """Every route that the server documents."""
    paths = (await request(server, "GET", "/api/openapi.json")).body["paths"]
    return {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods if method in METHODS}


def missing(declared_events: Iterable[str], declared_routes: Iterable[str]) -> tuple[set[str], set[str]]:
    """What is declared and has no row, and what has one and is not declared."""
    people = [act.split() for act in section("people")]
    events = {event.partition("/of-")[0] for event in section("events")} | {event for event, _ in people}
    tried = {route.partition("/of-")[0] for route in section("routes")}
    routes = {*tried, *(f"POST {ROOM}{path}" for _, path in people if path != "-")}
    declared = {*declared_events, *declared_routes}
    return declared - events - routes, (events | routes) - declared


async def test_every_event_and_route_has_a_row(server: Server) -> None:
    assert missing(server.events.client_events(), await routes_of(server)) == (set(), set())


async def test_a_new_event_and_a_new_route_without_a_row_are_noticed(tmp_path: Path) -> None:
    class Weather:
        @hookimpl
        def register_client_events(self) -> list[ClientEvent]:
            return [ClientEvent("weather.ask", Schema(), self.ask)]

        @hookimpl
        def register_routes(self) -> list[Route]:
            return [Route("GET", "/api/weather", self.read)]

        async def ask(self, call: Call) -> None:
            """Nobody asks."""

        async def read(self, asked: Request) -> Answer:
            return Answer({})

    async with running_server(settings_in(tmp_path), plugins={"weather": Weather()}) as server:
        unknown, _ = missing(server.events.client_events(), await routes_of(server))
    assert unknown == {"weather.ask", "GET /api/weather"}


async def test_events(server: Server) -> None:
    rows = section("events").items()
    assert await all_rows(row(server, act, dict(zip(EVENT_ACTORS, cells, strict=True))) for act, cells in rows) == []


async def test_routes(server: Server) -> None:
    rows = section("routes").items()
    assert await all_rows(row(server, act, dict(zip(ROUTE_ACTORS, cells, strict=True))) for act, cells in rows) == []


async def test_acts_on_people(server: Server) -> None:
    assert await all_rows(row_on_people(server, act, cells) for act, cells in section("people").items()) == []


async def test_a_cell_that_is_wrong_is_noticed(server: Server) -> None:
    """The control."""
    assert await row(server, "get_bans", {"participant": "yes", "owner": "yes"}) == [
        "get_bans as participant: yes is expected, and it is not_moderator"
    ]
    outcomes = section("people")["kick /kick"]
    assert len(await row_on_people(server, "kick -", [*outcomes[:6], "rank", *outcomes[7:]])) == 1
