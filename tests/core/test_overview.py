"""What the operator sees of all rooms: numbers, page by page, and no way into a room that is not public."""

from __future__ import annotations

from pathlib import Path

import pytest

from anonchat.app import Server
from anonchat.testing import running_server, settings_in
from anonchat.testing.clocks import SettableClock
from anonchat.testing.people import OpenRoom, open_room, request

TOKEN = "x" * 32


async def some_rooms(server: Server, clock: SettableClock) -> list[OpenRoom]:
    """Seven rooms, of which three each begin in the same millisecond; the last is public."""
    rooms = []
    for number in range(7):
        if number % 3 == 0:
            clock.advance(1)
        rooms.append(await open_room(server, f"Room {number}", isPublic=number == 6))
    return rooms


@pytest.mark.parametrize("limit", [1, 2, 5, 7])
@pytest.mark.gen_test
async def test_every_room_is_told_once_and_no_answer_leads_into_one(tmp_path: Path, limit: int) -> None:
    clock = SettableClock()
    async with running_server(settings_in(tmp_path, server={"operator_token": TOKEN}), clock) as server:
        rooms = await some_rooms(server, clock)
        async with rooms[3].enter("Ann") as ann:
            await ann.say("hello")
            told, answers, cursor = [], "", ""
            while True:
                reply = await request(server, "GET", f"/api/operator/rooms?limit={limit}{cursor}", token=TOKEN)
                answers += str(reply.body)
                told += reply.body["rooms"]
                if (following := reply.body["nextCursor"]) is None:
                    break
                cursor = f"&cursor={following}"
    assert len(told) == reply.body["total"] == len(rooms)
    assert [room["createdAt"] for room in told] == sorted((room["createdAt"] for room in told), reverse=True)
    assert [room["title"] for room in told if room["title"]] == ["Room 6"]
    assert sorted((room["messages"], room["actualParticipants"]) for room in told) == [(0, 0)] * 6 + [(1, 1)]
    assert [room.id for room in rooms if room.id in answers] == []


@pytest.mark.gen_test
async def test_the_operator_ends_a_room_that_should_not_be_there(tmp_path: Path) -> None:
    async with running_server(settings_in(tmp_path, server={"operator_token": TOKEN})) as server:
        room = await open_room(server)
        path = f"/api/operator/rooms/{room.id}/end"
        async with room.enter("Ann", moderator=True) as ann:
            await ann.say("hello")
            assert (await request(server, "POST", path, token=ann.token)).body["code"] == "forbidden"
            assert (await request(server, "POST", path, token=TOKEN)).body == {"ok": True}
            ended = await ann.hear("room_ended")
            assert (ended.data["reason"], ended.data["deleted"]["messages"]) == ("operator", 1)
        again = await request(server, "POST", path, token=TOKEN)
        assert (again.status, again.body["code"]) == (410, "room_ended")
        unknown = await request(server, "POST", path.replace(room.id, "unknown"), token=TOKEN)
        assert (unknown.status, unknown.body["code"]) == (404, "room_not_found")


@pytest.mark.parametrize("cursor", ["x", "1~x", "~", "1~99999999999999999999"])
@pytest.mark.gen_test
async def test_what_is_no_cursor_is_told(tmp_path: Path, cursor: str) -> None:
    async with running_server(settings_in(tmp_path, server={"operator_token": TOKEN})) as server:
        reply = await request(server, "GET", f"/api/operator/rooms?cursor={cursor}", token=TOKEN)
    assert (reply.status, reply.body["code"]) == (422, "validation_failed")
