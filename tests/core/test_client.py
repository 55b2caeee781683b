"""The client library against a real server: talking, refusals, endings."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from random import Random
from socket import IPPROTO_TCP, TCP_NODELAY
from typing import Any

import pytest
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port
from tornado.web import Application, RedirectHandler
from tornado.websocket import WebSocketHandler, WebSocketProtocol13, websocket_connect

from anonchat.app import Server as RunningServer
from anonchat.client import (
    Chat,
    ChatClosed,
    ChatEvent,
    ChatRefused,
    Closed,
    Connecting,
    Link,
    Membership,
    NotReachable,
    Offline,
    Online,
    Pace,
    Received,
    RoomState,
    Server,
    join,
)
from anonchat.client.connection.line import Line
from anonchat.client.device import devices_for
from anonchat.testing import running_server, settings_in

SECONDS = 60
QUICK = Pace(shortest_wait=0.02, longest_wait=0.1)


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[RunningServer]:
    async with running_server(settings_in(tmp_path)) as running:
        yield running


@pytest.fixture
async def link(server: RunningServer) -> str:
    return (await Server(server.url).create_room("Lunch", description="Where?")).join_url


def device_of(room_id: str, folder: Path) -> str:
    device, *others = devices_for(room_id, folder)
    assert not others
    device.release()
    return device.id


class Witness:
    """Takes a chat's events: keeps them, and the state that they make."""

    def __init__(self, chat: Chat) -> None:
        self.chat = chat
        self.state = RoomState()
        self.events: list[ChatEvent] = []

    async def until(self, is_it: Callable[[ChatEvent], bool]) -> ChatEvent:
        """Take events up to the first for which it is so."""
        async with asyncio.timeout(SECONDS):
            async for event in self.chat:
                self.events.append(event)
                if isinstance(event, Received):
                    self.state.apply(event.event, event.data, event.seq)
                if is_it(event):
                    return event
        raise AssertionError(f"the chat ended before that: {self.events[-1]}")

    async def until_online(self) -> Online:
        found = await self.until(lambda event: isinstance(event, Online))
        assert isinstance(found, Online)
        return found

    async def until_text(self, text: str) -> None:
        await self.until(lambda event: _text(event) == text)

    @property
    def texts(self) -> list[str]:
        return [text for event in self.events if (text := _text(event)) is not None]


def _text(event: ChatEvent) -> str | None:
    if isinstance(event, Received) and event.event == "message":
        return str(event.data["content"]["text"])
    return None


@pytest.mark.gen_test
async def test_two_people_talk(link: str) -> None:
    async with await join(link, "Alice") as alice, await join(link, "Bob") as bob:
        seen = Witness(bob)
        first = await alice.send("hello")
        second = await bob.send("hi", first.message_id)
        assert (first.seq, second.seq) == (1, 2)
        await alice.edit(first.message_id, "hello all")
        await bob.delete(second.message_id)
        alice.typing()
        typing = await seen.until(lambda event: isinstance(event, Received) and event.event == "typing")
        assert isinstance(typing, Received)
        assert (typing.data["username"], typing.data["typing"]) == ("Alice", True)
        assert isinstance(seen.events[0], Connecting)
        assert [wire["content"]["text"] for wire in seen.state.messages.values()] == ["hello all", ""]
        assert [wire["content"]["text"] for wire in (await alice.history())["messages"]] == ["hello all", ""]
        assert {user["username"] for user in (await alice.presence())["users"]} == {"Alice", "Bob"}
        assert abs(alice.server_time() - bob.server_time()) < 5


@pytest.mark.gen_test
async def test_the_bot_of_the_page_answers(link: str) -> None:
    page = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text(encoding="utf-8")
    source = page.partition("## In Python")[2].partition("```python\n")[2].partition("asyncio.run(")[0]
    names: dict[str, Any] = {}
    exec(compile(source, "protocol.md", "exec"), names)
    bot = asyncio.create_task(names["main"](link))
    async with await join(link, "Ann", pace=QUICK) as ann:
        seen = Witness(ann)
        while "Echo" not in {user["username"] for user in (await ann.presence())["users"]}:
            await asyncio.sleep(0.02)
        ack = await ann.send("!ping")
        pong = await seen.until(lambda event: _text(event) == "pong")
        assert isinstance(pong, Received)
        assert (pong.data["authorUsername"], pong.data["replyToId"]) == ("Echo", ack.message_id)
    bot.cancel()
    await asyncio.wait([bot])


@pytest.mark.gen_test
async def test_refusals_have_a_code(server: RunningServer, link: str) -> None:
    known = Link.parse(link)
    rest = Server(server.url)
    assert (await rest.room(known.room_id))["description"] == "Where?"
    for attempt, code in (
        (rest.room("none"), "room_not_found"),
        (rest.create_room(""), "validation_failed"),
        (rest.join(Link(known.base_url, known.room_id, "wrong"), "Ann"), "invalid_invite"),
        (rest.join(known, "@nn"), "username_invalid"),
    ):
        with pytest.raises(ChatRefused) as refused:
            await attempt
        assert refused.value.code == code
        assert len(str(refused.value)) > 10
    async with await join(link, "Alice") as alice, await join(link, "Bob") as bob:
        sent = await alice.send("hello")
        for again, code in (
            (rest.join(known, "Bob"), "username_taken"),
            (bob.edit(sent.message_id, "changed"), "forbidden"),
            (bob.delete("nothing"), "message_not_found"),
            (bob.request("unheard_of", {}), "unknown_event"),
            (bob.request("get_history", {"limit": 0}), "validation_failed"),
            (_send(bob, "x" * 5_000), "text_too_long"),
        ):
            with pytest.raises(ChatRefused) as refused:
                await again
            assert refused.value.code == code
        assert (await bob.send("and on it goes")).seq == 2


async def _send(chat: Chat, text: str) -> None:
    await chat.send(text)


@pytest.mark.gen_test
async def test_what_is_too_long_for_a_frame_holds_up_nothing(link: str) -> None:
    """It is refused here, before the server would close the connection."""
    async with await join(link, "Ann") as ann:
        seen = Witness(ann)
        long, odd = ann.post("x" * 70_000), ann.post("a", reply_to="m" * 70_000)
        later = ann.post("b")
        for sent, code in ((long, "text_too_long"), (odd, "too_large")):
            with pytest.raises(ChatRefused) as refused:
                await sent
            assert refused.value.code == code
        assert (await later).seq == 1
        with pytest.raises(ChatRefused, match="At most 4000 characters; this has 70000"):
            await ann.edit((await later).message_id, "x" * 70_000)
        await seen.until_text("b")
        assert not any(isinstance(event, Offline) for event in seen.events)


class Narrow(WebSocketHandler):
    """A proxy that takes smaller frames than the server; it ends at the frame behind one that is too large."""

    def initialize(self, url: str) -> None:
        self._url = url
        self._is_over = False

    async def open(self, *_: str) -> None:
        self._there = await websocket_connect(self._url, on_message_callback=self._back)

    def _back(self, message: str | bytes | None) -> None:
        if message is not None and not self._is_over:
            self.write_message(message)

    def on_message(self, message: str | bytes) -> None:
        if self._is_over:
            self.close(1009, "too large")
        elif len(message) > 1_000:
            self._is_over = True
        else:
            self._there.write_message(message)

    def on_close(self) -> None:
        self._is_over = True
        self._there.close()


@pytest.mark.gen_test
async def test_a_frame_that_ends_the_connection_by_its_size_takes_nothing_else_with_it(link: str) -> None:
    membership = (await join(link, "Ann")).membership
    proxy = HTTPServer(Application([("/", Narrow, {"url": membership.websocket_url})]))
    socket, port = bind_unused_port()
    proxy.add_socket(socket)
    async with Chat(replace(membership, websocket_url=f"ws://127.0.0.1:{port}/"), pace=QUICK) as ann:
        await ann.presence()
        large, small = asyncio.ensure_future(ann.request("vote", {"pollId": "x" * 2_000})), ann.post("small")
        with pytest.raises(ChatRefused) as refusal:
            await large
        assert refusal.value.code == "too_large"
        assert (await small).seq == 1
        large_too, asked = ann.post("large", reply_to="m" * 2_000), asyncio.ensure_future(ann.presence())
        with pytest.raises(NotReachable):
            await asked
        with pytest.raises(ChatRefused) as refusal:
            await large_too
        assert refusal.value.code == "too_large"
    proxy.stop()
    await proxy.close_all_connections()


@pytest.mark.gen_test
@pytest.mark.parametrize("odd", ["half an emoji \ud83d", "nothing \0"])
async def test_what_no_frame_can_hold_is_refused_and_holds_up_nothing(link: str, odd: str) -> None:
    async with await join(link, "Ann") as ann:
        bad, good = ann.post(odd), ann.post("an escape in words: \\u0000")
        for refused in (
            bad,
            ann.request("get_history", {"before": odd}),
            ann.request("get_history", {"limit": float("nan")}),
        ):
            with pytest.raises(ChatRefused) as refusal:
                await refused
            assert refusal.value.code == "validation_failed"
        assert (await good).seq == 1


class Loaded(Random):
    """A die that breaks when it is thrown."""

    def uniform(self, a: float, b: float) -> float:
        raise ZeroDivisionError


@pytest.mark.gen_test
async def test_a_chat_of_which_a_part_has_failed_is_over(tmp_path: Path) -> None:
    async with running_server(settings_in(tmp_path, limits={"messages_per_session": "1/hour"})) as server:
        link = (await Server(server.url).create_room("Slow")).join_url
        async with Chat((await join(link, "Ann")).membership, random=Loaded()) as ann:
            await ann.send("one")
            for text in ("two", "three"):
                with pytest.raises(ChatClosed) as closed:
                    await ann.send(text)
                assert (closed.value.code, closed.value.reason) == (1011, "internal")


class Garbled(Narrow):
    """A proxy that has a welcome of its own for who comes first, and goes on with nonsense in the same moment."""

    def initialize(self, url: str, welcome: list[str]) -> None:  # type: ignore[override]
        super().initialize(url)
        self._welcome = welcome

    async def open(self, *_: str) -> None:
        await super().open()
        while self._welcome:
            self._is_over = True
            self.write_message(self._welcome.pop(0))


@pytest.mark.gen_test
@pytest.mark.parametrize("before", range(4))
async def test_a_connection_that_ends_as_it_begins_keeps_no_request_waiting(link: str, before: int) -> None:
    """However many frames come with the last one of the welcome: they are read several in a turn."""
    membership = (await join(link, "Ann")).membership
    direct = await websocket_connect(membership.websocket_url)
    direct.write_message(json.dumps({"event": "identify", "data": {"token": membership.session_token}}))
    welcome = ['{"event": "news"}'] * before
    while not welcome or '"history_chunk"' not in welcome[-1]:
        welcome.append(str(await direct.read_message()))
    direct.close()
    path = {"url": membership.websocket_url, "welcome": [*welcome, "nonsense"]}
    proxy = HTTPServer(Application([("/", Garbled, path)]))
    socket, port = bind_unused_port()
    proxy.add_socket(socket)
    async with Chat(replace(membership, websocket_url=f"ws://127.0.0.1:{port}/"), pace=QUICK) as ann:
        async with asyncio.timeout(SECONDS):
            with suppress(NotReachable):
                await ann.presence()
    proxy.stop()
    await proxy.close_all_connections()


@pytest.mark.gen_test
async def test_a_frame_does_not_wait_until_the_one_before_has_arrived(server: RunningServer) -> None:
    """A bot that says two things at once has waited for the network in between, or for 40 ms on one machine."""
    line = await Line.open(f"ws://127.0.0.1:{server.port}/ws", SECONDS)
    protocol = line._socket.protocol
    assert isinstance(protocol, WebSocketProtocol13)
    assert protocol.stream.socket.getsockopt(IPPROTO_TCP, TCP_NODELAY) == 1
    line.close()


@pytest.mark.gen_test
async def test_what_is_no_server_is_told_from_a_refusal() -> None:
    with pytest.raises(NotReachable, match="No server answers at"):
        await Server("http://127.0.0.1:1").room("x")
    stranger = HTTPServer(Application([("/api/moved", RedirectHandler, {"url": "https://elsewhere.example/"})]))
    socket, port = bind_unused_port()
    stranger.add_socket(socket)
    try:
        for path, told in (("/rooms", "no anonchat server"), ("/moved", "elsewhere.example")):
            with pytest.raises(NotReachable, match=told):
                await Server(f"http://127.0.0.1:{port}").call("GET", path)
    finally:
        stranger.stop()
        await stranger.close_all_connections()


@pytest.mark.gen_test
async def test_leaving_frees_the_name_at_once(link: str) -> None:
    async with await join(link, "Alice") as alice:
        seen = Witness(alice)
        await seen.until_online()
        await alice.leave()
        assert await seen.until(lambda event: isinstance(event, Closed)) == Closed(1000, "left")
        with pytest.raises(StopAsyncIteration):
            await anext(alice)
        with pytest.raises(ChatClosed):
            await alice.send("too late")
    async with await join(link, "Alice") as again:
        assert (await again.send("back")).seq == 1


@pytest.mark.gen_test
async def test_the_same_device_may_take_its_name_again(link: str, tmp_path: Path) -> None:
    device = device_of("room", tmp_path)
    assert device == device_of("room", tmp_path) != device_of("another", tmp_path)
    async with await join(link, "Alice", device_id=device) as alice:
        await Witness(alice).until_online()
    with pytest.raises(ChatRefused, match="taken"):
        await join(link, "Alice", device_id=device_of("room", tmp_path / "other"))
    async with await join(link, "Alice", device_id=device) as again:
        assert (await again.send("me again")).seq == 1


@pytest.mark.gen_test
@pytest.mark.parametrize(
    ("code", "reason"), [(4401, "session_expired"), (4403, "kicked"), (4410, "room_ended"), (1000, "left")]
)
async def test_some_endings_are_for_good(server: RunningServer, link: str, code: int, reason: str) -> None:
    async with await join(link, "Alice") as alice:
        seen = Witness(alice)
        await seen.until_online()
        waiting = asyncio.ensure_future(alice.request("get_history", {}))
        await waiting
        server.sessions.disconnect(alice.membership.session_id, code, reason)
        assert await seen.until(lambda event: isinstance(event, Closed)) == Closed(code, reason)
        for closed in (alice.send("x"), alice.presence()):
            with pytest.raises(ChatClosed) as error:
                await closed
            assert error.value.code == code
        assert not any(isinstance(event, Offline) for event in seen.events)


@pytest.mark.gen_test
async def test_who_could_not_identify_in_time_comes_back(server: RunningServer, link: str) -> None:
    async with await join(link, "Alice", pace=QUICK) as alice:
        seen = Witness(alice)
        await seen.until_online()
        server.sessions.disconnect(alice.membership.session_id, 4401, "not_identified")
        assert await seen.until_online() == Online(recovered=True, missed=0)


@pytest.mark.gen_test
async def test_a_session_that_is_not_known_is_not_tried_again(link: str) -> None:
    known = await join(link, "Alice")
    parts = {name: getattr(known.membership, name) for name in Membership.__slots__}
    async with Chat(Membership(**{**parts, "session_token": "0" * 64})) as stranger:
        seen = Witness(stranger)
        closed = await seen.until(lambda event: isinstance(event, Closed))
        assert closed == Closed(4401, "invalid_token")
        assert [event.event for event in seen.events if isinstance(event, Received)] == ["error"]


@pytest.mark.gen_test
async def test_closing_ends_what_waits(link: str) -> None:
    chat = await join(link, "Alice")
    async with chat:
        outgoing = chat.post("perhaps")
        asked = asyncio.ensure_future(chat.presence())
        await asyncio.sleep(0)
    for waiting in (outgoing, asked):
        with pytest.raises(ChatClosed):
            await waiting


@pytest.mark.gen_test
async def test_sends_wait_for_a_rate_and_keep_their_order(tmp_path: Path) -> None:
    async with running_server(settings_in(tmp_path, limits={"messages_per_session": "2/second"})) as server:
        link = (await Server(server.url).create_room("Slow")).join_url
        async with await join(link, "Alice") as alice:
            outgoing = [alice.post(str(number)) for number in range(5)]
            async with asyncio.timeout(SECONDS):
                assert [(await sent).seq for sent in outgoing] == [1, 2, 3, 4, 5]
            assert [wire["content"]["text"] for wire in (await alice.history())["messages"]] == list("01234")


@pytest.mark.gen_test
async def test_a_rate_that_stays_exhausted_fails_in_the_end(tmp_path: Path) -> None:
    async with running_server(settings_in(tmp_path, limits={"messages_per_session": "1/hour"})) as server:
        link = (await Server(server.url).create_room("Slow")).join_url
        async with await join(link, "Alice", pace=Pace(send_attempts=2, longest_wait=0.05)) as alice:
            assert (await alice.send("one")).seq == 1
            with pytest.raises(ChatRefused) as refused:
                await alice.send("two")
            assert refused.value.code == "rate_limited"
            assert (refused.value.retry_after or 0) > 60


class Quiet:
    """A plugin that does nothing."""


@pytest.mark.gen_test
async def test_it_is_known_whether_the_server_has_plugins(link: str, tmp_path: Path) -> None:
    (other := tmp_path / "other").mkdir()
    async with running_server(settings_in(other), plugins={"quiet": Quiet()}) as server:
        room = (await Server(server.url).create_room("Lunch")).join_url
        for where, plugins in ((link, ()), (room, ("quiet",))):
            async with await join(where, "Alice") as alice:
                assert alice.plugins == ()
                await Witness(alice).until_online()
                assert alice.plugins == plugins


@pytest.mark.gen_test
async def test_a_gap_is_filled_by_itself(server: RunningServer, link: str) -> None:
    async with await join(link, "Alice") as alice, await join(link, "Bob", pace=QUICK) as bob:
        seen = Witness(bob)
        await seen.until_online()
        await alice.send("one")
        await seen.until_text("one")
        server.hub.deliver(bob.membership.room_id, "message", {"content": {"text": "from the future"}}, seq=9)
        assert await seen.until_online() == Online(recovered=True, missed=0)
        await alice.send("two")
        await seen.until_text("two")
        assert seen.texts == ["one", "two"]


@pytest.mark.gen_test
async def test_resync_begins_anew(server: RunningServer, link: str) -> None:
    async with await join(link, "Alice") as alice, await join(link, "Bob", pace=QUICK) as bob:
        seen = Witness(bob)
        await seen.until_online()
        await alice.send("one")
        await seen.until_text("one")
        server.hub.deliver(bob.membership.room_id, "resync", {"reason": "too_much_was_lost"})
        assert await seen.until_online() == Online(recovered=False, missed=0)
        assert [wire["content"]["text"] for wire in seen.state.messages.values()] == ["one"]


@pytest.mark.gen_test
async def test_a_missed_join_is_asked_for(server: RunningServer, link: str) -> None:
    async with await join(link, "Alice") as alice:
        seen = Witness(alice)
        await seen.until_online()
        user = {"sessionId": "nobody", "username": "Nobody", "role": "participant"}
        hole = {"event": "join", "user": user, "total": 9, "version": 99}
        server.hub.deliver(alice.membership.room_id, "presence", hole)
        await seen.until(lambda event: isinstance(event, Received) and event.event == "presence_state")
        assert [person["username"] for person in seen.state.people.values()] == ["Alice"]


@pytest.mark.gen_test
async def test_a_change_of_oneself_holds_although_a_join_was_missed(server: RunningServer, link: str) -> None:
    async with await join(link, "Alice") as alice:
        seen = Witness(alice)
        await seen.until_online()
        role = {"role": "moderator"}
        change = {"event": "change", "user": {**seen.state.people[seen.state.me["sessionId"]], **role}, "version": 99}
        server.hub.deliver(alice.membership.room_id, "presence", {**change, "total": 9})
        await seen.until(lambda event: isinstance(event, Received) and event.event == "presence")
        assert seen.state.is_moderator
        await seen.until(lambda event: isinstance(event, Received) and event.event == "presence_state")
        assert not seen.state.is_moderator  # the server says that it is not so


@pytest.mark.gen_test
async def test_a_program_that_is_slow_catches_up_and_can_send_meanwhile(link: str) -> None:
    pace = Pace(events=20, shortest_wait=0.02, longest_wait=0.1)
    async with await join(link, "Alice") as alice, await join(link, "Bob", pace=pace) as bob:
        seen = Witness(bob)
        await seen.until_online()
        for number in range(100):
            await alice.send(str(number))
        await bob.send("I am slow")
        await alice.send("end")
        await seen.until_text("end")
        assert seen.texts == [*(str(number) for number in range(100)), "I am slow", "end"]


@pytest.mark.gen_test
async def test_a_repeated_send_is_one_message_and_only_that(link: str) -> None:
    async with await join(link, "Alice") as alice:
        first = await alice.post("once", client_msg_id="key")
        assert await alice.post("once", client_msg_id="key") == first
        # The control: without the same id it would be there twice.
        assert await alice.post("once", client_msg_id="another") != first
        assert [wire["seq"] for wire in (await alice.history())["messages"]] == [1, 2]


@pytest.mark.gen_test
async def test_a_message_may_have_any_id(link: str) -> None:
    async with await join(link, "Alice") as alice:
        await alice.presence()
        for number in range(1, 9):
            asked, sent = asyncio.ensure_future(alice.history()), alice.post("hello", client_msg_id=str(number))
            assert {"messages", "hasMore"} <= (await asked).keys()
            assert (await sent).seq == number
        with pytest.raises(ChatRefused) as refusal:
            await alice.post("hello", client_msg_id="x" * 200)
        assert refusal.value.code == "validation_failed"
