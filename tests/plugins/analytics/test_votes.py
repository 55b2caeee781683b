"""Votes are counted once each, and those of a secret poll not before its close."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import pytest

from anonchat.app import Server
from anonchat.testing.people import Person, open_room

if TYPE_CHECKING:
    from tests.plugins.analytics.conftest import Analytics

pytestmark = pytest.mark.gen_test

OF_THE_MACHINE = ("process_", "anonchat_tasks")  # what the process uses, which moves all the time


async def open_poll(moderator: Person, secrecy: str) -> tuple[str, list[str]]:
    """A poll that is open; its id and those of its options."""
    asked = {"question": "Tea?", "options": ["Yes", "No"], "secrecy": secrecy}
    await moderator.ask("create_poll", asked)
    content = (await moderator.hear("message")).data["content"]
    return content["pollId"], [option["id"] for option in content["options"]]


async def told(analytics: Analytics, server: Server, moderator: Person, least: int) -> int:
    """The votes that were counted, once there are so many: of votes others are told twice a second at most."""
    counted = 0
    for _ in range(50):
        analytics.clock.advance(1)
        counted = (await analytics.counts(server)).get("votes", 0)
        if counted >= least:
            break
        await moderator.hear("poll_update")
    return counted


async def test_each_vote_is_counted_once(analytics: Analytics) -> None:
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(analytics.server(others=("polls",)))
        room = await open_room(server)
        people = [await stack.enter_async_context(room.enter(f"Guest {n}", moderator=n == 0)) for n in range(3)]
        poll, options = await open_poll(people[0], "open")
        for person in people:
            await person.ask("vote", {"pollId": poll, "optionId": options[0]})
        assert await told(analytics, server, people[0], 3) == 3
        await people[1].ask("vote", {"pollId": poll, "optionId": options[1]})
        await people[0].ask("close_poll", {"pollId": poll})
        assert (await analytics.counts(server))["votes"] == 3
        mine = (await analytics.read(server, f"rooms/{room.id}", people[0].token)).body
        assert mine["kept"]["counts"]["votes"]["value"] == 3
    async with analytics.server(others=("polls",)) as server:
        assert (await analytics.counts(server, "kept"))["votes"] == 3


async def moved(analytics: Analytics, secrecy: str, act: str) -> dict[str, float]:
    """Which numbers of all metrics move, and by how much, when three people vote in a poll, or only look at it."""

    def numbers(server: Server) -> dict[str, float]:
        found = (one for family in server.metrics.registry.collect() for one in family.samples)
        return {f"{one.name}{one.labels}": one.value for one in found if not one.name.startswith(OF_THE_MACHINE)}

    async with AsyncExitStack() as stack:
        others = ("moderation", "notifications", "pins", "polls")
        server = await stack.enter_async_context(analytics.server(others=others))
        room = await open_room(server)
        people = [await stack.enter_async_context(room.enter(f"Guest {n}", moderator=n == 0)) for n in range(3)]
        poll, options = await open_poll(people[0], secrecy)
        await analytics.samples(server)
        before = numbers(server)
        for person in people:
            await person.ask(act, {"pollId": poll} | ({"optionId": options[0]} if act == "vote" else {}))
        analytics.clock.advance(1)
        await server.dispatcher.settle()
        if secrecy == "open":
            await people[0].hear("poll_update")
        after = numbers(server)
    risen = {name: value - before.get(name, 0) for name, value in after.items() if "job" not in name}
    return {name: change for name, change in risen.items() if change}


async def test_a_vote_in_a_secret_poll_moves_what_a_look_at_it_does(analytics: Analytics) -> None:
    looked = await moved(analytics, "secret", "get_poll_results")
    assert looked == {"anonchat_events_received_total{}": 3}
    assert await moved(analytics, "secret", "vote") == looked
    assert (await moved(analytics, "open", "vote")).keys() > looked.keys(), "the control"


async def test_votes_of_a_secret_poll_are_counted_at_its_close(analytics: Analytics) -> None:
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(analytics.server(others=("polls",)))
        room = await open_room(server)
        people = [await stack.enter_async_context(room.enter(f"Guest {n}", moderator=n == 0)) for n in range(5)]
        poll, options = await open_poll(people[0], "secret")
        for person in people:
            await person.ask("vote", {"pollId": poll, "optionId": options[0]})
        analytics.clock.advance(10)
        assert "votes" not in await analytics.counts(server)
        assert (await analytics.samples(server))["votes_total"] == 0
        await people[0].ask("close_poll", {"pollId": poll})
        assert (await analytics.counts(server))["votes"] == 5
        assert (await analytics.samples(server))["votes_total"] == 5
