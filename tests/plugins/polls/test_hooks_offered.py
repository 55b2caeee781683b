"""What other plugins hear of polls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import func, select

from anonchat import ChatError, Transaction, hookimpl
from anonchat.testing.people import request
from anonchat_polls.tables import polls

if TYPE_CHECKING:
    from tests.plugins.polls.conftest import Booth, Opening

pytestmark = pytest.mark.gen_test


class Listener:
    """Implements what polls offers."""

    def __init__(self) -> None:
        self.voted: list[dict[str, Any]] = []
        self.closed: list[dict[str, Any]] = []
        self.refuses = False

    @hookimpl(optionalhook=True)
    async def polls_voted(self, room_id: str, poll_id: str, owner_id: str, voters: int, others: int) -> None:
        self.voted.append({"room": room_id, "poll": poll_id, "owner": owner_id, "voters": voters, "others": others})

    @hookimpl(optionalhook=True)
    async def write_poll_closed(self, tx: Transaction, room_id: str, poll_id: str, owner_id: str) -> None:
        if self.refuses:
            raise ChatError("conflict")
        row = await tx.fetch_one(select(func.count(polls.c.closed_at)))
        self.closed.append({"room": room_id, "poll": poll_id, "owner": owner_id, "closed": row and row[0]})


async def heard(booth: Booth, listener: Listener) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    await booth.server.dispatcher.settle()
    return listener.voted, listener.closed


async def test_votes_and_closes_are_told_to_other_plugins(opening: Opening) -> None:
    listener = Listener()
    async with opening({"listener": listener}) as booth:
        poll_id = await booth.create()
        about = {"room": booth.room.id, "poll": poll_id, "owner": booth.moderator.session_id}
        await booth.vote(booth.moderator, poll_id, 1)
        booth.clock.advance(1)
        await booth.moderator.hear("poll_update")
        assert await heard(booth, listener) == ([about | {"voters": 1, "others": 0}], [])
        await booth.close(poll_id)
        assert (await heard(booth, listener))[1] == [about | {"closed": 1}]


@pytest.mark.parametrize("secrecy", ["open", "hidden", "secret"])
async def test_the_vote_of_who_made_the_poll_is_none_of_the_others(opening: Opening, secrecy: str) -> None:
    listener = Listener()
    async with opening({"listener": listener}) as booth, booth.crowd(5) as crowd:
        both, without = await booth.create(secrecy=secrecy), await booth.create(secrecy=secrecy)
        for person in crowd:
            await booth.vote(person, both, 1)
            await booth.vote(person, without, 1)
        await booth.vote(booth.moderator, both, 1)
        if secrecy != "secret":
            booth.clock.advance(1)
            for _ in range(2):
                await booth.moderator.hear("poll_update")
            voted, _ = await heard(booth, listener)
            assert {one["poll"]: (one["voters"], one["others"]) for one in voted} == {both: (6, 5), without: (5, 5)}
            listener.voted.clear()
        await booth.close(both)
        await booth.close(without)
        voted, _ = await heard(booth, listener)
        assert {one["poll"]: (one["voters"], one["others"]) for one in voted} == {both: (6, 5), without: (5, 5)}


async def test_of_secret_polls_nothing_is_told_before_the_close(opening: Opening) -> None:
    listener = Listener()
    async with opening({"listener": listener}) as booth, booth.crowd(5) as crowd:
        kept, discarded = await booth.create(secrecy="secret"), await booth.create(secrecy="secret")
        for person in crowd:
            await booth.vote(person, kept, 1)
        await booth.vote(crowd[0], discarded, 1)
        booth.clock.advance(1)
        await booth.polls.telling.tell()
        assert await heard(booth, listener) == ([], [])
        await booth.close(kept)
        await booth.close(discarded)
        voted, closed = await heard(booth, listener)
        assert [(one["poll"], one["voters"]) for one in voted] == [(kept, 5)]
        assert [one["poll"] for one in closed] == [kept, discarded]


async def test_a_close_fails_with_who_writes_in_it(opening: Opening) -> None:
    listener = Listener()
    async with opening({"listener": listener}) as booth:
        poll_id = await booth.create()
        listener.refuses = True
        assert (await booth.close(poll_id)).data["code"] == "conflict"
        listener.refuses = False
        assert (await booth.close(poll_id)).event == "poll_results"


async def test_metrics_name_no_room_person_or_option(booth: Booth) -> None:
    for secrecy in ("open", "secret"):
        await booth.vote(booth.moderator, await booth.create(secrecy=secrecy), 1)
    lines = booth.server.metrics.text().decode().splitlines()
    assert {line for line in lines if line.startswith("anonchat_polls_") and "_total" in line} == {
        "anonchat_polls_votes_total 1.0",
        'anonchat_polls_made_total{secrecy="open"} 1.0',
        'anonchat_polls_made_total{secrecy="secret"} 1.0',
    }


async def test_the_documents_name_the_events(booth: Booth) -> None:
    body = (await request(booth.server, "GET", "/api/asyncapi.json")).body
    text = str(body)
    for event in ("create_poll", "vote", "poll_update", "poll_closed", "vote_pending", "open_polls"):
        assert event in text
