"""Who may do what to whom: each cell of ``roles.txt`` is tried on a running server, and all that is declared has a row."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Iterable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from anonchat import Answer, Call, ClientEvent, Request, Route, Schema, hookimpl
from anonchat.app import Server
from anonchat.testing import running_server, settings_in

from .acts import CODES, NEEDS, NOTHING, ROOM, by_event, by_route, person_data, routes_of, section
from .lock_order import crossing, recorded
from .world import OPERATOR, RANKS, world_of

AT_ONCE = 8  # rows that are tried side by side

EVENT_ACTORS = ("stranger", "outsider", *RANKS)
ROUTE_ACTORS = (*EVENT_ACTORS, "operator")
# After these nothing in the room is as it was before, so each cell has a room of its own.
FINAL = {"leave", "end_room", "rotate_moderator_token"}
FINAL |= {f"POST {ROOM}/{path}" for path in ("leave", "end", "rotate-moderator-token")}

pytestmark = pytest.mark.gen_test


# --- trying


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
