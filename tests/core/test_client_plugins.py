"""What the client makes of the events of the bundled plugins: the same for who never left and for who has come back."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from anonchat import Denied, Session, hookimpl
from anonchat.client import (
    Chat,
    ChatRefused,
    Frame,
    NotOurs,
    NotReachable,
    Offline,
    Pace,
    Received,
    RoomState,
    Server,
    join,
)
from anonchat.client.connection.ballots import Ballots
from anonchat.client.reducers.polls import Polls
from anonchat.client.words.sentences import sentence
from anonchat.plugins.registry import bundled
from anonchat.testing import running_server, settings_in

SECONDS = 60
QUICK = Pace(shortest_wait=0.02, longest_wait=0.1)
OPTIONS = {"polls": {"create": "everyone"}}


class Gate:
    """Keeps a session away as long as the test wants."""

    closed_to: str | None = None

    @hookimpl
    async def check_connect(self, session: Session) -> Denied | None:
        return Denied("overloaded", "Come back later.") if session.id == self.closed_to else None


class Watcher:
    """Somebody in the room, and what they know of it."""

    def __init__(self, chat: Chat) -> None:
        self.chat = chat
        self.state = RoomState()
        self.is_offline = False
        self._moved = asyncio.Event()

    async def listen(self) -> None:
        async for event in self.chat:
            if isinstance(event, Received):
                self.state.apply(event.event, event.data, event.seq)
            self.is_offline = isinstance(event, Offline) or (self.is_offline and not isinstance(event, Received))
            self._moved.set()

    async def until(self, is_so: Callable[[], bool]) -> None:
        async with asyncio.timeout(SECONDS):
            while not is_so():
                self._moved.clear()
                await self._moved.wait()

    async def ask(self, event: str, **data: Any) -> Mapping[str, Any]:
        return (await self.chat.request(event, data)).data

    def known(self) -> dict[str, Any]:
        """All of it, but for what plugins had added to a message at some time."""
        messages = [{name: wire[name] for name in wire if name != "ext"} for wire in self.state.messages.values()]
        parts = (self.state.polls, self.state.pins, self.state.notifications, self.state.moderation)
        kept = {type(part).__name__: copy.deepcopy(vars(part)) for part in parts}
        return kept | {"messages": messages, "role": self.state.me["role"], "people": self.state.people}


async def sit_down(stack: AsyncExitStack, link: str, name: str) -> Watcher:
    watcher = Watcher(await stack.enter_async_context(await join(link, name, pace=QUICK)))
    listening = asyncio.create_task(watcher.listen())

    async def rise() -> None:
        await watcher.chat.close()
        await listening

    stack.push_async_callback(rise)
    await watcher.until(lambda: bool(watcher.state.moderation.rules))
    return watcher


async def much_happens(maud: Watcher, bob: Watcher, anna: Watcher) -> None:
    """Something of each plugin, all of it undone in part."""
    said = [(await maud.chat.send(f"@Anna, message {number}")).message_id for number in range(4)]
    polls = [
        await maud.ask("create_poll", question=f"{secrecy}?", options=["Yes", "No"], secrecy=secrecy)
        for secrecy in ("open", "hidden", "secret", "hidden")
    ]
    for poll in polls:
        await bob.ask("vote", pollId=poll["pollId"], optionId="2")
    await bob.ask("unvote", pollId=polls[3]["pollId"])
    await anna.ask("vote", pollId=polls[3]["pollId"], optionId="1")
    await maud.ask("close_poll", pollId=polls[2]["pollId"])
    await maud.ask("close_poll", pollId=polls[1]["pollId"])
    for message_id in (*said, polls[0]["messageId"]):
        await maud.ask("pin_message", messageId=message_id)
    await maud.chat.edit(said[1], "changed")
    await maud.chat.delete(said[2])
    await maud.ask("unpin_message", messageId=said[0])
    await maud.ask("pin_message", messageId=said[0])
    await maud.ask("promote", targetSessionId=anna.chat.membership.session_id)
    await maud.ask("set_moderation", slowModeSeconds=7)
    await maud.ask("panic")
    await bob.chat.send("look at http://example.com")
    await maud.ask("mute", targetSessionId=bob.chat.membership.session_id)


def is_settled(watcher: Watcher) -> bool:
    """Whether what is told some time later has been told: votes, and the end of what was counted."""
    polls = watcher.state.polls.all.values()
    totals = [poll["totals"] for poll in polls if poll["closedAt"] is None]
    return totals == [{"1": 0, "2": 0}, {"1": 0, "2": 1}, {"1": 1, "2": 0}] and watcher.state.is_moderator


@pytest.mark.gen_test
async def test_who_was_away_knows_what_they_know_who_stayed(tmp_path: Path) -> None:
    gate = Gate()
    settings = settings_in(tmp_path, plugins={"enabled": bundled(), "options": OPTIONS})
    async with running_server(settings, plugins={"gate": gate}) as server, AsyncExitStack() as stack:
        room = await Server(server.url).create_room("Lunch")
        maud = await sit_down(stack, room.moderator_url, "Maud")
        bob = await sit_down(stack, room.join_url, "Bob")
        anna = await sit_down(stack, room.join_url, "Anna")
        before = set(server.hub.of_session(anna.chat.membership.session_id))
        tab = Watcher(await stack.enter_async_context(Chat(anna.chat.membership, pace=QUICK)))
        listening = asyncio.create_task(tab.listen())
        await tab.until(lambda: bool(tab.state.moderation.rules))
        early = await maud.ask("create_poll", question="Early?", options=["Yes", "No"], secrecy="open")
        await tab.until(lambda: early["pollId"] in tab.state.polls.all)
        gate.closed_to = anna.chat.membership.session_id
        (second,) = set(server.hub.of_session(gate.closed_to)) - before
        second.close(1001, "going_away")
        await tab.until(lambda: tab.is_offline)
        await much_happens(maud, bob, anna)
        await anna.until(lambda: is_settled(anna))
        assert tab.is_offline
        gate.closed_to = None
        await tab.until(lambda: is_settled(tab) and len(tab.state.moderation.held) == 1)
        await anna.until(lambda: anna.known() == tab.known())
        known = anna.known()
        assert (known["role"], len(known["messages"]), known["Notifications"]["unread"]) == ("moderator", 9, 11)
        assert [len(known[part]["all"]) for part in ("Polls", "Pins")] == [5, 4]
        late = await sit_down(stack, room.join_url, "Zoe")
        await late.until(lambda: list(late.state.pins.all.items()) == list(tab.state.pins.all.items()))
        await tab.chat.close()
        await listening


ODD: list[tuple[str, dict[str, Any]]] = [
    ("poll_update", {"pollId": "p"}),
    ("poll_update", {"pollId": "p", "messageId": "m", "voters": "many"}),
    ("poll_closed", {"pollId": "p", "messageId": "m", "totals": [1]}),
    ("poll_results", {"pollId": "p", "messageId": "m", "optionIds": 7}),
    ("open_polls", {"polls": [{}]}),
    ("vote_recorded", {"pollId": []}),
    ("message_pinned", {"messageId": 7}),
    ("pinned_messages", {"messages": [{"id": "m"}]}),
    ("notification", {"id": "n", "type": "mention", "createdAt": "t", "message": "m"}),
    ("notifications", {"notifications": {}, "unread": 1}),
    ("muted", {"until": "soon"}),
    ("moderation_changed", {"slowModeSeconds": "slow"}),
    ("moderation_log", {"act": None, "count": 1, "by": "rule", "at": "t"}),
    ("held_message", {"message": {}, "reason": "x"}),
    ("held_messages", {"messages": [{"message": None}]}),
    ("message_dropped", {}),
    ("report_resolved", {"messageId": "m", "open": "none"}),
]
WIRE: dict[str, Any] = {
    "id": "m", "seq": 1, "authorSessionId": "b", "authorUsername": "Bob", "createdAt": "2026-11-20T20:15:00.000Z",
}  # fmt: skip


@pytest.mark.parametrize(("event", "data"), ODD)
def test_an_odd_event_changes_nothing(event: str, data: dict[str, Any]) -> None:
    state = RoomState()
    before = copy.deepcopy(vars(state))
    with pytest.raises(NotOurs, match=event):
        state.apply(event, data, 1)
    assert vars(state) == before


@pytest.mark.parametrize(
    "more",
    [
        {"content": {"type": "poll"}},
        {"content": {"type": "poll", "pollId": "p", "question": 5, "options": None}},
        {"content": {"type": "poll", "pollId": [], "question": "?", "options": [{"id": "1", "text": "Yes"}]}},
        {"content": {"type": "text", "text": "x", "mentionIds": 5}, "ext": {"polls": 5, "pins": []}},
        {"content": {"type": "text", "text": "x"}, "ext": 5},
    ],
)
def test_an_odd_message_of_a_plugin_is_shown_as_a_message(more: dict[str, Any]) -> None:
    state = RoomState()
    state.apply("message", WIRE | more, 1)
    assert state.polls.all == {}
    assert " Bob: " in (sentence("message", WIRE | more, state) or "")


AT = "2026-11-20T20:15:00.000Z"
PEOPLE = {"byUser": {"sessionId": "m", "username": "Maud"}, "target": {"sessionId": "b", "username": None}}
TOLD: list[tuple[str, dict[str, Any], str | None]] = [
    ("moderation_log", {"act": "removed", "count": 3, "by": "moderator", "at": AT}, "A moderator removed 3 messages."),
    ("moderation_log", {"act": "held", "count": 1, "by": "rule", "at": AT}, "A rule held a message back."),
    (
        "moderation_log",
        {"act": "ban", "count": 1, "by": "moderator", "at": AT, "reason": "spam.", **PEOPLE},
        "Maud banned somebody: spam.",
    ),
    ("moderation_log", {"act": "close", "count": 1, "by": "moderator", "at": AT}, None),
    ("moderation_log", {"act": "of a later version", "count": 1, "by": "rule", "at": AT}, "A rule of a later version."),
    ("moderation", {"preset": "strict", "slowModeSeconds": 5, "panic": False}, "Slow mode: one message in 5 s."),
    ("moderation", {"preset": "relaxed", "slowModeSeconds": 0, "panic": False}, None),
    ("muted", {"until": "2020-01-01T12:00:00.000Z", "reason": "Calm down."}, "You are muted until "),
    ("unmuted", {}, "You may write again."),
    (
        "kicked",
        {"coolOffSeconds": 604_800, "banned": True},
        "A moderator banned you from the room. You may come back in 7",
    ),
    ("notifications", {"notifications": [], "unread": 3}, "3 unread: /notifications shows what concerns you."),
    ("notifications", {"notifications": [], "unread": 0}, None),
    ("notification", {"id": "n", "type": "votes", "createdAt": AT, "voters": 1}, "1 person has voted in your poll: "),
    ("notification", {"id": "n", "type": "mention", "createdAt": AT}, None),
    ("report_count", {"open": 1}, "1 report waits: /reports shows what it is."),
    ("report_count", {"open": 2}, "2 reports wait: /reports shows what they are."),
    ("report_count", {"open": 0}, None),
    ("message_pinned", {"messageId": "older", "pinnedAt": AT}, "An older message was pinned; /pins shows it."),
    ("message_dropped", {"messageId": "of somebody"}, None),
    ("panic_report", {"held": 3, "dropped": 2, "released": 1}, "Messages in the panic: 3 held, 2 dropped, 1 shown."),
    ("poll_closed", {"pollId": "p", "messageId": "not known"}, None),
    ("poll_update", {"pollId": "p", "messageId": "m", "voters": 1}, None),
]


@pytest.mark.parametrize(("event", "data", "told"), TOLD)
def test_what_plugins_tell_is_a_sentence(event: str, data: dict[str, Any], told: str | None) -> None:
    state = RoomState()
    found = sentence(event, data, state)
    assert (found or "").startswith(told or "")
    assert bool(found) == bool(told)
    state.apply(event, data)


# --- votes that nobody else remembers


@pytest.mark.gen_test
async def test_a_forgotten_vote_is_sent_once_each_time_that_it_is_missed() -> None:
    sent: list[str] = []
    counted: set[str] = set()
    answers: list[Frame | ChatRefused | NotReachable] = []

    async def exchange(event: str, data: Mapping[str, Any]) -> Frame:
        if event == "get_poll_results":
            return Frame("poll_results", {"pollId": data["pollId"], "voted": data["pollId"] in counted})
        sent.append(data.get("pollId", ""))
        answer = answers.pop(0) if answers else Frame("vote_pending", {"pollId": data["pollId"]})
        if isinstance(answer, Frame):
            return answer
        raise answer

    def state(poll_id: str, secrecy: str = "secret", voted: bool = False) -> dict[str, Any]:
        return {"pollId": poll_id, "secrecy": secrecy, "voted": voted}

    async def sent_since() -> list[str]:
        for _ in range(20):
            await asyncio.sleep(0)
        return list(sent)

    async def compare(*polls: dict[str, Any]) -> list[str]:
        sent.clear()
        ballots.compare({"polls": list(polls)})
        return await sent_since()

    ballots = Ballots(exchange)
    casting = asyncio.create_task(ballots.cast_again())
    await ballots.vote({"pollId": "a", "optionId": "1"})
    answers.append(Frame("vote_recorded", {}))
    await ballots.vote({"pollId": "public", "optionId": "1"})
    answers.append(NotReachable("lost"))
    with pytest.raises(NotReachable):
        await ballots.vote({"pollId": "b", "optionId": "1"})
    answers.append(NotReachable("lost"))
    with pytest.raises(NotReachable):
        await ballots.vote({"optionId": "1"})
    answers.append(ChatRefused("unknown_option", "No."))
    with pytest.raises(ChatRefused):
        await ballots.vote({"pollId": "c", "optionId": "1"})
    every = [state("a"), state("b", voted=True), state("c"), state("public", "open"), state("other")]
    assert await compare(*every) == ["a"]
    answers.append(ChatRefused("rate_limited", "Later."))
    assert await compare(*every) == ["a"]
    answers.append(NotReachable("lost"))
    assert await compare(*every) == ["a"]
    assert await compare(state("a", voted=True), state("b")) == ["b"]
    answers.append(ChatRefused("poll_closed", "Closed."))
    assert await compare(state("a"), state("b", voted=True)) == ["a"]
    assert await compare(state("a"), state("b")) == ["b"]
    sent.clear()
    counted.add("b")
    ballots.lost(["a", "b", "other"])
    assert await sent_since() == []
    counted.clear()
    ballots.lost(["a", "b", "other"])
    assert await sent_since() == ["b"], "what the server still has is not sent, nor what was never cast"
    assert await compare() == await compare(state("b")) == []
    casting.cancel()


@pytest.mark.parametrize(("seconds", "end"), [({"closesInSeconds": 60}, "2026-11-20T08:01:00.000Z"), ({}, None)])
def test_a_poll_that_has_just_begun_is_known_with_its_end(seconds: Mapping[str, Any], end: str | None) -> None:
    """A live message tells how long the poll is open; its state, which would tell the end, comes with the first vote."""
    options = [{"id": "1", "text": "Yes"}, {"id": "2", "text": "No"}]
    content = {"type": "poll", "text": "Tea?", "pollId": "p", "question": "Tea?", "options": options, **seconds}
    content |= {"allowMultipleAnswers": False, "secrecy": "open", "secrecyText": "Open."}
    polls = Polls()
    polls.apply("message", {"id": "m", "seq": 1, "createdAt": "2026-11-20T08:00:00.000Z", "content": content})
    assert polls.all["p"]["closesAt"] == end
