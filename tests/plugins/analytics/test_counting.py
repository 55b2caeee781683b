"""What is counted: everything that is promised, once, in its hour and its day."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from anonchat.testing.people import open_room, request
from anonchat_analytics.tally import SERVER, Attendance, Tally

if TYPE_CHECKING:
    from tests.plugins.analytics.conftest import Analytics

pytestmark = pytest.mark.gen_test

HOUR = 3600.0


async def test_rooms_joins_and_messages(analytics: Analytics) -> None:
    async with analytics.server() as server:
        rooms = [await open_room(server) for _ in range(3)]
        async with rooms[0].enter("Alice") as alice, rooms[1].enter("Bob") as bob:
            for person in (alice, alice, bob):
                await person.say("Hello")
            counted = await analytics.counts(server)
    assert counted == {"rooms_created": 3, "joins": 2, "messages": 3, "peak_participants": 2}


async def test_a_repeated_send_is_one_message(analytics: Analytics) -> None:
    async with analytics.server() as server, (await open_room(server)).enter("Alice") as alice:
        for _ in range(2):
            await alice.ask("send_message", {"text": "Hello", "clientMsgId": "once"})
        assert (await analytics.counts(server))["messages"] == 1


async def test_failed_authentications_at_both_doors(analytics: Analytics) -> None:
    async with analytics.server() as server:
        room = await open_room(server)
        await request(server, "GET", f"/api/rooms/{room.id}/messages", token="made up")
        wrong = await request(
            server, "POST", f"/api/rooms/{room.id}/join", {"username": "Eve", "inviteToken": "made up"}
        )
        stranger = await room.identify("Eve", "nobody", "made up")
        await stranger.close()
        assert wrong.status == 403
        assert (await analytics.counts(server))["failed_authentications"] == 3


async def test_limits_that_were_hit(analytics: Analytics) -> None:
    tables = {"limits": {"messages_per_session": "2/minute"}}
    async with analytics.server(tables=tables) as server, (await open_room(server)).enter("Alice") as alice:
        answers = [(await alice.say("Hello")).data.get("code") for _ in range(5)]
        assert answers == [None, None, *["rate_limited"] * 3]
        assert (await analytics.counts(server))["limits_hit"] == 3


async def test_the_work_of_retention(analytics: Analytics) -> None:
    async with analytics.server() as server:
        room = await open_room(server, retentionSeconds=60)
        async with room.enter("Alice") as alice:
            for _ in range(4):
                await alice.say("Hello")
        analytics.clock.advance(120)
        await server.retention.run()
        counted = await analytics.counts(server)
    assert (counted["retention_runs"], counted["retention_messages"]) == (1, 4)


async def test_current_participants_and_their_peak(analytics: Analytics) -> None:
    async def seen(server: Any) -> tuple[int, int]:
        body = (await analytics.read(server, "summary")).body
        return body["participants"]["value"], values_of(body["hour"])["peak_participants"]

    def values_of(period: Any) -> dict[str, int]:
        return {metric: count["value"] for metric, count in period["counts"].items()}

    async with analytics.server() as server:
        first, second = await open_room(server), await open_room(server)
        async with first.enter("Alice") as alice, second.enter("Bob") as bob, second.enter("Carol"):
            assert await seen(server) == (3, 3)
            for person in (alice, bob):
                await person.ask("leave")
            assert await seen(server) == (1, 3)
            analytics.clock.advance(HOUR)
            assert await seen(server) == (1, 1), "the next hour begins with those who are there"
            await server.retention.end(second.id, "test")
            assert (await analytics.read(server, "summary")).body["participants"]["value"] == 0
            assert (await analytics.counts(server, "day"))["peak_participants"] == 3


async def test_the_server_counts_people_of_its_node_and_a_room_all_of_its_own() -> None:
    tally = Tally(100)
    attendance = Attendance(tally)
    attendance.changed(0, "room", 5, 2)
    attendance.changed(0, "other", 3, 0)
    attendance.changed(0, "room", 4, 1)
    assert (attendance.total, attendance.peak, attendance.of("room"), attendance.of("other")) == (1, 2, 4, 3)
    peaks = {room: count for (room, metric, _), count in tally.take(100).items() if metric == "peak_participants"}
    assert peaks == {SERVER: 2, "room": 5, "other": 3}
    attendance.changed(0, "room", 0, 0)
    assert (attendance.total, attendance.of("room")) == (0, 0)


async def test_hours_and_days(analytics: Analytics) -> None:
    async with analytics.server() as server, (await open_room(server)).enter("Alice") as alice:
        for pause in (HOUR, 20 * HOUR, HOUR):
            await alice.say("Hello")
            await server.dispatcher.settle()
            analytics.clock.advance(pause)
        await alice.say("Good morning")
        periods = [(await analytics.counts(server, period))["messages"] for period in ("hour", "day", "kept")]
        assert periods == [1, 2, 4]
        hours = (await analytics.read(server, "series?metric=messages&from=2027-01-15&to=2027-01-17")).body["points"]
        days = (await analytics.read(server, "series?metric=messages&step=day&from=2027-01-15&to=2027-01-17")).body
    assert [(hour["start"][:13], hour["value"]) for hour in hours if hour["value"]] == [
        (f"2027-01-{hour}", 1) for hour in ("15T08", "15T09", "16T05", "16T06")
    ]
    assert [(day["start"][:10], day["value"]) for day in days["points"]] == [("2027-01-15", 2), ("2027-01-16", 2)]


async def test_a_room_counts_for_itself_and_is_counted_with_the_server(analytics: Analytics) -> None:
    async with analytics.server() as server:
        rooms = [await open_room(server) for _ in range(2)]
        seen = []
        async with rooms[0].enter("Alice", moderator=True) as alice, rooms[1].enter("Bob", moderator=True) as bob:
            for person in (alice, alice, bob):
                await person.say("Hello")
            for room, person in zip(rooms, (alice, bob), strict=True):
                seen.append((await analytics.read(server, f"rooms/{room.id}", person.token)).body)
        assert (await analytics.counts(server))["messages"] == 3
    assert [body["kept"]["counts"]["messages"]["value"] for body in seen] == [2, 1]
    assert all(body["participants"]["value"] == 1 for body in seen)
    assert all(body["day"]["counts"]["peak_participants"]["value"] == 1 for body in seen)
    assert all(body["hours"][-1] == body["hour"] for body in seen)


async def test_the_hours_of_a_room(analytics: Analytics) -> None:
    async with analytics.server() as server:
        room = await open_room(server)
        async with room.enter("Alice", moderator=True) as alice:
            for count in (3, 0, 1):
                for _ in range(count):
                    await alice.say("Hello")
                await server.dispatcher.settle()
                analytics.clock.advance(HOUR)
            body = (await analytics.read(server, f"rooms/{room.id}", alice.token)).body
    assert [hour["counts"]["messages"]["value"] for hour in body["hours"]] == [*[0] * 20, 3, 0, 1, 0]
    assert body["hours"][0]["since"] == "2027-01-14T12:00:00.000Z"
