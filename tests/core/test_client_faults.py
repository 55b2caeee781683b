"""Cut lines, dead lines, killed and restarted servers: nothing is missed or doubled, and what waits is sent once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from itertools import chain
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from anonchat.client import Chat, ChatEvent, Membership, Offline, Online, Pace, Received, RoomState, Server, join
from anonchat.testing import UNLIMITED, running_server, settings_in
from anonchat.testing.processes import ServerProcess

SECONDS = 60
QUICK = Pace(shortest_wait=0.02, longest_wait=0.1, heartbeat=0.1, answer=0.3, connect=0.5, welcome=2.0)


class Wire:
    """A TCP connection through a proxy that can be cut, or go dead without a word."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._writers: set[asyncio.StreamWriter] = set()
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._pumps: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        self._server.close()
        for pump in self._pumps:
            pump.cancel()
        await asyncio.gather(*self._pumps, return_exceptions=True)
        self.cut()

    def cut(self) -> None:
        """End every connection at once."""
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    def freeze(self) -> None:
        """Let no byte through from now on, and end nothing."""
        self._flowing.clear()

    def thaw(self) -> None:
        """The opposite; what has hung until then is lost."""
        self.cut()
        self._flowing.set()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self._target)
        self._writers |= {writer, there_writer}
        for source, target in ((reader, there_writer), (there_reader, writer)):
            pump = asyncio.ensure_future(self._pump(source, target))
            self._pumps.add(pump)
            pump.add_done_callback(self._pumps.discard)

    async def _pump(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        try:
            while data := await source.read(65_536):
                await self._flowing.wait()
                target.write(data)
                await target.drain()
        except ConnectionError:
            return
        finally:
            target.close()


class Witness:
    """Takes a chat's events in the background: keeps them, and the state that they make."""

    def __init__(self, chat: Chat) -> None:
        self.state = RoomState()
        self.events: list[ChatEvent] = []
        self._chat = chat
        self._came = asyncio.Event()
        self._task = asyncio.ensure_future(self._take())

    async def _take(self) -> None:
        async for event in self._chat:
            self.events.append(event)
            if isinstance(event, Received):
                self.state.apply(event.event, event.data, event.seq)
            self._came.set()

    async def until(self, is_so: Callable[[], bool]) -> None:
        async with asyncio.timeout(SECONDS):
            while not is_so():
                self._came.clear()
                await self._came.wait()

    async def until_online(self) -> None:
        await self.until(lambda: bool(self.onlines))

    async def until_text(self, text: str) -> None:
        await self.until(lambda: text in self.texts)

    @property
    def texts(self) -> list[str]:
        """Of the messages that came as events, in order: what came twice stands here twice."""
        messages = [event for event in self.events if isinstance(event, Received) and event.event == "message"]
        return [str(event.data["content"]["text"]) for event in messages]

    @property
    def seqs(self) -> list[int]:
        return [event.seq for event in self.events if isinstance(event, Received) and event.seq is not None]

    @property
    def onlines(self) -> list[Online]:
        return [event for event in self.events if isinstance(event, Online)]

    @property
    def is_offline(self) -> bool:
        return isinstance(self.events[-1], Offline)


async def fresh_state(link: str, name: str) -> RoomState:
    """What somebody sees who comes now."""
    async with await join(link, name) as chat:
        seen = Witness(chat)
        await seen.until_online()
        return seen.state


async def through(wire: Wire, link: str, name: str, pace: Pace = QUICK) -> Chat:
    """Join, but with the socket going through a wire."""
    membership: Membership = (await join(link, name)).membership
    path = urlsplit(membership.websocket_url).path
    return Chat(replace(membership, websocket_url=f"ws://127.0.0.1:{wire.port}{path}"), pace=pace)


@pytest.fixture
async def link(tmp_path: Path) -> AsyncIterator[str]:
    async with running_server(settings_in(tmp_path)) as server:
        yield (await Server(server.url).create_room("Lunch")).join_url


@pytest.fixture
async def wire(link: str) -> AsyncIterator[Wire]:
    wire = Wire(urlsplit(link).port or 0)
    await wire.start()
    yield wire
    await wire.stop()


@pytest.mark.gen_test
async def test_many_cuts_lose_and_double_nothing(link: str, wire: Wire) -> None:
    async with await join(link, "Alice") as alice, await through(wire, link, "Bob") as bob:
        seen = Witness(bob)
        await seen.until_online()
        sent = []
        for turn in range(6):
            wire.cut()
            waiting = [bob.post(f"bob {turn}.{number}") for number in range(3)]
            for number in range(3):
                sent.append(await alice.send(f"alice {turn}.{number}"))
            await alice.edit(sent[0].message_id, f"changed in turn {turn}")
            sent += [await outgoing for outgoing in waiting]
        await alice.delete(sent[1].message_id)
        await alice.send("end")
        await seen.until_text("end")
        fresh = await fresh_state(link, "Carol")
        assert seen.state.messages == fresh.messages
        assert seen.seqs == sorted(set(seen.seqs))
        assert len(seen.texts) == len(set(seen.texts)) == 6 * 6 + 1
        own = [text for text in seen.texts if text.startswith("bob")]
        assert own == [f"bob {turn}.{number}" for turn in range(6) for number in range(3)]
        assert len(seen.onlines) >= 4
        assert all(online.recovered for online in seen.onlines[1:])


@pytest.mark.gen_test
async def test_a_dead_line_is_noticed_and_replaced(link: str, wire: Wire) -> None:
    async with await join(link, "Alice") as alice, await through(wire, link, "Bob") as bob:
        seen = Witness(bob)
        await seen.until_online()
        wire.freeze()
        await alice.send("one")
        waiting = bob.post("two")
        await seen.until(lambda: seen.is_offline)
        assert seen.texts == []
        wire.thaw()
        await waiting
        await seen.until_text("two")
        assert seen.texts == ["one", "two"]
        back = seen.onlines[-1]
        assert (back.recovered, back.missed) in ((True, 1), (True, 2))


@pytest.mark.gen_test
async def test_a_program_that_takes_no_events_can_send_over_cut_lines(link: str, wire: Wire) -> None:
    async with await join(link, "Alice") as alice, await through(wire, link, "Bob", replace(QUICK, events=30)) as bob:
        async for event in bob:
            if isinstance(event, Online):
                break
        for turn in range(3):
            for number in range(20):
                await alice.send(f"alice {turn}.{number}")
            wire.cut()
            async with asyncio.timeout(SECONDS):
                await bob.send(f"bob {turn}")
        seen = Witness(bob)
        await seen.until_text("bob 2")
        said = [[*(f"alice {turn}.{number}" for number in range(20)), f"bob {turn}"] for turn in range(3)]
        assert list(seen.state.messages.values())[-50:] == list((await fresh_state(link, "Carol")).messages.values())
        assert seen.texts == list(chain.from_iterable(said))


@pytest.mark.gen_test
async def test_a_program_that_only_sends_is_never_cut_off_and_may_begin_to_listen(link: str, wire: Wire) -> None:
    async with await through(wire, link, "Bob", replace(QUICK, events=12)) as bob:
        for turn in range(20):
            async with asyncio.timeout(SECONDS):
                await bob.send(f"bob {turn}")
            wire.cut()
        seen = Witness(bob)
        await seen.until_text("bob 19")
        assert seen.texts == [f"bob {turn}" for turn in range(20)]
        assert len(seen.events) < 20 * 3, "what waited for the program was bounded"


@pytest.mark.gen_test
async def test_too_much_missed_is_an_explicit_fresh_start(link: str, wire: Wire) -> None:
    async with await join(link, "Alice") as alice, await through(wire, link, "Bob") as bob:
        seen = Witness(bob)
        await seen.until_online()
        wire.freeze()
        for sent in [alice.post(str(number)) for number in range(180)]:
            await sent
        for sent in [alice.post(str(number)) for number in range(180, 350)]:
            await sent
        await seen.until(lambda: seen.is_offline)
        wire.thaw()
        await seen.until(lambda: len(seen.onlines) == 2)
        assert seen.onlines[-1] == Online(recovered=False, missed=0)
        assert seen.state.messages == (await fresh_state(link, "Carol")).messages
        assert seen.state.has_more


@pytest.mark.gen_test
async def test_a_server_that_goes_away_says_when_to_come_back(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, server={"port": 0, "drain_seconds": 1.0})
    async with running_server(settings) as server:
        port, base_url = server.port, server.url
        link = (await Server(base_url).create_room("Lunch")).join_url
        alice = await join(link, "Alice", pace=QUICK)
        await alice.__aenter__()
        seen = Witness(alice)
        await alice.send("before")
    await seen.until(lambda: any(isinstance(event, Offline) for event in seen.events))
    told = [event for event in seen.events if isinstance(event, Received) and event.event == "going_away"]
    asked = told[0].data["reconnectAfterMs"] / 1000
    first = next(event for event in seen.events if isinstance(event, Offline))
    assert asked <= first.retry_in <= asked + QUICK.shortest_wait
    waiting = alice.post("meanwhile")
    async with running_server(replace(settings, server=replace(settings.server, port=port))):
        async with asyncio.timeout(SECONDS):
            assert (await waiting).seq == 2
        await seen.until_text("meanwhile")
        assert [online.recovered for online in seen.onlines] == [False, True]
        await alice.close()


@pytest.mark.gen_test
async def test_a_killed_server_costs_nobody_a_message(tmp_path: Path) -> None:
    limits = {f"ANONCHAT_LIMITS__{name.upper()}": str(value) for name, value in UNLIMITED.items()}
    with ServerProcess(tmp_path, limits) as process:
        link = (await Server(process.url).create_room("Lunch")).join_url
        async with await join(link, "Alice", pace=QUICK) as alice, await join(link, "Bob", pace=QUICK) as bob:
            seen, heard = Witness(alice), Witness(bob)
            for witness in (seen, heard):
                await witness.until_online()
            acks = {}
            for life in range(3):
                outgoing = [alice.post(f"{life}.{number}") for number in range(30)]
                acks[f"{life}.0"] = await outgoing[0]
                process.kill()
                process.start()
                async with asyncio.timeout(SECONDS):
                    acks |= {sent.text: await sent for sent in outgoing}
            await bob.send("end")
            for witness in (seen, heard):
                await witness.until_text("end")
                assert witness.texts == [*(f"{life}.{number}" for life in range(3) for number in range(30)), "end"]
                assert all(online.recovered for online in witness.onlines[1:])
            assert len(seen.onlines) >= 4
            stored = {str(wire["content"]["text"]): wire["id"] for wire in seen.state.messages.values()}
            assert {text: ack.message_id for text, ack in acks.items()}.items() <= stored.items()
            assert (
                list((await fresh_state(link, "Carol")).messages.values()) == list(seen.state.messages.values())[-50:]
            )
