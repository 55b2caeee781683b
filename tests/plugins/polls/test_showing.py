"""Who sees what of open and hidden polls: live, in history, in lists, exports and results; moderators like everybody."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pytest

from anonchat.testing.people import Person, request

if TYPE_CHECKING:
    from tests.plugins.polls.conftest import Booth

pytestmark = pytest.mark.gen_test


async def in_history(booth: Booth, person: Person) -> Mapping[str, Any]:
    """``ext.polls`` of the newest message."""
    page = await request(booth.server, "GET", f"/api/rooms/{booth.room.id}/messages", token=person.token)
    state: Mapping[str, Any] = page.body["messages"][-1]["ext"]["polls"]
    return state


async def everywhere(booth: Booth, person: Person, poll_id: str) -> list[Mapping[str, Any]]:
    """The state of the newest poll, wherever a person may ask for it."""
    listed = (await booth.get(person, "")).body["polls"][0]
    exported = (await booth.get(person, f"/{poll_id}/export")).body
    return [await booth.results(person, poll_id), listed, exported]


def choice_of(person: Person, *options: int) -> dict[str, Any]:
    return {
        "sessionId": person.session_id,
        "username": person.username,
        "optionIds": [str(option) for option in options],
    }


async def test_open_shows_who_voted_what(booth: Booth) -> None:
    poll_id = await booth.create(allowMultipleAnswers=True)
    async with booth.room.enter("Alice") as alice, booth.room.enter("Bob") as bob:
        await booth.vote(alice, poll_id, 1, 3)
        await booth.vote(bob, poll_id, 3)
        booth.clock.advance(1)
        live = await booth.moderator.hear("poll_results")
        states = [live.data, await in_history(booth, bob), *await everywhere(booth, booth.moderator, poll_id)]
        choices = sorted([choice_of(alice, 1, 3), choice_of(bob, 3)], key=lambda choice: choice["sessionId"])
        for state in states:
            assert (state["voters"], state["totals"]) == (2, {"1": 1, "2": 0, "3": 2})
            assert state["votes"] == choices


async def test_open_names_fifty_and_counts_all(booth: Booth) -> None:
    poll = await booth.poll(await booth.create())
    async with booth.crowd(52) as crowd:
        for person in crowd:
            await booth.vote(person, poll.id, 1)
    results = await booth.results(booth.moderator, poll.id)
    assert (results["voters"], results["totals"]["1"], len(results["votes"])) == (52, 52, 50)
    exported = (await booth.get(booth.moderator, f"/{poll.id}/export")).body
    assert len(exported["votes"]) == 52


async def test_hidden_shows_totals_to_those_who_voted(booth: Booth) -> None:
    poll_id = await booth.create(secrecy="hidden")
    async with booth.room.enter("Alice") as alice, booth.room.enter("Bob") as bob:
        await booth.vote(alice, poll_id, 1)
        await booth.vote(bob, poll_id, 2)
        for person, totals in ((alice, {"1": 1, "2": 1, "3": 0}), (booth.moderator, None)):
            for state in await everywhere(booth, person, poll_id):
                assert (state["voters"], state["totals"]) == (2, totals)
                assert "votes" not in state
        assert (await in_history(booth, alice))["totals"] is None  # history is the same for all
        await booth.vote(booth.moderator, poll_id, 2)
        assert (await booth.results(booth.moderator, poll_id))["totals"] == {"1": 1, "2": 2, "3": 0}
        await booth.moderator.ask("unvote", {"pollId": poll_id})
        assert (await booth.results(booth.moderator, poll_id))["totals"] is None


async def test_hidden_tells_totals_live_to_those_who_voted_and_at_the_close_to_all(booth: Booth) -> None:
    poll_id = await booth.create(secrecy="hidden")
    async with booth.room.enter("Alice") as alice, booth.room.enter("Bob") as bob:
        await booth.vote(alice, poll_id, 1)
        booth.clock.advance(1)
        assert (await alice.hear("poll_results")).data["totals"] == {"1": 1, "2": 0, "3": 0}
        update = await bob.hear("poll_update")
        assert (update.data["voters"], "totals" in update.data) == (1, False)
        await booth.close(poll_id)
        closed = await bob.hear("poll_closed")
        assert closed.data["totals"] == {"1": 1, "2": 0, "3": 0}
        # Had the first one come to Bob, he would hear it now.
        assert (await bob.hear("poll_results")).data["closedAt"] is not None
        for state in [await in_history(booth, bob), *await everywhere(booth, bob, poll_id)]:
            assert (state["totals"], "votes" in state) == ({"1": 1, "2": 0, "3": 0}, False)


async def test_lists_come_in_pages(booth: Booth) -> None:
    made = [await booth.create(question=f"Question {number}") for number in range(5)]
    first = (await booth.get(booth.moderator, "?limit=3")).body
    assert [poll["question"] for poll in first["polls"]] == ["Question 4", "Question 3", "Question 2"]
    second = (await booth.get(booth.moderator, f"?limit=3&cursor={first['nextCursor']}")).body
    assert [poll["pollId"] for poll in second["polls"]] == [made[1], made[0]]
    assert second["nextCursor"] is None
    assert (await booth.get(booth.moderator, "?limit=101")).body["code"] == "validation_failed"


async def test_an_export_asks_for_a_session_of_the_room(booth: Booth) -> None:
    poll_id = await booth.create()
    path = f"/api/rooms/{booth.room.id}/polls"
    for tail in ("", f"/{poll_id}/export"):
        assert (await request(booth.server, "GET", path + tail)).body["code"] == "not_identified"
    assert (await booth.get(booth.moderator, "/none/export")).body["code"] == "poll_not_found"
    assert (await booth.get(booth.moderator, f"/{poll_id}/export?format=xml")).body["code"] == "validation_failed"


async def test_a_table_of_an_open_poll(booth: Booth) -> None:
    poll_id = await booth.create(
        question='Tea, "green"?', options=["=HYPERLINK(1)", "+1", " -2", "@x", "\uff1d1", "Tea"]
    )
    async with booth.room.enter("Alice") as alice:
        await booth.vote(alice, poll_id, 2)
        reply = await booth.get(alice, f"/{poll_id}/export?format=csv")
    assert reply.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert reply.headers["Content-Disposition"] == 'attachment; filename="poll.csv"'
    assert reply.body.decode().splitlines() == [
        '"question","optionId","option","votes","voter"',
        '"Tea, ""green""?","1","\'=HYPERLINK(1)","0",""',
        '"Tea, ""green""?","2","\'+1","1","Alice"',
        '"Tea, ""green""?","3","\' -2","0",""',
        '"Tea, ""green""?","4","\'@x","0",""',
        '"Tea, ""green""?","5","\'\uff1d1","0",""',
        '"Tea, ""green""?","6","Tea","0",""',
    ]


async def test_a_table_keeps_the_same_secrecy(booth: Booth) -> None:
    poll_id = await booth.create(secrecy="hidden", options=["Tea", "Coffee"])
    async with booth.room.enter("Alice") as alice:
        await booth.vote(alice, poll_id, 2)
        tables = [
            (await booth.get(person, f"/{poll_id}/export?format=csv")).body for person in (alice, booth.moderator)
        ]
    assert [[line.split(",")[3:] for line in table.decode().splitlines()] for table in tables] == [
        [['"votes"'], ['"0"'], ['"1"']],
        [['"votes"'], ['""'], ['""']],
    ]


async def test_the_export_of_a_room_shows_what_everybody_may_see(booth: Booth) -> None:
    shown, concealed = await booth.create(), await booth.create(secrecy="hidden")
    for poll_id in (shown, concealed):
        await booth.vote(booth.moderator, poll_id, 1)
    path = f"/api/rooms/{booth.room.id}/export"
    export = (await request(booth.server, "GET", path, token=booth.moderator.token)).body["plugins"]["polls"]
    assert export["complete"]
    assert [(poll["pollId"], poll["totals"]) for poll in export["polls"]] == [
        (concealed, None),
        (shown, {"1": 1, "2": 0, "3": 0}),
    ]
