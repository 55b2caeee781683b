"""Ends at awkward moments: of a connection, of a session, of a room, of the server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import pytest
from sqlalchemy import text
from tornado.websocket import websocket_connect

from anonchat.app import Server
from anonchat.delivery.journal import Journal
from anonchat.errors import ChatError
from anonchat.models import Draft, Held, Session
from anonchat.plugins.hookspecs import hookimpl
from anonchat.rooms import retention as retention_module
from anonchat.store import rooms as statements
from anonchat.testing import running_server, settings_in
from anonchat.testing.clocks import SettableClock
from anonchat.testing.databases import run_sql
from anonchat.testing.people import open_room, request


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    async with running_server(settings_in(tmp_path)) as server:
        yield server


@pytest.mark.gen_test
async def test_what_is_sent_right_before_the_close_frame_was_sent(server: Server) -> None:
    room = await open_room(server)
    async with room.enter("Bob") as bob:
        async with room.enter("Alice") as alice:
            for number in range(3):
                await alice.send("send_message", {"text": f"last words {number}", "clientMsgId": str(number)})
            await alice.send("leave")
        for number in range(3):
            assert (await bob.hear("message")).data["content"]["text"] == f"last words {number}"
        assert [(await bob.hear("presence")).data["event"] for _ in range(2)] == ["join", "leave"]


@pytest.mark.gen_test
async def test_who_has_not_identified_is_told_of_the_shutdown(tmp_path: Path) -> None:
    async with running_server(settings_in(tmp_path)) as server:
        socket = await websocket_connect(f"ws://127.0.0.1:{server.port}/ws")
        assert "hello" in str(await socket.read_message())
        assert server.sockets.open
    assert await socket.read_message() is None
    assert socket.close_code == 1001
    socket.close()


@pytest.mark.gen_test
async def test_a_shutdown_without_storage_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[str] = []

    class Closing:
        @hookimpl
        async def shutdown(self) -> None:
            closed.append("plugin")

    async def full(*_: object, **__: object) -> None:
        raise ChatError("storage_full")

    async with running_server(settings_in(tmp_path), plugins={"closing": Closing()}) as server:
        monkeypatch.setattr(server.seats, "touch", full)
    assert closed == ["plugin"]
    async with running_server(settings_in(tmp_path)):
        """The lock of the database was given back."""


@pytest.mark.gen_test
async def test_a_room_is_purged_once_and_its_counts_are_those_of_the_first_look(tmp_path: Path) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    class Slow:
        asked = 0

        @hookimpl
        async def purge_room(self) -> dict[str, int]:
            Slow.asked += 1
            begun.set()
            await go_on.wait()
            return {"files": 1}

    async with running_server(settings_in(tmp_path), plugins={"slow": Slow()}) as server:
        room = await open_room(server)
        async with room.enter("Alice") as alice:
            await alice.say("one")
            ending = asyncio.create_task(server.retention.end(room.id, "over"))
            await begun.wait()
            await server.retention.purge()  # the job, in the middle of it
            go_on.set()
            await ending
            told = (await alice.hear("room_ended")).data
        assert (Slow.asked, told["deleted"]["messages"], told["deleted"]["slow.files"]) == (1, 1, 1)


@pytest.mark.gen_test
async def test_a_plugin_that_cannot_purge_is_asked_again(tmp_path: Path) -> None:
    class Failing:
        asked = 0

        @hookimpl
        async def purge_room(self) -> dict[str, int]:
            Failing.asked += 1
            if Failing.asked == 1:
                raise OSError("the files are away")
            return {"files": 2}

    clock = SettableClock()
    async with running_server(settings_in(tmp_path), clock, plugins={"failing": Failing()}) as server:
        room = await open_room(server)
        async with room.enter("Alice") as alice:
            await alice.say("one")
            await server.retention.end(room.id, "over")
        assert (await request(server, "GET", f"/api/rooms/{room.id}")).status == 410
        assert await server.retention.purge() == 0
        path = f"/api/rooms/{room.id}/deletion-report"
        waiting = (await request(server, "GET", path)).body
        assert (waiting["pending"], "failing.files" in waiting["deleted"]) == (["failing"], False)
        for _ in range(3):
            clock.advance(301)
            await server.retention.purge_again()
        assert Failing.asked == 2
        done = (await request(server, "GET", path)).body
        assert (done["pending"], done["deleted"]) == ([], waiting["deleted"] | {"failing.files": 2})


@pytest.mark.gen_test
async def test_rooms_that_end_together_are_told_without_waiting_for_what_is_erased(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SettableClock()
    begun: list[int] = []
    go_on = asyncio.Event()

    async def erase() -> None:
        begun.append(clock.now())
        await go_on.wait()

    async with running_server(settings_in(tmp_path), clock) as server, AsyncExitStack() as stack:
        monkeypatch.setattr(server.database, "erase", erase)
        rooms = [await open_room(server, chatDurationSeconds=60) for _ in range(3)]
        people = [await stack.enter_async_context(room.enter("Alice")) for room in rooms]
        clock.advance(60)
        for person in people:
            assert (await person.hear("room_ended")).data["deleted"]["participants"] == 1
        assert len(begun) <= 2, "once for all of them, and by retention"
        go_on.set()


@pytest.mark.gen_test
async def test_nobody_writes_in_a_room_that_is_over_while_another_is_purged(tmp_path: Path) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    class Slow:
        @hookimpl
        async def purge_room(self) -> None:
            begun.set()
            await go_on.wait()

    clock = SettableClock()
    async with running_server(settings_in(tmp_path), clock, plugins={"slow": Slow()}) as server:
        rooms = [await open_room(server, chatDurationSeconds=60) for _ in range(3)]
        async with AsyncExitStack() as stack:
            people = [await stack.enter_async_context(room.enter("Alice")) for room in rooms]
            clock.advance(60)
            await begun.wait()
            for person in people:
                refused = await person.ask("send_message", {"text": "too late", "clientMsgId": "1"})
                assert refused.data.get("code") == "room_ended"
            go_on.set()


@pytest.mark.gen_test
async def test_the_job_leaves_a_room_to_whoever_ends_it_and_tells_what_was_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running_server(settings_in(tmp_path), SettableClock()) as server:
        retention = server.retention
        finish = retention._finish_end

        async def after_the_job(*arguments: Any) -> None:
            assert await retention.purge() == 0
            await finish(*arguments)

        monkeypatch.setattr(retention, "_finish_end", after_the_job)
        room = await open_room(server)
        async with room.enter("Alice") as alice:
            await retention.end(room.id, "over")
            assert (await alice.hear("room_ended")).data["deleted"]["participants"] == 1


@pytest.mark.gen_test
async def test_members_of_a_room_whose_purge_takes_long_are_told_before_it_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention_module, "PATIENCE_SECONDS", 0.2, raising=False)
    go_on = asyncio.Event()

    class Slow:
        @hookimpl
        async def purge_room(self) -> dict[str, int]:
            await go_on.wait()
            return {"files": 3}

    clock = SettableClock()
    async with running_server(settings_in(tmp_path), clock, plugins={"slow": Slow()}) as server:
        room = await open_room(server)
        async with room.enter("Alice") as alice:
            await alice.say("one")
            await server.retention.end(room.id, "over")
            assert (await alice.hear("room_ended")).data == {"reason": "over", "deleted": {}}
        go_on.set()
        assert await server.retention.purge() == 1
        report = (await request(server, "GET", f"/api/rooms/{room.id}/deletion-report")).body
        assert (report["deleted"]["messages"], report["deleted"]["slow.files"]) == (1, 3)


@pytest.mark.gen_test
@pytest.mark.parametrize("answer", [{"files": 2**70}, {"\ud800": 1}])
async def test_an_answer_that_no_report_can_hold_is_contained(tmp_path: Path, answer: dict[str, int]) -> None:
    class Nonsense:
        @hookimpl
        async def purge_room(self) -> dict[str, int]:
            return answer

    async with running_server(settings_in(tmp_path), plugins={"nonsense": Nonsense()}) as server:
        room = await open_room(server)
        async with room.enter("Alice") as alice:
            await server.retention.end(room.id, "over")
            assert (await alice.hear("room_ended")).data["deleted"]["participants"] == 1
        failures = server.metrics.text().decode()
        assert 'anonchat_plugin_failures_total{hook="purge_room",plugin="nonsense"} 1.0' in failures


@pytest.mark.gen_test
async def test_a_room_that_cannot_be_purged_holds_up_no_other_and_raises_an_alarm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention_module, "ROOMS", 1)
    clock = SettableClock()
    async with running_server(settings_in(tmp_path, rooms={"purge_grace_seconds": 60}), clock) as server:
        rooms = sorted([(await open_room(server)).id for _ in range(3)])
        for room_id in rooms:
            await server.retention.end(room_id, "over")
        purge = server.retention._purge

        async def purge_the_others(room_id: str, *arguments: Any) -> dict[str, int] | None:
            if room_id == rooms[0]:
                raise ChatError("conflict")
            return await purge(room_id, *arguments)

        with monkeypatch.context() as patch:
            patch.setattr(server.retention, "_purge", purge_the_others)
            clock.advance(server.settings.retention.overdue_seconds + 1)
            with pytest.raises(ChatError):
                await server.retention.purge()
            assert {room_id for (room_id,) in run_sql(tmp_path, "SELECT id FROM rooms")} == {rooms[0]}
            async with asyncio.timeout(60):
                while any(server.jobs._finished.get(job) != clock.now() for job in ("retention", "rooms")):
                    await asyncio.sleep(0.01)
            assert server.is_retention_overdue()
        clock.advance(31)
        async with asyncio.timeout(60):
            while server.is_retention_overdue():
                await asyncio.sleep(0.01)
        assert run_sql(tmp_path, "SELECT id FROM rooms") == []


@pytest.mark.gen_test
async def test_a_large_room_goes_in_lots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All but the room itself and the sessions of those who are there: they are told of its end."""
    async with running_server(settings_in(tmp_path, retention={"batch": 5})) as server:
        room = await open_room(server)
        for name in ("Bob", "Carol"):
            async with room.enter(name) as person:
                await person.say("one")
        await server.jobs.stop()
        async with room.enter("Alice") as alice:
            said = [await alice.say(f"{number}") for number in range(12)]
            for ack in said:
                await alice.ask("edit_message", {"messageId": ack.data["serverMessageId"], "text": "else"})
            for ack in said[:6]:
                await alice.ask("delete_message", {"messageId": ack.data["serverMessageId"]})
            run_sql(tmp_path, "UPDATE sessions SET seat_until = 1 WHERE username <> 'Alice'")
            with monkeypatch.context() as patch:
                patch.setattr(statements, "DELETE_ROOM", text("SELECT 1 / 0 FROM nothing"))
                await server.retention.end(room.id, "over")
            left = {
                table: run_sql(tmp_path, f"SELECT count(*) FROM {table}")[0][0]
                for table in ("rooms", "messages", "events", "receipts", "sessions")
            }
            assert left == {"rooms": 1, "messages": 0, "events": 0, "receipts": 0, "sessions": 1}
            assert await server.retention.purge() == 1
            assert run_sql(tmp_path, "SELECT count(*) FROM sessions") == [(0,)]
            assert (await alice.hear("room_ended")).data["reason"] == "over"
        report = await request(server, "GET", f"/api/rooms/{room.id}/deletion-report")
        deleted = {name: report.body["deleted"][name] for name in ("messages", "events", "participants", "receipts")}
        assert deleted == {"messages": 14, "events": 12, "participants": 3, "receipts": 14}


@pytest.mark.gen_test
async def test_of_rooms_that_end_together_one_lot_is_deleted_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is said elsewhere waits for a lot of one room, and not for one of each; nor does a small room wait for a large one."""
    deleted, at_once = list[str](), [0]
    transaction = Journal.transaction

    async def noted(self: Journal, work: Any, room: str | None = None, *more: Any) -> Any:
        if not isinstance(work, partial):
            return await transaction(self, work, room, *more)
        deleted.append(str(room))
        at_once.append(at_once[-1] + 1)
        try:
            return await transaction(self, work, room, *more)
        finally:
            at_once.append(at_once[-1] - 1)

    clock = SettableClock()
    async with running_server(settings_in(tmp_path, retention={"batch": 1}), clock) as server:
        await server.jobs.stop()
        rooms = [await open_room(server, chatDurationSeconds=60) for _ in range(4)]
        for room in rooms:
            async with room.enter("Alice") as alice:
                for number in range(4):
                    await alice.say(f"{number}")
        clock.advance(60)
        monkeypatch.setattr(Journal, "transaction", noted)
        assert await server.retention.expire() == 4
        assert run_sql(tmp_path, "SELECT id FROM rooms") == []
    assert len(deleted) > 4 * 5
    assert max(at_once) == 1
    first = [deleted.index(room) for room in set(deleted)]
    last = [len(deleted) - deleted[::-1].index(room) for room in set(deleted)]
    assert max(first) < min(last), "in turns"


@pytest.mark.gen_test
async def test_a_plugin_that_could_not_purge_while_the_clock_was_ahead_is_asked_again(tmp_path: Path) -> None:
    class Failing:
        asked = 0

        @hookimpl
        async def purge_room(self) -> None:
            Failing.asked += 1
            if Failing.asked == 1:
                raise OSError("the files are away")

    clock = SettableClock()
    async with running_server(settings_in(tmp_path), clock, plugins={"failing": Failing()}) as server:
        await server.jobs.stop()  # the same as a job
        room = await open_room(server)
        clock.advance(3_600)
        await server.retention.end(room.id, "over")
        clock.advance(-3_600)
        for _ in range(2):
            await server.retention.purge_again()
        assert Failing.asked == 2


@pytest.mark.gen_test
async def test_what_is_sent_while_identify_runs_is_handled_after_the_close(server: Server) -> None:
    room = await open_room(server)
    joined = (await room.join("Alice")).body
    async with room.enter("Bob") as bob:
        socket = await websocket_connect(f"ws://127.0.0.1:{server.port}/ws")
        frames: list[tuple[str, dict[str, str]]] = [("identify", {"token": joined["sessionToken"]})]
        frames += [("send_message", {"text": f"text {number}", "clientMsgId": str(number)}) for number in range(20)]
        for event, data in frames:
            socket.write_message(json.dumps({"event": event, "data": data}))
        socket.close()
        for number in range(20):
            assert (await bob.hear("message")).data["content"]["text"] == f"text {number}"


@pytest.mark.gen_test
async def test_what_was_sent_before_a_close_that_comes_in_the_midst_of_identify_is_handled(tmp_path: Path) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    class Slow:
        @hookimpl
        async def extend_welcome(self, session: Session) -> dict[str, str]:
            if session.username == "Alice":
                begun.set()
                await go_on.wait()
            return {}

    async with running_server(settings_in(tmp_path), plugins={"slow": Slow()}) as server:
        room = await open_room(server)
        joined = (await room.join("Alice")).body
        async with room.enter("Bob") as bob:
            socket = await websocket_connect(f"ws://127.0.0.1:{server.port}/ws")
            for event, data in (
                ("identify", {"token": joined["sessionToken"]}),
                ("send_message", {"text": "and goodbye", "clientMsgId": "1"}),
            ):
                await socket.write_message(json.dumps({"event": event, "data": data}))
            await begun.wait()
            socket.close()
            while await socket.read_message() is not None:
                pass  # the server has seen the close, and answered it
            go_on.set()
            assert (await bob.hear("message")).data["content"]["text"] == "and goodbye"


@pytest.mark.gen_test
async def test_a_held_message_that_was_deleted_is_not_acknowledged_again(tmp_path: Path) -> None:
    class Holding:
        @hookimpl
        async def filter_message(self, draft: Draft) -> Held:
            return Held(None, "a moderator looks at it")

    async with running_server(settings_in(tmp_path), plugins={"holding": Holding()}) as server:
        room = await open_room(server)
        async with room.enter("Alice") as alice:
            said = {"text": "Hello", "clientMsgId": "1"}
            held = await alice.ask("send_message", said)
            assert held.event == "message_held"
            assert (await alice.ask("delete_message", {"messageId": held.data["messageId"]})).event == "delete_ack"
            assert (await alice.ask("send_message", said)).data["code"] == "message_not_found"


@pytest.mark.gen_test
async def test_a_switched_off_plugin_is_asked_when_it_is_on_again(tmp_path: Path) -> None:
    clock = SettableClock()

    class Away:
        is_back = False
        purged: ClassVar[list[str]] = []

        @hookimpl
        async def purge_room(self, room_id: str) -> dict[str, int]:
            if not self.is_back:
                raise OSError("away")
            self.purged.append(room_id)
            return {}

    plugin = Away()
    async with running_server(settings_in(tmp_path), clock, plugins={"away": plugin}) as server:
        room = await open_room(server)
        await server.retention.end(room.id, "over")
    clock.advance(400)
    async with running_server(settings_in(tmp_path), clock) as server:
        await server.retention.purge_again()
    plugin.is_back = True
    clock.advance(400)
    async with running_server(settings_in(tmp_path), clock, plugins={"away": plugin}) as server:
        await server.retention.purge_again()
        await server.retention.purge_again()
    assert plugin.purged == [room.id]


@pytest.mark.gen_test
async def test_a_session_that_expires_while_connected_is_told_before_its_socket_closes(tmp_path: Path) -> None:
    clock = SettableClock()
    async with running_server(settings_in(tmp_path), clock) as server:
        room = await open_room(server, ephemeral=False)
        async with room.enter("Alice") as alice:
            clock.advance(server.settings.sessions.ttl_seconds + 1)
            assert await server.sessions.expire() == 1
            assert (await alice.hear("error")).data["code"] == "session_expired"
        assert alice.socket.close_code == 4401
