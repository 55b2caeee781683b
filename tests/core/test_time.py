"""What time does: rooms end, messages go, sessions lapse, jobs run once; and what a clock that leaps does not do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, nullcontext
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from anonchat import Draft, Event, Held, hookimpl
from anonchat.app import Server
from anonchat.clock import Clock
from anonchat.errors import ChatError
from anonchat.ids import MessageIds
from anonchat.observability.metrics import Metrics
from anonchat.people.seats import Applicant
from anonchat.plugins import jobs as jobs_module
from anonchat.plugins.declarations import Job
from anonchat.plugins.jobs import Jobs
from anonchat.rooms import retention as retention_module
from anonchat.rooms.rooms import NewRoom
from anonchat.store.rooms import UPDATE_ENDED
from anonchat.testing import running_server, settings_in
from anonchat.testing.clocks import SettableClock
from anonchat.testing.databases import failing, is_on_postgres, run_sql, tables_in
from anonchat.testing.people import OpenRoom, Person, open_room, request
from anonchat_memory import MemoryEphemeral

MARK = "quokka"  # in everything that people write, and in nothing else
HOUR = 3_600
YEAR = 365 * 24 * HOUR


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock()


@pytest.fixture
async def server(tmp_path: Path, clock: SettableClock) -> AsyncIterator[Server]:
    async with running_server(settings_in(tmp_path), clock) as server:
        yield server


def traces(folder: Path) -> list[str]:
    """Where something that people wrote can be read: files of SQLite, tables of a database server."""
    if is_on_postgres():
        return [table for table in tables_in(folder) if MARK in str(run_sql(folder, f'SELECT * FROM "{table}"'))]
    return sorted(path.name for path in folder.glob("anonchat.db*") if MARK.encode() in path.read_bytes())


def rows_about(folder: Path, value: str) -> dict[str, int]:
    """Table -> how many rows hold a value in any column."""
    found = {}
    for table in tables_in(folder):
        rows = run_sql(folder, f'SELECT * FROM "{table}"')
        if count := sum(value in row for row in rows):
            found[table] = count
    return found


async def until(condition: Any) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.01)


async def talk(person: Person, count: int) -> list[str]:
    """Write, change and delete; returns the ids of what was written."""
    ids = [(await person.say(f"{MARK} {number} " + "x" * 200)).data["serverMessageId"] for number in range(count)]
    await person.ask("edit_message", {"messageId": ids[0], "text": f"{MARK} changed"})
    await person.ask("delete_message", {"messageId": ids[1]})
    return ids


@pytest.mark.gen_test
async def test_a_room_ends_with_everything_in_it(server: Server, clock: SettableClock, tmp_path: Path) -> None:
    room = await open_room(server, f"{MARK} room", description=f"about {MARK}", chatDurationSeconds=2 * HOUR)
    async with room.enter(f"{MARK} one") as one, room.enter(f"{MARK} two") as two:
        await talk(one, 60)
        await talk(two, 60)
        assert traces(tmp_path) != []
        for wait, remaining in ((2 * HOUR - 600, 600), (540, 60)):
            clock.advance(wait)
            for person in (one, two):
                assert (await person.hear("room_ttl_warning")).data == {"remainingSeconds": remaining}
        clock.advance(60)
        for person in (one, two):
            ended = (await person.hear("room_ended")).data
            assert ended["reason"] == "expired"
            told = {name: ended["deleted"][name] for name in ("messages", "participants", "receipts", "invites")}
            assert told == {"messages": 120, "participants": 2, "receipts": 120, "invites": 2}
            await until(lambda person=person: person.socket.close_code == 4410)
    for method, path in (("GET", ""), ("GET", "/time-remaining")):
        assert (await request(server, method, f"/api/rooms/{room.id}{path}")).status == 410
    assert (await room.join("Late")).status == 410
    assert rows_about(tmp_path, room.id) == {"ended_rooms": 1}
    for session_id in (one.session_id, two.session_id):
        assert rows_about(tmp_path, session_id) == {}
    assert traces(tmp_path) == []


@pytest.mark.gen_test
async def test_messages_go_when_their_time_is_over(server: Server, clock: SettableClock, tmp_path: Path) -> None:
    room = await open_room(server, retentionSeconds=HOUR)
    async with room.enter("One") as one:
        await talk(one, 40)
        position = (await one.ask("heartbeat")).data["seq"]
        epoch = one.welcome[1].data["epoch"]
        clock.advance(HOUR - 100)
        kept = (await one.say("younger")).data["seq"]
        clock.advance(200)
        removed = await one.hear("messages_removed")
        assert (removed.data["throughSeq"], removed.seq) == (position, kept + 1)
        back = await room.identify("One", one.session_id, one.token, since=position - 3, epoch=epoch)
        replay = back.welcome[-1]
        await back.close()
    assert replay.event == "replay"
    events = [event["event"] for event in replay.data["events"]]
    assert events == ["gone", "gone", "gone", "message", "messages_removed"]
    await until(lambda: traces(tmp_path) == [])


@pytest.mark.sqlite
@pytest.mark.gen_test
async def test_what_people_delete_change_or_forget_is_gone_for_real(
    server: Server, clock: SettableClock, tmp_path: Path
) -> None:
    """Also without any retention: the next run empties the write-ahead log."""
    room = await open_room(server, ephemeral=False)
    async with room.enter("One") as one:
        for message_id in (await talk(one, 5))[2:]:
            await one.ask("delete_message", {"messageId": message_id})
        first = (await one.hear("message")).data["id"]
        await one.ask("edit_message", {"messageId": first, "text": "harmless"})
        async with room.enter("Two") as two:
            await talk(two, 30)
            await two.ask("leave", {"forget": True})
        assert traces(tmp_path) != []
        clock.advance(61)
        await until(lambda: traces(tmp_path) == [])


@pytest.mark.gen_test
async def test_one_run_of_retention_sees_every_room(
    server: Server, clock: SettableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention_module, "ROOMS", 3)
    for number in range(8):
        created = await server.rooms.create(NewRoom(f"Room {number}", retention_seconds=60))
        applicant = Applicant("One", "participant", "network")
        session, _ = await server.seats.join(created.room, applicant, created.invite_token)
        await server.intake.send(
            session, {"text": "x", "client_msg_id": "1", "reply_to_id": None}, lambda outcome: None
        )
    await server.writer.finish()
    await server.jobs.stop()  # the same as a job
    clock.advance(61)
    assert await server.retention.run() == (8, 8)


@pytest.mark.gen_test
async def test_idle_sessions_end_and_connected_ones_do_not(clock: SettableClock, tmp_path: Path) -> None:
    often = {"name_hold_seconds": 3}  # on many nodes it takes the longer, the more seldom people are touched
    async with running_server(settings_in(tmp_path, sessions=often), clock) as server, AsyncExitStack() as stack:
        room = await open_room(server, ephemeral=False)
        one = await stack.enter_async_context(room.enter("One"))
        async with room.enter("Two") as two:
            pass
        for _ in range(4):
            clock.advance(server.settings.sessions.ttl_seconds // 2)
            await until(lambda: server.seats._touched == clock.now())
        async with asyncio.timeout(60):
            while rows_about(tmp_path, two.session_id):
                clock.advance(61)
                await asyncio.sleep(0.1)
        assert (await one.say("still here")).event == "message_ack"
        refused = await room.identify("Two", two.session_id, two.token)
        assert refused.welcome[-1].data["code"] == "invalid_token"
        await refused.close()
        assert refused.socket.close_code == 4401


@pytest.mark.gen_test
async def test_every_room_is_warned_however_many_end_together(
    server: Server, clock: SettableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention_module, "ROOMS", 2)
    rooms = [await open_room(server, chatDurationSeconds=HOUR) for _ in range(5)]
    async with AsyncExitStack() as stack:
        people = [await stack.enter_async_context(room.enter("Alice")) for room in rooms]
        await server.jobs.stop()  # the same as a job
        for wait, remaining in ((HOUR - 600, 600), (540, 60)):
            clock.advance(wait)
            for _ in range(3):
                await server.retention.expire()
            for person in people:
                assert (await person.hear("room_ttl_warning")).data == {"remainingSeconds": remaining}


@pytest.mark.gen_test
@pytest.mark.parametrize(
    ("duration", "warned"), [(1_201, [600, 60]), (1_200, [60]), (121, [60]), (120, [12]), (60, [6])]
)
async def test_a_short_room_is_warned_late(
    server: Server, clock: SettableClock, duration: int, warned: list[int]
) -> None:
    room = await open_room(server, chatDurationSeconds=duration)
    async with room.enter("Alice") as alice:
        await server.jobs.stop()
        heard = []
        for _ in range(duration):
            clock.advance(1)
            await server.retention.expire()
        while (told := await alice.read()) is not None and told.event != "room_ended":
            heard += [told.data["remainingSeconds"]] if told.event == "room_ttl_warning" else []
        assert heard == warned


class Delay:
    """A plugin that holds every message for a minute."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.saved: list[str] = []

    @hookimpl
    async def filter_message(self, draft: Draft) -> Held:
        return Held(self.clock.now() + 60_000, "delay")

    @hookimpl
    async def message_saved(self, message: Any) -> None:
        self.saved.append(message.content["text"])

    @hookimpl
    async def event_saved(self, event: Event) -> None:
        return None


@pytest.mark.gen_test
async def test_held_messages_are_released_in_order(tmp_path: Path, clock: SettableClock) -> None:
    """Also those of one millisecond, and although a room that has ended in between held some that were due first."""
    configured = settings_in(tmp_path, rooms={"purge_grace_seconds": HOUR})
    async with running_server(configured, clock, plugins={"delay": Delay(clock)}) as server:
        over = await open_room(server)
        async with over.enter("Zero") as zero:
            assert (await zero.say("never seen")).event == "message_held"
            await server.retention.end(over.id, "closing time")
            await zero.hear("room_ended")
        room = await open_room(server)
        async with room.enter("One") as one:
            texts = [f"text {number}" for number in range(30)]
            for number, text in enumerate(texts):
                await one.send("send_message", {"text": text, "clientMsgId": str(number)})
            for _ in texts:
                await one.hear("message_held")
            assert (await one.ask("heartbeat")).data["seq"] == 0
            clock.advance(61)
            shown = [await one.hear("message") for _ in texts]
            assert [message.data["content"]["text"] for message in shown] == texts
            assert [message.seq for message in shown] == list(range(1, 31))
            again = await one.ask("send_message", {"text": texts[0], "clientMsgId": "0"})
            assert (again.event, again.data["seq"]) == ("message_ack", 1)


def test_ids_of_messages_only_grow() -> None:
    ids = MessageIds()
    moments = [1_800_000_000_000] * 10_000 + [1_800_000_000_005, 1_799_999_000_000, 1_800_000_100_000]
    made = [ids.next(now) for now in moments]
    assert made == sorted(set(made))
    assert {(one[14], one[19] in "89ab", len(one)) for one in made} == {("7", True, 36)}
    assert made[-1].replace("-", "").startswith(f"{moments[-1]:012x}")


@pytest.mark.gen_test
@pytest.mark.parametrize("leap", [HOUR, -HOUR, YEAR, -YEAR])
async def test_a_clock_that_leaps_breaks_nothing(server: Server, clock: SettableClock, leap: int) -> None:
    room = await open_room(server, ephemeral=False)
    async with room.enter("One") as one:
        async with room.enter("Two") as two:
            assert (await one.hear("presence")).data["event"] == "join"
            await one.say("before")
            clock.advance(leap)
            ack = await two.say("after")
            assert (ack.event, ack.data["seq"]) == ("message_ack", 2)
            assert [(await one.hear("message")).seq for _ in range(2)] == [1, 2]
            assert (await room.join("one")).body["code"] == "username_taken"
        await until(lambda: not server.hub.of_session(two.session_id))
        clock.advance(leap)
        await left(server, clock, one)
        await until_finished(server, clock, "retention")
        assert (await one.ask("heartbeat")).event == "heartbeat_ack"


async def left(server: Server, clock: SettableClock, witness: Person) -> None:
    """Wait until somebody's departure was told, within the grace."""
    clock.advance(server.settings.sessions.grace_seconds + 1)
    assert (await witness.hear("presence")).data["event"] == "leave"


async def until_finished(server: Server, clock: SettableClock, job: str) -> None:
    """Wait until a job has run again, within its interval."""
    clock.advance(server.settings.retention.interval_seconds + 1)
    await until(lambda: server.jobs._finished.get(job) == clock.now())


@pytest.mark.gen_test
async def test_a_token_that_is_given_after_the_clock_was_set_back_is_good(server: Server, clock: SettableClock) -> None:
    room = await open_room(server)
    tokens = []
    for _ in range(11):
        tokens.append((await room.join("Ann", deviceId="a-device")).body["sessionToken"])
        clock.advance(1)
    clock.advance(-60)
    joined = (await room.join("Ann", deviceId="a-device")).body
    tokens.append(joined["sessionToken"])
    answers = [await request(server, "GET", f"/api/rooms/{room.id}/messages", token=token) for token in tokens]
    assert [answer.status for answer in answers] == [401] * 2 + [200] * 10, "a session keeps ten"


class Count:
    """Work of a job that goes on until it is let go."""

    def __init__(self) -> None:
        self.running = self.most = self.runs = self.cut_off = 0
        self.go_on = asyncio.Event()

    async def run(self) -> None:
        self.runs += 1
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            await self.go_on.wait()
        except asyncio.CancelledError:
            self.cut_off += 1
            raise
        finally:
            self.running -= 1


@pytest.mark.gen_test
async def test_a_job_runs_on_one_node_however_long_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs_module, "TICK_SECONDS", 0.01)
    clock, count, loop = Clock(), Count(), asyncio.get_running_loop()
    ephemeral = MemoryEphemeral("memory://", clock)
    lease = 0.2
    nodes = [Jobs(clock, ephemeral, Metrics(), lease) for _ in range(2)]
    for node in nodes:
        node.add(Job("work", 0.02, count.run))
        node.start()
    try:
        await until(lambda: count.running == 1)
        started = loop.time()
        await until(lambda: loop.time() > started + 4 * lease)  # many times the other one has looked by then
        assert (count.runs, count.most) == (1, 1)
        count.go_on.set()
        await until(lambda: count.runs > 3)
        assert count.most == 1
        holder = next(node for node in nodes if "work" in node._finished)
        await holder.stop()
        before = count.runs
        await until(lambda: count.runs > before)  # the other goes on at once
    finally:
        for node in nodes:
            await node.stop()


@pytest.mark.gen_test
async def test_a_job_whose_lease_another_node_has_got_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """This one stood still for too long, or could not reach the others."""
    monkeypatch.setattr(jobs_module, "TICK_SECONDS", 0.01)
    clock, count = Clock(), Count()
    ephemeral = MemoryEphemeral("memory://", clock)
    node = Jobs(clock, ephemeral, Metrics(), 0.2)
    node.add(Job("work", 0.02, count.run))
    node.start()
    try:
        await until(lambda: count.running == 1)
        await ephemeral.put("job:work", b"another node", 60_000)
        await until(lambda: count.cut_off == 1)
        await until(lambda: "work" in node._elsewhere)
        assert (count.running, count.runs) == (0, 1)
        assert await ephemeral.get("job:work") == b"another node"
    finally:
        await node.stop()
    assert await ephemeral.get("job:work") == b"another node"


@pytest.mark.gen_test
async def test_a_lease_that_was_forgotten_is_taken_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs_module, "TICK_SECONDS", 0.01)
    clock, count = Clock(), Count()
    ephemeral = MemoryEphemeral("memory://", clock)
    nodes = [Jobs(clock, ephemeral, Metrics(), 0.2) for _ in range(2)]
    for node in nodes:
        node.add(Job("work", 60, count.run))
        node._jobs["work"].due = 0
    try:
        nodes[0].start()
        await until(lambda: count.running == 1)
        await ephemeral.remove("job:work")
        await until(lambda: "job:work" in ephemeral._values)
        nodes[1].start()
        await until(lambda: "work" in nodes[1]._elsewhere)
        assert (count.runs, count.cut_off) == (1, 0)
    finally:
        for node in nodes:
            await node.stop()


@pytest.mark.gen_test
async def test_a_room_that_cannot_be_told_goodbye_holds_up_no_other(
    server: Server, clock: SettableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log cannot be emptied just now: rooms end all the same, and the next run tries again."""

    async def refuse() -> None:
        raise ChatError("storage_unavailable")

    monkeypatch.setattr(server.database, "erase", refuse)
    rooms: list[OpenRoom] = [await open_room(server, chatDurationSeconds=60) for _ in range(3)]
    clock.advance(61)
    assert await server.retention.expire() == 3
    statuses: Mapping[str, int] = {
        room.id: (await request(server, "GET", f"/api/rooms/{room.id}")).status for room in rooms
    }
    assert set(statuses.values()) == {410}


@pytest.mark.gen_test
async def test_retention_that_does_not_succeed_raises_an_alarm_until_it_does(
    server: Server, clock: SettableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse() -> None:
        raise ChatError("storage_unavailable")

    async def alarms() -> tuple[bool, bool]:
        """In health, and in metrics."""
        ready = (await request(server, "GET", "/health/ready")).body["retentionOverdue"]
        return ready, b"anonchat_retention_overdue 1.0" in server.metrics.text()

    assert await alarms() == (False, False)  # the control
    monkeypatch.setattr(server.database, "erase", refuse)
    with capture_logs() as log:
        clock.advance(server.settings.retention.overdue_seconds + 1)
        await until(server.is_retention_overdue)
        assert await alarms() == (True, True)
    assert sum("overdue" in entry["event"] for entry in log) == 1
    monkeypatch.undo()
    clock.advance(server.settings.retention.interval_seconds + 1)
    await until(lambda: not server.is_retention_overdue())
    assert await alarms() == (False, False)


@pytest.mark.gen_test
async def test_the_alarm_is_raised_where_another_node_had_the_job_before_nobody_could_say_whose_turn_it_is(
    monkeypatch: pytest.MonkeyPatch, clock: SettableClock
) -> None:
    monkeypatch.setattr(jobs_module, "TICK_SECONDS", 0.01)
    count, ephemeral = Count(), MemoryEphemeral("memory://", clock)
    count.go_on.set()
    await ephemeral.put("job:retention", b"another node", 1_000_000)
    node = Jobs(clock, ephemeral, Metrics(), 30)
    node.add(Job("retention", 0.02, count.run))
    node.start()

    async def refuse(*_: Any, **__: Any) -> None:
        raise ChatError("storage_unavailable")

    try:
        clock.advance(100)
        await until(lambda: "retention" in node._elsewhere)
        assert not node.is_overdue("retention", 60), "the other one says it"
        monkeypatch.setattr(ephemeral, "put", refuse)
        clock.advance(59)
        assert not node.is_overdue("retention", 60)
        clock.advance(2)
        assert node.is_overdue("retention", 60)
        monkeypatch.undo()
        clock.advance(1_000)  # the lease of the other is over
        await until(lambda: count.runs > 0 and not node.is_overdue("retention", 60))
    finally:
        await node.stop()


@pytest.mark.gen_test
async def test_a_short_time_to_the_alarm_is_no_alarm_for_jobs_that_run_more_seldom(
    tmp_path: Path, clock: SettableClock
) -> None:
    often = {"interval_seconds": 1, "overdue_seconds": 5}
    async with running_server(settings_in(tmp_path, retention=often), clock) as server:
        clock.advance(6)
        await until(lambda: server.jobs._finished.get("retention") == clock.now())
        assert not server.is_retention_overdue()


async def texts_left(person: Person) -> list[str]:
    return [wire["content"]["text"] for wire in (await person.ask("get_history", {})).data["messages"]]


@pytest.mark.gen_test
async def test_what_happened_while_the_clock_was_behind_takes_nothing_young_with_it(
    server: Server, clock: SettableClock
) -> None:
    room = await open_room(server, retentionSeconds=600)
    async with room.enter("Alice") as alice:
        ids = [(await alice.say(text)).data["serverMessageId"] for text in ("one", "two")]
        clock.advance(-HOUR)
        assert (await alice.ask("edit_message", {"messageId": ids[1], "text": "changed"})).event == "edit_ack"
        clock.advance(HOUR)
        assert await server.retention.run() == (0, 0), "such rooms hold up no others"
        assert await texts_left(alice) == ["one", "changed"]
        clock.advance(601)
        await server.retention.run()
        assert await texts_left(alice) == []


@pytest.mark.gen_test
async def test_what_was_written_while_the_clock_was_ahead_keeps_nothing_old(
    server: Server, clock: SettableClock
) -> None:
    room = await open_room(server, retentionSeconds=600)
    async with room.enter("Alice") as alice:
        clock.advance(HOUR)
        await alice.say("from the future")
        clock.advance(-HOUR)
        await alice.say("old")
        clock.advance(500)
        await alice.say("young")
        await server.retention.run()
        assert await texts_left(alice) == ["from the future", "old", "young"]
        clock.advance(101)
        await server.retention.run()
        assert await texts_left(alice) == ["young"]


@pytest.mark.gen_test
@pytest.mark.parametrize("ahead", [2, 3, 7])
async def test_however_much_was_written_while_the_clock_was_ahead_keeps_nothing_old(
    tmp_path: Path, clock: SettableClock, ahead: int
) -> None:
    async with running_server(settings_in(tmp_path, retention={"batch": 3}), clock) as server:
        room = await open_room(server, retentionSeconds=600)
        async with room.enter("Alice") as alice:
            clock.advance(HOUR)
            for _ in range(ahead):
                await alice.say("from the future")
            clock.advance(-HOUR)
            await alice.say("old")
            clock.advance(601)
            await alice.say("young")
            async with asyncio.timeout(60):
                while (await server.retention.run())[0]:
                    pass
            assert await texts_left(alice) == ["young"]


@pytest.mark.gen_test
async def test_a_room_that_fails_keeps_nothing_old_in_the_others(
    server: Server, clock: SettableClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its failure is one of the run, so that an alarm sounds in the end."""
    monkeypatch.setattr(retention_module, "ROOMS", 1)
    rooms = sorted([await open_room(server, retentionSeconds=600) for _ in range(3)], key=lambda room: room.id)
    async with AsyncExitStack() as stack:
        people = [await stack.enter_async_context(room.enter("Alice")) for room in rooms]
        for person in people:
            await person.say("old")
        await server.jobs.stop()  # the same as a job
        clock.advance(601)
        with failing(tmp_path, "DELETE ON messages", f"OLD.room_id = '{rooms[0].id}'"):
            with pytest.raises(ChatError):
                await server.retention.run()
            assert [await texts_left(person) for person in people] == [["old"], [], []]
        assert await server.retention.run() == (1, 1)


@pytest.mark.gen_test
async def test_a_room_that_ends_while_retention_is_at_it_is_no_failure(
    server: Server, clock: SettableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = await open_room(server, retentionSeconds=600)
    async with room.enter("Alice") as alice:
        await alice.say("old")
    await server.jobs.stop()
    clock.advance(601)
    fetch_all = server.journal.fetch_all

    async def fetch_all_slowly(*arguments: Any) -> Any:
        rows = await fetch_all(*arguments)
        monkeypatch.undo()
        await server.journal.transaction(
            lambda tx: tx.execute(
                UPDATE_ENDED, {"room": room.id, "now": clock.now(), "reason": "over", "purge": clock.now() + HOUR}
            )
        )
        return rows

    monkeypatch.setattr(server.journal, "fetch_all", fetch_all_slowly)
    assert await server.retention.run() == (1, 1)


@pytest.mark.gen_test
@pytest.mark.parametrize("grace", [0, 600])
async def test_a_room_that_ended_while_the_clock_was_ahead_is_purged_after_its_grace(
    tmp_path: Path, clock: SettableClock, grace: int
) -> None:
    async with running_server(settings_in(tmp_path, rooms={"purge_grace_seconds": grace}), clock) as server:
        room = await open_room(server, ephemeral=False)
        await server.jobs.stop()  # the same as a job
        with failing(tmp_path, "DELETE ON rooms") if not grace else nullcontext():  # its purge is cut off
            clock.advance(YEAR)
            await server.retention.end(room.id, "over")
            clock.advance(-YEAR)
        for wait in (0, grace - 1, 2):
            assert rows_about(tmp_path, room.id).get("rooms") == 1
            clock.advance(wait)
            await server.retention.purge()
        assert rows_about(tmp_path, room.id) == {"ended_rooms": 1}


@pytest.mark.gen_test
async def test_a_leap_ends_nobody_who_is_connected_however_many(
    server: Server, clock: SettableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("anonchat.people.seats.CHUNK", 4)
    room = await open_room(server, ephemeral=False)
    async with AsyncExitStack() as stack:
        people = [await stack.enter_async_context(room.enter(f"Person {number}")) for number in range(12)]
        await asyncio.sleep(1)
        clock.advance(YEAR)
        await until(lambda: server.jobs._finished.get("sessions") == clock.now())
        for person in people:
            assert (await person.ask("heartbeat")).event == "heartbeat_ack"


@pytest.mark.gen_test
async def test_what_is_kept_for_a_time_is_kept_no_longer_in_a_room_that_waits_to_be_purged(
    tmp_path: Path, clock: SettableClock
) -> None:
    async with running_server(settings_in(tmp_path, rooms={"purge_grace_seconds": 24 * HOUR}), clock) as server:
        room = await open_room(server, retentionSeconds=600)
        async with room.enter("Alice") as alice:
            await alice.say(f"{MARK} for ten minutes")
            await server.retention.end(room.id, "over")
        clock.advance(300)
        await server.retention.run()
        assert traces(tmp_path) != []
        clock.advance(301)
        await server.retention.run()
        assert traces(tmp_path) == []
