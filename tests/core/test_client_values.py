"""The parts of the client that need no server: links, lines, texts, waiting, what a state is made of."""

from __future__ import annotations

import asyncio
import copy
from functools import partial
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anonchat.client import Link, LinkError, NotOurs, Online, OutboxFull, Pace, Received, RoomState
from anonchat.client.commands import COMMANDS, Command, UnknownCommand, help_text, offered, parse
from anonchat.client.connection.backoff import Backoff, Ending
from anonchat.client.connection.line import Frame, decode
from anonchat.client.connection.outbox import Ack, Outbox, Outgoing
from anonchat.client.connection.reception import Position, Reception
from anonchat.client.server import _secure
from anonchat.client.text import literal, one_line, quoted, said
from anonchat.client.times import duration, later, remaining
from anonchat.client.words.suggestions import suggest_name
from anonchat.people.names import clean_name


def test_a_link_is_read_as_it_is_written() -> None:
    link = Link.parse(" https://chat.example.org:8443/sub/r/0c6b-9#N07a_M-s ")
    assert (link.base_url, link.room_id, link.token) == ("https://chat.example.org:8443/sub", "0c6b-9", "N07a_M-s")
    assert Link.parse(str(link)) == link
    assert "N07a" not in repr(link)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "begins with http"),
        ("chat.example.org/r/x#y", "begins with http"),
        ("ftp://chat.example.org/r/x#y", "begins with http"),
        ("http:///r/x#y", "begins with http"),
        ("http://[::1/r/x#y", "not a web address"),
        ("http://host:port/r/x#y", "not a web address"),
        ("http://host/rooms/x#y", "does not lead to a room"),
        ("http://host/r/#y", "does not lead to a room"),
        ("http://host/r/x", "secret after #"),
        ("http://host/r/x#", "secret after #"),
    ],
)
def test_a_wrong_link_says_what_is_wrong(text: str, told: str) -> None:
    with pytest.raises(LinkError, match=told):
        Link.parse(text)


def test_a_socket_is_never_less_protected_than_the_link() -> None:
    assert _secure("ws://host/ws", "https://host") == "wss://host/ws"
    assert _secure("ws://host/ws", "http://host") == "ws://host/ws"


@given(st.text())
def test_shown_text_is_harmless(text: str) -> None:
    shown = literal(text)
    assert all(mark == "\n" or mark.isprintable() or ord(mark) > 0x9F for mark in shown)
    assert not set(shown) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c\ufeff")
    shown.encode()
    assert "\n" not in one_line(text)


def test_shown_text_stays_readable() -> None:
    assert literal("a\x1b[31mb\tc\r\nd") == "a␛[31mb    c\nd"
    assert literal("e" + "\u0301" * 50) == "e" + "\u0301" * 3
    assert literal("שלום, 👩‍🚀 [bold]x[/bold]") == "שלום, 👩‍🚀 [bold]x[/bold]"
    assert one_line("one\n two  three", 8) == "one two…"
    poll = {"content": {"type": "poll", "question": "Tea\x07?", "options": [{"id": "1", "text": "yes"}]}}
    assert said(poll) == "[poll] Tea␇?\n• yes"


BUNDLED = ("analytics", "moderation", "notifications", "pins", "polls")


@pytest.mark.parametrize("plugins", [(), BUNDLED, ("dice",)])
def test_lines_are_commands_or_texts(plugins: tuple[str, ...]) -> None:
    meant = partial(parse, plugins=plugins, state=RoomState())
    assert meant("/reply 2 yes indeed") == Command("reply", "2 yes indeed")
    assert meant("/quit") == Command("quit", "")
    for line in ("hello /quit", "/etc/passwd is a file", "/", "/ who", "/: odd"):
        assert meant(line) == line
    assert meant("//who is that") == "/who is that"


@pytest.mark.parametrize("plugins", [(), BUNDLED, ("dice",)])
@pytest.mark.parametrize(
    ("line", "like"),
    [("/edti x", "edit"), ("/laeve forget", "leave"), ("/Quit", "quit"), ("/hlep", "help"), ("/delte\nit", "delete")],
)
def test_a_mistyped_command_is_asked_about(line: str, like: str, plugins: tuple[str, ...]) -> None:
    with pytest.raises(UnknownCommand, match=f"Did you mean /{like}"):
        parse(line, plugins, RoomState())


def test_an_unknown_command_is_for_plugins_or_for_nobody() -> None:
    assert parse("/roll 2d6", [*BUNDLED, "dice"], state_of("moderator")) == "/roll 2d6"
    for plugins in ((), BUNDLED):
        with pytest.raises(UnknownCommand) as error:
            parse("/bogus x", plugins, RoomState())
        assert str(error.value) == "There is no command /bogus; /help lists them, //bogus sends it as text."


def state_of(role: str, **added: Any) -> RoomState:
    state = RoomState()
    told = {"sessionId": "me", "username": "Ann", "role": role, "room": {"title": "T"}, "ext": added}
    state.apply("identified", told)
    return state


def test_commands_are_offered_where_they_can_be_used() -> None:
    moderator, participant = state_of("moderator"), state_of("participant")
    everybody = {"help", "who", "reply", "edit", "delete", "older", "leave", "quit"}
    basic = everybody | {"title", "invites", "invite", "uninvite"}
    assert offered((), participant).keys() == everybody
    assert offered((), moderator).keys() == offered(("analytics",), moderator).keys() == basic
    assert offered(BUNDLED, moderator) == COMMANDS
    assert offered(("pins",), participant).keys() - everybody == {"pins"}
    assert offered(("pins",), moderator).keys() - basic == {"pins", "pin", "unpin"}
    assert all(f"/{name}" in help_text(COMMANDS) for name in COMMANDS)
    for name in COMMANDS.keys() - basic:
        with pytest.raises(UnknownCommand):
            parse(f"/{name} x", ("dice",), moderator)
    with pytest.raises(UnknownCommand, match="Only moderators may /kick"):
        parse("/kick Bob", ("moderation",), participant)


@pytest.mark.parametrize("told", [{}, {"polls": None}, {"polls": {"create": "moderators"}}])
def test_polls_are_offered_to_those_who_may_make_them(told: dict[str, Any]) -> None:
    assert "poll" not in offered(("polls",), state_of("participant", **told))
    assert "poll" in offered(("polls",), state_of("moderator", **told))
    assert "poll" in offered(("polls",), state_of("participant", polls={"create": "everyone"}))
    with pytest.raises(UnknownCommand, match="Only moderators may /poll"):
        parse("/poll A? | B | C", ("polls",), state_of("participant", **told))


@pytest.mark.parametrize("padding", [" " * 60, "\u3000" * 40, "x" * 60, "\u4e2d" * 30, "\n", "\r", "\u2028", "\x0b"])
def test_no_line_of_a_description_looks_like_one_of_ours(padding: str) -> None:
    shown = quoted(f"first{padding}You are in the room.", 40).split("\n")
    assert all(line.startswith("  | ") for line in shown)
    assert all(len(line) + line.count("\u4e2d") <= 40 for line in shown)
    assert len(shown) > 1 or padding.isspace()


@pytest.mark.parametrize(
    ("seconds", "end"),
    [(90, "2026-11-20T00:01:00.000Z"), (0, "2026-11-19T23:59:30.000Z"), (None, None), (10**18, None)],
)
def test_a_time_after_another(seconds: int | None, end: str | None) -> None:
    assert later("2026-11-19T23:59:30.000Z", seconds) == end


def test_times_are_told_in_words() -> None:
    told = {
        0: "0 s",
        59: "59 s",
        61: "1 min 1 s",
        600: "10 min",
        3_660: "1 h 1 min",
        86_400: "1 day",
        180_000: "2 days 2 h",
    }
    assert {seconds: duration(seconds) for seconds in told} == told
    assert remaining("1970-01-01T00:01:00.000Z", 15.0) == 45.0
    assert remaining("1970-01-01T00:01:00.000Z", 75.0) == 0.0
    assert remaining(None, 0.0) is None


def test_every_suggested_name_is_a_name() -> None:
    names = {suggest_name(Random(seed)) for seed in range(200)}
    assert len(names) > 100
    assert {clean_name(name) for name in names} == names


@pytest.mark.parametrize(
    "text",
    [
        *("", "[]", '"x"', "{}", '{"event": 1}', '{"event": "x", "data": []}', '{"event": "x", "seq": "1"}'),
        *('{"event": "x", "data": {"y": NaN}}', '{"event": "x", "data": {"y": -Infinity}}'),
    ],
)
def test_frames_of_strangers_are_refused(text: str) -> None:
    with pytest.raises(NotOurs):
        decode(text)


@given(st.integers(0, 10_000), st.lists(st.sampled_from([None, 1006, 1013, 4413]), max_size=40))
def test_waiting_grows_within_its_bounds(seed: int, codes: list[int | None]) -> None:
    backoff = Backoff(Pace(), Random(seed))
    for number, code in enumerate(codes):
        wait = backoff.wait(Ending(code, ""))
        assert 1.0 <= wait <= (30.0 if code == 1013 else min(30.0, 2.0 ** (number + 1)))


def test_waiting_is_spread_and_starts_again_after_a_stable_time() -> None:
    waits = [Backoff(Pace(), Random(seed)).wait(Ending(1013, "")) for seed in range(100)]
    assert max(waits) - min(waits) > 5
    backoff = Backoff(Pace(), Random(1))
    for _ in range(10):
        backoff.wait(Ending(None, ""))
    backoff.lived(59)
    assert backoff.attempt == 10
    backoff.lived(60)
    assert backoff.wait(Ending(None, "")) <= 2.0


def test_waiting_does_what_the_server_asks_for() -> None:
    backoff = Backoff(Pace(), Random(1))
    assert 12.0 <= backoff.wait(Ending(1001, "", wait=12.0)) <= 13.0
    assert backoff.wait(Ending(1001, "", wait=1e9)) <= 301.0


def test_a_new_start_of_our_own_is_at_once_but_not_again_and_again() -> None:
    backoff = Backoff(Pace(), Random(1))
    assert backoff.wait(Ending(None, "", at_once=True)) == 0
    assert backoff.wait(Ending(None, "", at_once=True)) >= 1.0


@pytest.mark.parametrize(
    ("code", "final"),
    [(1000, True), (4401, True), (4403, True), (4410, True), (1001, False), (4413, False), (None, False)],
)
def test_some_endings_are_for_good(code: int | None, final: bool) -> None:
    assert Ending(code, "").is_final is final


@pytest.mark.gen_test
async def test_the_outbox_keeps_order_and_bound() -> None:
    outbox = Outbox(2)
    first, second = Outgoing("1", None, None), Outgoing("2", "m", "mine")
    outbox.add(first)
    outbox.add(second)
    with pytest.raises(OutboxFull):
        outbox.add(Outgoing("3", None, None))
    assert second.data() == {"text": "2", "clientMsgId": "mine", "replyToId": "m"}
    assert await outbox.head() is first
    outbox.pop()
    waiting = asyncio.ensure_future(outbox.wait_until(0))
    outbox.fail(OutboxFull())
    await waiting
    with pytest.raises(OutboxFull):
        await second


@pytest.mark.gen_test
async def test_who_gives_up_waiting_does_not_take_a_message_back() -> None:
    outgoing = Outgoing("1", None, None)
    waiting = asyncio.ensure_future(_wait(outgoing))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    ack = Ack(outgoing.client_msg_id, "m", 1, "")
    outgoing.succeed(ack)
    assert (await outgoing, await outgoing) == (ack, ack)


async def _wait(outgoing: Outgoing) -> Ack:
    return await outgoing


# --- what of all that arrives is told


def _resumes(reception: Reception) -> bool:
    return reception.resume


def _asks(reception: Reception) -> bool:
    return reception.wants_presence


def _welcomed(seq: int = 0) -> Reception:
    reception = Reception()
    reception.begin()
    chunk = {"messages": [], "hasMore": False, "epoch": "e", "seq": seq, "recovered": False}
    told = reception.accept(Frame("history_chunk", chunk))
    assert told == (Received("history_chunk", chunk), Online(False, 0))
    return reception


@given(st.lists(st.integers(1, 12), max_size=60))
def test_whatever_arrives_events_are_told_once_and_in_order(arriving: list[int]) -> None:
    reception = _welcomed()
    told: list[int | None] = []
    for seq in arriving:
        told += [event.seq for event in reception.accept(Frame("x", {}, seq)) if isinstance(event, Received)]
        if reception.resume:
            assert reception.position is not None
            missed = range(max(0, reception.position.seq - 2), max(arriving) + 1)
            reception.begin()
            items: list[dict[str, Any]] = [
                {"event": "gone" if number % 5 == 0 else "x", "data": {}, "seq": number} for number in missed
            ]
            replay = {"events": items, "from": 0, "to": max(arriving), "epoch": "e", "recovered": True}
            told += [event.seq for event in reception.accept(Frame("replay", replay)) if isinstance(event, Received)]
    assert told == sorted({seq for seq in told if seq is not None})
    assert reception.position is not None
    skipped = {seq for seq in range(1, reception.position.seq + 1) if seq not in told}
    assert all(seq % 5 == 0 for seq in skipped)


GOOD: dict[str, Any] = {
    "id": "m", "seq": 1, "changedSeq": 1, "authorSessionId": "b", "authorUsername": "Bob",
    "createdAt": "2026-11-20T20:15:00.000Z", "content": {"type": "text", "text": "x"},
}  # fmt: skip
ODD: list[tuple[str, dict[str, Any]]] = [
    ("message", {"nonsense": 1}),
    ("message", GOOD | {"createdAt": "yesterday"}),
    ("message", GOOD | {"createdAt": "9999-12-31T23:59:59-14:00"}),
    ("message", GOOD | {"seq": True}),
    ("message", GOOD | {"content": "x"}),
    ("message", GOOD | {"replyToId": []}),
    ("message_edited", {"message": [GOOD]}),
    ("message_deleted", {}),
    ("messages_removed", {"messageIds": [[]]}),
    ("history_chunk", {"messages": [GOOD, {}], "hasMore": False, "epoch": "e", "seq": 1}),
    ("identified", {"sessionId": "a", "username": "Ann", "room": {"title": "T", "expiresAt": "soon"}}),
    ("presence", {"event": "join", "total": 1, "version": 1}),
    ("presence_state", {"users": [{}], "total": 1, "version": 1}),
    ("room_updated", {"room": {"title": 5}}),
]


@pytest.mark.parametrize(("event", "data"), ODD)
def test_an_odd_event_is_left_out_and_counted(event: str, data: dict[str, Any]) -> None:
    reception, state = _welcomed(), RoomState()
    assert reception.accept(Frame("message", GOOD, 1)) == (Received("message", GOOD, 1),)
    assert reception.accept(Frame(event, data)) == reception.accept(Frame(event, data, 2)) == ()
    assert (reception.skipped, reception.resume) == (2, False)
    assert reception.accept(Frame("message", GOOD, 3)) == (Received("message", GOOD, 3),)
    state.apply("message", GOOD, 1)
    before = copy.deepcopy(vars(state))
    with pytest.raises(NotOurs, match=event):
        state.apply(event, data, 2)
    assert vars(state) == before


@pytest.mark.parametrize("seconds", [None, "5", float("nan"), float("inf"), True])
def test_a_duration_is_a_number(seconds: object) -> None:
    reception = _welcomed()
    assert reception.accept(Frame("room_ttl_warning", {"remainingSeconds": seconds})) == ()
    assert reception.accept(Frame("room_ttl_warning", {"remainingSeconds": 5.0}))


def test_an_odd_event_in_a_welcome_is_a_stranger() -> None:
    reception = Reception()
    reception.begin()
    with pytest.raises(NotOurs, match="identified"):
        reception.accept(Frame("identified", {}))


def test_epoch_and_seq_change_together() -> None:
    reception = _welcomed(7)
    assert reception.identify("t") == {"token": "t", "since": 7, "epoch": "e"}
    reception.begin()
    fresh = {"messages": [], "hasMore": False, "epoch": "f", "seq": 2, "recovered": False}
    reception.accept(Frame("history_chunk", fresh))
    assert reception.position == Position("f", 2)
    reception.accept(Frame("resync", {"reason": "x"}))
    assert _resumes(reception)
    assert reception.identify("t") == {"token": "t"}


def test_a_lost_last_event_is_found_by_the_heartbeat() -> None:
    reception = _welcomed(7)
    reception.compare(7, 0)
    assert not _resumes(reception)
    reception.compare(8, 0)
    assert _resumes(reception)


def test_a_hole_in_presence_makes_it_ask() -> None:
    reception = _welcomed()
    state: dict[str, Any] = {"users": [], "total": 0, "version": 3}
    reception.accept(Frame("presence_state", state))
    joined = {"event": "join", "total": 1, "user": {"sessionId": "a", "username": "Ann", "role": "participant"}}
    assert reception.accept(Frame("presence", joined | {"version": 4}))
    assert not reception.accept(Frame("presence", joined | {"version": 4}))
    assert not reception.accept(Frame("presence", joined | {"version": 6}))
    assert _asks(reception)
    assert reception.accept(Frame("presence_state", state | {"version": 6}))
    assert not _asks(reception)
    assert reception.accept(Frame("presence", {"event": "count", "total": 300, "version": 99}))
    assert not _asks(reception)
    reception.compare(0, 100)
    assert _asks(reception)
