"""What a plugin tells while somebody is being told the state comes to them afterwards: neither before it nor never."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from anonchat import EventSchema, PluginContext, ServerEvent, hookimpl
from anonchat.delivery.hub import ARRIVAL_BYTES
from anonchat.testing import running_server, settings_in
from anonchat.testing.people import open_room


class Slow:
    """Takes as long to tell the state as the test wants."""

    @hookimpl
    def register_server_events(self) -> Sequence[ServerEvent]:
        return [ServerEvent(f"slow.{name}", EventSchema()) for name in ("state", "told")]

    @hookimpl
    async def setup(self, ctx: PluginContext) -> None:
        self.ctx = ctx
        self.read, self.go = asyncio.Event(), asyncio.Event()

    @hookimpl
    async def extend_state(self) -> Mapping[str, Mapping[str, Any]]:
        self.read.set()
        await self.go.wait()
        return {"slow.state": {}}


@pytest.mark.gen_test
async def test_what_is_told_meanwhile_comes_after_the_state(tmp_path: Path) -> None:
    slow = Slow()
    async with running_server(settings_in(tmp_path), plugins={"slow": slow}) as server:
        room, other = await open_room(server), await open_room(server)
        joined = (await room.join("Alice")).body
        coming = asyncio.create_task(room.identify("Alice", joined["sessionId"], joined["sessionToken"]))
        await slow.read.wait()
        rooms, alice = slow.ctx.rooms, joined["sessionId"]
        rooms.broadcast(room.id, "slow.told", {"to": "all"})
        rooms.send(room.id, alice, "slow.told", {"to": "alice"})
        rooms.send(other.id, alice, "slow.told", {"to": "alice, elsewhere"})
        rooms.broadcast(room.id, "slow.told", {"to": "others"}, skip=alice)
        rooms.broadcast(room.id, "slow.told", {"to": "moderators"}, moderators=True)
        rooms.broadcast(room.id, "slow.told", {"to": "another"}, only=["another"])
        slow.go.set()
        person = await coming
        assert [heard.event for heard in person.welcome][:2] == ["hello", "identified"]
        await person.send("send_message", {"text": "done", "clientMsgId": "done"})
        heard = []
        while (now := await person.read()) is not None and now.event != "message":
            heard.append((now.event, now.data))
        assert [(event, data) for event, data in heard if event.startswith("slow.")] == [
            ("slow.state", {}),
            ("slow.told", {"to": "all"}),
            ("slow.told", {"to": "alice"}),
        ]
        await person.close()


@pytest.mark.gen_test
async def test_what_is_told_meanwhile_keeps_its_place_among_what_is_said(tmp_path: Path) -> None:
    """Else a notification would come after the deletion of its message, and stay for ever."""
    slow = Slow()
    async with running_server(settings_in(tmp_path), plugins={"slow": slow}) as server:
        slow.go.set()
        room = await open_room(server)
        async with room.enter("Bob") as bob:
            joined = (await room.join("Alice")).body
            slow.read.clear()
            slow.go.clear()
            coming = asyncio.create_task(room.identify("Alice", joined["sessionId"], joined["sessionToken"]))
            await slow.read.wait()
            for number in range(3):
                slow.ctx.rooms.broadcast(room.id, "slow.told", {"number": number})
                assert (await bob.say(f"{number}")).event == "message_ack"
                await bob.hear("message")
            slow.go.set()
            person = await coming
            await bob.say("done")
            heard: list[object] = []
            while (now := await person.read()) is not None and now.data.get("content", {}).get("text") != "done":
                heard += [now.data["number"]] if now.event == "slow.told" else []
                heard += [now.data["content"]["text"]] if now.event == "message" else []
            assert heard == [0, "0", 1, "1", 2, "2"]
            await person.close()


@pytest.mark.gen_test
async def test_what_waits_for_somebody_who_comes_is_bounded(tmp_path: Path) -> None:
    slow = Slow()
    async with running_server(settings_in(tmp_path), plugins={"slow": slow}) as server:
        room = await open_room(server)
        joined = (await room.join("Alice")).body
        coming = asyncio.create_task(room.identify("Alice", joined["sessionId"], joined["sessionToken"]))
        await slow.read.wait()
        for number in range(1_000):
            slow.ctx.rooms.broadcast(room.id, "slow.told", {"number": number})
        slow.ctx.rooms.broadcast(room.id, "slow.told", {"much": "x" * ARRIVAL_BYTES})
        slow.go.set()
        person = await coming
        while await person.read() is not None:
            pass
        assert person.socket.close_code == 4413, "it comes again, instead of having missed something"
        await person.close()


class Large:
    """Has much to tell."""

    @hookimpl
    def register_server_events(self) -> Sequence[ServerEvent]:
        return [ServerEvent(f"large.{number}", EventSchema()) for number in range(3)]

    @hookimpl
    async def extend_state(self) -> Mapping[str, Mapping[str, Any]]:
        return {f"large.{number}": {"text": "x" * 60_000} for number in range(3)}


@pytest.mark.gen_test
async def test_all_that_somebody_is_told_fits_into_the_queue(tmp_path: Path) -> None:
    """History and states are each below what may wait for a connection, and together they are above it."""
    settings = settings_in(tmp_path, limits={"queue_bytes": 262_144})
    async with running_server(settings, plugins={"large": Large()}) as server:
        room = await open_room(server)
        async with room.enter("Alice") as alice:
            for _ in range(40):
                await alice.say("y" * 4_000)
        async with room.enter("Bob") as bob:
            await bob.send("heartbeat")
            told = []
            while (heard := await bob.read()) is not None and heard.event != "heartbeat_ack":
                told.append(heard.event)
            assert heard is not None, bob.socket.close_code
            assert [event for event in told if event.startswith("large")] == ["large.0", "large.1"]
