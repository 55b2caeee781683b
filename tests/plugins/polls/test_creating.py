"""How a poll comes to be: who may make it, what it asks, and that it is made once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pytest

from anonchat import Draft, Held, PluginContext, StartError, hookimpl
from anonchat.testing.people import request
from anonchat_polls.tables import polls

if TYPE_CHECKING:
    from tests.plugins.polls.conftest import Booth, Opening

pytestmark = pytest.mark.gen_test

SENTENCES = {
    "open": "Open: everybody in the room sees who voted what.",
    "hidden": "Hidden: nobody in the room sees who voted what, and you see the totals once you have voted or the poll "
    "is closed; the server keeps who voted what until the poll is deleted; of who is forgotten the vote stays, as "
    "nobody's.",
    "secret": "Secret: who voted what is stored nowhere, a vote is final, and the totals are shown at the close if at "
    "least 5 people have voted, else they are discarded.",
}


async def test_a_poll_is_a_message(booth: Booth) -> None:
    async with booth.room.enter("Alice") as alice:
        made = await booth.moderator.ask("create_poll", booth.asked(clientMsgId="one", closesInSeconds=60))
        message = await alice.hear("message")
        assert made.event == "poll_created"
        assert made.data == {
            "pollId": message.data["content"]["pollId"],
            "messageId": message.data["id"],
            "seq": message.seq,
            "clientMsgId": "one",
        }
        assert message.data["content"] == {
            "type": "poll",
            "text": "Tea or coffee?\n1. Tea\n2. Coffee\n3. Water",
            "pollId": made.data["pollId"],
            "question": "Tea or coffee?",
            "options": [{"id": "1", "text": "Tea"}, {"id": "2", "text": "Coffee"}, {"id": "3", "text": "Water"}],
            "allowMultipleAnswers": False,
            "secrecy": "open",
            "secrecyText": SENTENCES["open"],
            "closesInSeconds": 60,
        }


@pytest.mark.parametrize("secrecy", SENTENCES)
async def test_the_card_says_its_secrecy_in_one_sentence(booth: Booth, secrecy: str) -> None:
    await booth.moderator.ask("create_poll", booth.asked(secrecy=secrecy))
    content = (await booth.moderator.hear("message")).data["content"]
    assert (content["secrecy"], content["secrecyText"]) == (secrecy, SENTENCES[secrecy])


async def test_moderators_make_polls(booth: Booth) -> None:
    async with booth.room.enter("Alice") as alice:
        assert (await alice.ask("create_poll", booth.asked())).data["code"] == "not_moderator"
        assert await booth.count(polls) == 0


@pytest.mark.parametrize("create", ["moderators", "everyone"])
async def test_clients_are_told_who_makes_polls(opening: Opening, create: str) -> None:
    async with opening(create=create) as booth, booth.room.enter("Alice") as alice:
        told = [heard.data["ext"]["polls"] for heard in alice.welcome if heard.event == "identified"]
        assert told == [{"create": create}]


async def test_everyone_makes_polls_where_the_operator_says_so(opening: Opening) -> None:
    async with opening(create="everyone") as booth, booth.room.enter("Alice") as alice:
        poll_id = await booth.create(alice)
        assert (await booth.close(poll_id, alice)).event == "poll_results"  # one's own
        other = await booth.create()
        assert (await booth.close(other, alice)).data["code"] == "not_moderator"


@pytest.mark.parametrize(
    ("field", "data"),
    [
        ("question", {"question": ""}),
        ("question", {"question": " \u200b"}),
        ("question", {"question": "two\nlines"}),
        ("question", {"question": "\u202ethgir ot tfel"}),
        ("question", {"question": "x" * 301}),
        ("options", {"options": ["only one"]}),
        ("options", {"options": [str(number) for number in range(21)]}),
        ("options", {"options": ["Tea", " tea "]}),
        ("options", {"options": ["Tea", ""]}),
        ("options", {"options": ["Tea", "x" * 101]}),
        ("secrecy", {"secrecy": "private"}),
        ("allowMultipleAnswers", {"allowMultipleAnswers": "yes"}),
        ("closesInSeconds", {"closesInSeconds": 9}),
        ("closesInSeconds", {"closesInSeconds": 7 * 86_400 + 1}),
        ("colour", {"colour": "red"}),
    ],
)
async def test_what_cannot_be_asked(booth: Booth, field: str, data: Mapping[str, Any]) -> None:
    answer = await booth.moderator.ask("create_poll", booth.asked(**data))
    assert answer.data["code"] == "validation_failed"
    assert list(answer.data["errors"]) == [field]
    assert await booth.count(polls) == 0


@pytest.mark.parametrize("size", [2, 20])
async def test_two_to_twenty_options(booth: Booth, size: int) -> None:
    poll_id = await booth.create(options=[f"Option {number}" for number in range(size)])
    assert (await booth.vote(booth.moderator, poll_id, size)).event == "vote_recorded"
    assert (await booth.vote(booth.moderator, poll_id, size + 1)).data["code"] == "unknown_option"


async def test_asking_again_after_a_lost_answer_makes_no_second_poll(booth: Booth) -> None:
    first, second = [await booth.moderator.ask("create_poll", booth.asked(clientMsgId="one")) for _ in range(2)]
    assert first.data == second.data
    assert await booth.count(polls) == 1


async def test_the_key_of_a_message_is_not_that_of_a_poll(booth: Booth) -> None:
    await booth.moderator.say("Hello", clientMsgId="one")
    assert (await booth.moderator.ask("create_poll", booth.asked(clientMsgId="one"))).data["code"] == "conflict"
    assert await booth.count(polls) == 0


async def test_nobody_makes_a_poll_by_hand(booth: Booth) -> None:
    content = {"type": "poll", "pollId": "mine", "question": "?", "options": []}
    assert (await booth.moderator.say("Hello", content=content)).data["code"] == "validation_failed"


async def test_too_many_polls_are_not_open_at_once(opening: Opening) -> None:
    async with opening(most_open=2) as booth:
        frames = [await booth.moderator.send("create_poll", booth.asked()) for _ in range(5)]
        answers = [await booth.moderator.answer(frame) for frame in frames]
        made = [answer.data["pollId"] for answer in answers if answer.event == "poll_created"]
        refused = [answer.data["code"] for answer in answers if answer.event == "error"]
        assert (len(made), refused) == (2, ["polls.too_many_open"] * 3)
        said = await booth.moderator.say("Others go on.")
        assert said.event == "message_ack"
        await booth.close(made[0])
        assert (await booth.moderator.ask("create_poll", booth.asked())).event == "poll_created"


class Holder:
    """Holds polls back, and lets its context be used."""

    @hookimpl
    async def setup(self, ctx: PluginContext) -> None:
        self.ctx = ctx

    @hookimpl
    async def filter_message(self, draft: Draft) -> Held | None:
        return Held(None, "A moderator looks at it.") if draft.content["type"] == "poll" else None


async def test_a_held_poll_begins_with_its_release(opening: Opening) -> None:
    holder = Holder()
    async with opening({"holder": holder}) as booth, booth.room.enter("Alice") as alice:
        held = await booth.moderator.ask("create_poll", booth.asked(clientMsgId="one"))
        assert held.event == "poll_held"
        assert held.data == {
            "messageId": held.data["messageId"],
            "clientMsgId": "one",
            "releaseAt": None,
            "reason": "A moderator looks at it.",
        }
        assert await booth.count(polls) == 0
        await holder.ctx.messages.release(booth.room.id, held.data["messageId"])
        poll_id = (await alice.hear("message")).data["content"]["pollId"]
        assert (await booth.vote(alice, poll_id, 1)).event == "vote_recorded"
        made = await booth.moderator.ask("create_poll", booth.asked(clientMsgId="one"))
        assert (made.event, made.data["pollId"]) == ("poll_created", poll_id)


@pytest.mark.parametrize("secrecy", ["open", "secret"])
async def test_a_poll_that_was_held_is_open_as_long_as_it_was_to_be(opening: Opening, secrecy: str) -> None:
    holder = Holder()
    async with opening({"holder": holder}) as booth:
        held = await booth.moderator.ask("create_poll", booth.asked(secrecy=secrecy, closesInSeconds=60))
        booth.clock.advance(3_600)
        await holder.ctx.messages.release(booth.room.id, held.data["messageId"])
        message = (await booth.moderator.hear("message")).data
        assert message["createdAt"] == "2027-01-15T09:00:00.000Z"
        closes_at, poll_id = "2027-01-15T09:01:00.000Z", message["content"]["pollId"]
        async with booth.room.enter("Alice") as alice:
            (told,) = (await alice.hear("open_polls")).data["polls"]
        history = await request(booth.server, "GET", f"/api/rooms/{booth.room.id}/messages", token=alice.token)
        states = [told, history.body["messages"][-1]["ext"]["polls"], await booth.results(booth.moderator, poll_id)]
        assert [(state["closesAt"], state["closedAt"]) for state in states] == [(closes_at, None)] * 3
        booth.clock.advance(59.9)
        assert (await booth.vote(booth.moderator, poll_id, 1)).event in ("vote_recorded", "vote_pending")
        booth.clock.advance(2)  # the job may have run just before
        assert (await booth.moderator.hear("poll_closed")).data["closedAt"] == closes_at


async def test_a_held_poll_that_was_dropped_is_not_held_any_more(opening: Opening) -> None:
    holder = Holder()
    async with opening({"holder": holder}) as booth:
        held = await booth.moderator.ask("create_poll", booth.asked(clientMsgId="one"))
        await holder.ctx.messages.drop(booth.room.id, held.data["messageId"])
        again = await booth.moderator.ask("create_poll", booth.asked(clientMsgId="one"))
        assert (again.event, again.data["code"]) == ("error", "conflict")


@pytest.mark.parametrize(
    "options", [{"create": "nobody"}, {"most_options": 21}, {"secret_minimum": 4}, {"most_open": 0}, {"colour": "red"}]
)
async def test_settings_that_cannot_be_stop_the_start(opening: Opening, options: Mapping[str, Any]) -> None:
    with pytest.raises(StartError, match=rf"plugins\.polls\.{next(iter(options))}"):
        async with opening(**options):
            pass


async def test_polls_and_votes_have_limits(booth: Booth) -> None:
    poll_id = await booth.create()
    answers = [await booth.moderator.ask("create_poll", booth.asked()) for _ in range(10)]
    assert [answer.data.get("code") for answer in answers] == [None] * 9 + ["rate_limited"]
    votes = [await booth.vote(booth.moderator, poll_id, 1) for _ in range(61)]
    assert [vote.data.get("code") for vote in votes] == [None] * 60 + ["rate_limited"]
