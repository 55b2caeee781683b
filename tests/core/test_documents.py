"""The documents of the API are valid, and leave out nothing that is declared."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from anonchat.app import Server
from anonchat.testing import running_server, settings_in
from anonchat.testing.clients import Rest, connected
from anonchat.testing.contract import Contract

# Answered with something else than JSON, or with a document that has a definition of its own.
WITHOUT_SCHEMA = {
    "/metrics",
    "/privacy",
    "/api/docs",
    "/api/openapi.json",
    "/api/asyncapi.json",
    "/api/rooms/{roomId}/polls/{pollId}/export",
}


@pytest.fixture(params=[(), None], ids=["core alone", "bundled plugins"])
async def server(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Server]:
    async with running_server(settings_in(tmp_path, plugins={"enabled": request.param})) as running:
        yield running


async def document(server: Server, name: str) -> dict[str, Any]:
    found: dict[str, Any] = (await Rest(server.port).acall("GET", f"/api/{name}.json")).body
    return found


@pytest.mark.gen_test
async def test_openapi_is_valid_and_tells_every_route(server: Server) -> None:
    openapi = await document(server, "openapi")
    validate(openapi)
    for path, operations in openapi["paths"].items():
        for method, operation in operations.items():
            if method == "parameters":
                continue
            success = next(answer for status, answer in operation["responses"].items() if status != "default")
            assert ("application/json" in success["content"]) == (path not in WITHOUT_SCHEMA), path
            assert operation["summary"], path
            assert "requestBody" not in operation or method in ("post", "patch"), path


@pytest.mark.gen_test
async def test_asyncapi_tells_every_declared_event(server: Server) -> None:
    asyncapi = await document(server, "asyncapi")
    messages, schemas = asyncapi["components"]["messages"], asyncapi["components"]["schemas"]
    events = server.events
    declared = {f"client.{name}" for name in events.client_events()} | {
        f"server.{name}" for name in events.server_events()
    }
    assert set(messages) == declared | {"client.identify"}
    assert set(asyncapi["channels"]["room"]["messages"]) == set(messages)
    told = [
        reference["$ref"].rpartition("/")[2] for way in asyncapi["operations"].values() for reference in way["messages"]
    ]
    assert sorted(told) == sorted(messages)
    for message in messages.values():
        data = message["payload"]["properties"]["data"]
        assert data["$ref"].rpartition("/")[2] in schemas
        Draft202012Validator.check_schema(message["payload"])


@pytest.mark.gen_test
async def test_the_contract_notices_what_is_not_declared(server: Server) -> None:
    contract = Contract(await document(server, "openapi"), await document(server, "asyncapi"))
    good = {"event": "left", "data": {}}
    contract.check_event(good)
    for breach in (
        {"event": "gone", "data": {}},
        {"event": "resync", "data": {"reason": 1}},
        {"event": "typing", "data": {}},
    ):
        with pytest.raises(Exception, match=r"declared|not of type|required"):
            contract.check_event(breach)
    with pytest.raises(Exception, match="Additional properties"):
        contract.check_event({"event": "resync", "data": {"reason": "x", "more": 1}})
    with pytest.raises(Exception, match="required"):
        contract.check_answer("GET", "/api/rooms", 200, {"rooms": []}, "application/json")


@pytest.mark.gen_test
async def test_the_page_names_routes_events_and_codes(server: Server) -> None:
    page = (await Rest(server.port).acall("GET", "/api/docs")).body.replace("<wbr>", "")
    for name in ("/api/rooms/{roomId}/join", "send_message", "history_chunk", "room_ended"):
        assert name in page


@pytest.mark.gen_test
async def test_the_page_of_a_room_tells_people_how_long_things_live(server: Server) -> None:
    rest = Rest(server.port)
    body = {"title": "<b>Lunch</b>", "chatDurationSeconds": 7_200, "retentionSeconds": 3_600, "description": "<i>"}
    room = (await rest.acall("POST", "/api/rooms", body)).body["roomId"]
    page = (await rest.acall("GET", f"/r/{room}")).body
    for text in ("&lt;b&gt;Lunch", "&lt;i&gt;", "This room ends on", "deleted 1 hour after it was sent"):
        assert text in page


@pytest.mark.gen_test
async def test_what_plugins_and_the_shutdown_cause_is_told_as_declared(tmp_path: Path) -> None:
    async with running_server(settings_in(tmp_path)) as server:
        contract = Contract(await document(server, "openapi"), await document(server, "asyncapi"))
        rest = Rest(server.port)
        made = (await rest.acall("POST", "/api/rooms", {"title": "Room"})).body
        body = {"inviteToken": made["inviteToken"], "username": "Alice"}
        session = (await rest.acall("POST", f"/api/rooms/{made['roomId']}/join", body)).body
        async with connected(server.port, contract=contract) as socket:
            await socket.send("identify", {"token": session["sessionToken"]})
            await socket.until("history_chunk")
            room = await server.rooms.find(made["roomId"])
            await server.rooms.update(room, {"title": "Another"})
            await server.rooms.close(room.id, "Mo")
            await server.rooms.reopen(room.id)
            for event in ("room_updated", "room_closed", "room_updated"):
                await socket.until(event)
            stopping = asyncio.ensure_future(server.stop())
            await socket.until("going_away")
            assert await socket.ended() == 1001
            await stopping


@pytest.mark.gen_test
async def test_the_page_of_a_room_tells_the_grace_before_joining(tmp_path: Path) -> None:
    async with running_server(settings_in(tmp_path, rooms={"purge_grace_seconds": 7200})) as server:
        rest = Rest(server.port)
        room = (await rest.acall("POST", "/api/rooms", {"title": "Room"})).body["roomId"]
        assert "is deleted 2 hours later" in (await rest.acall("GET", f"/r/{room}")).body
        assert (await rest.acall("GET", f"/api/rooms/{room}")).body["purgeGraceSeconds"] == 7200
