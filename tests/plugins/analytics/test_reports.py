"""Who may read what, what a client can rely on, and what is refused."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from anonchat.testing.contract import Contract
from anonchat.testing.people import open_room, request

if TYPE_CHECKING:
    from tests.plugins.analytics.conftest import Analytics

pytestmark = pytest.mark.gen_test

SUMMARY, SERIES = "summary", "series?metric=messages"


@pytest.mark.parametrize("path", [SUMMARY, SERIES])
async def test_what_the_whole_server_did_is_for_the_operator(analytics: Analytics, path: str) -> None:
    async with analytics.server() as server:
        async with (await open_room(server)).enter("Alice", moderator=True) as alice:
            refused = [await analytics.read(server, path, token) for token in (alice.token, "made up", "")]
        allowed = await analytics.read(server, path)
    told = [(reply.status, reply.body["code"]) for reply in refused]
    assert told == [(403, "forbidden"), (403, "forbidden"), (401, "not_identified")]
    assert allowed.status == 200


async def test_what_a_room_did_is_for_its_own_moderators(analytics: Analytics) -> None:
    async with analytics.server() as server:
        room, other = await open_room(server), await open_room(server)
        path = f"rooms/{room.id}"
        async with (
            room.enter("Alice", moderator=True) as alice,
            room.enter("Bob") as bob,
            other.enter("Eve", moderator=True) as eve,
        ):
            tokens = (alice.token, bob.token, eve.token, "made up", "")
            replies = [await analytics.read(server, path, token) for token in tokens]
    assert [(reply.status, reply.body.get("code")) for reply in replies] == [
        (200, None), (403, "not_moderator"), (403, "forbidden"), (401, "invalid_token"), (401, "not_identified"),
    ]  # fmt: skip


async def test_answers_are_as_the_documents_say(analytics: Analytics) -> None:
    async with analytics.server() as server:
        contract = await asyncio.to_thread(Contract.of, server.url)
        room = await open_room(server)
        async with room.enter("Alice", moderator=True) as alice:
            await alice.say("Hello")
            tokens = {f"rooms/{room.id}": alice.token}
            for path in (SUMMARY, SERIES, *tokens):
                reply = await request(
                    server, "GET", f"/api/analytics/{path}", token=tokens.get(path, "an operator's token")
                )
                contract.check_answer("GET", f"/api/analytics/{path}", reply.status, reply.body, "application/json")
    assert len(contract.seen) == 3


async def test_a_series_has_a_point_for_each_step(analytics: Analytics) -> None:
    async with analytics.server() as server:
        body = (await analytics.read(server, f"{SERIES}&from=2027-01-14T07:59:59Z&to=2027-01-15T08:00:01Z")).body
        assert (body["metric"], body["step"]) == ("messages", "hour")
        assert (body["from"], body["to"]) == ("2027-01-14T07:00:00.000Z", "2027-01-15T09:00:00.000Z")
        starts = [point["start"] for point in body["points"]]
        assert (len(starts), starts[0], starts[-1]) == (26, body["from"], "2027-01-15T08:00:00.000Z")
        assert {(point["value"], point["below"]) for point in body["points"]} == {(0, 1)}, "empty steps are told as 0"


@pytest.mark.parametrize(("step", "points"), [("hour", 24), ("day", 30)])
async def test_without_times_a_series_ends_now(analytics: Analytics, step: str, points: int) -> None:
    async with analytics.server() as server:
        body = (await analytics.read(server, f"{SERIES}&step={step}")).body
    assert len(body["points"]) == points
    assert body["points"][-1]["start"] == {"hour": "2027-01-15T08:00:00.000Z", "day": "2027-01-15T00:00:00.000Z"}[step]


async def test_times_may_stand_in_another_zone(analytics: Analytics) -> None:
    async with analytics.server() as server:
        body = (
            await analytics.read(server, f"{SERIES}&from=2027-01-15T00:00%2B05:30&to=2027-01-15T01:00%2B05:30")
        ).body
    assert (body["from"], body["to"]) == ("2027-01-14T18:00:00.000Z", "2027-01-14T20:00:00.000Z")


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("", "metric"),
        ("metric=secrets", "metric"),
        ("metric=messages&step=minute", "step"),
        ("metric=messages&from=yesterday", "from"),
        ("metric=messages&to=1800000000000", "to"),
        ("metric=messages&from=0001-01-01T00:00:00Z", "from"),
        ("metric=messages&to=9999-12-31T23:59:59Z", "to"),
        ("metric=messages&from=2027-01-15T08:00:00Z&to=2027-01-15T08:00:00Z", "from"),
        ("metric=messages&from=2027-01-16", "from"),
        ("metric=messages&room=1", "room"),
    ],
)
async def test_a_query_that_makes_no_sense(analytics: Analytics, query: str, field: str) -> None:
    async with analytics.server() as server:
        reply = await analytics.read(server, f"series?{query}")
    assert (reply.status, reply.body["code"]) == (422, "validation_failed")
    assert list(reply.body["errors"]) == [field]


@pytest.mark.parametrize(
    ("begin", "end", "status"), [("2026-12-05", "2027-01-15T16:00", 200), ("2026-12-05", "2027-01-15T16:01", 422)]
)
async def test_a_series_has_at_most_a_thousand_points(analytics: Analytics, begin: str, end: str, status: int) -> None:
    async with analytics.server() as server:
        reply = await analytics.read(server, f"{SERIES}&from={begin}&to={end}")
    assert reply.status == status
    assert len(reply.body["points"]) == 1000 if status == 200 else reply.body["code"] == "analytics.too_many_points"
