"""What is kept: sums and nothing else, once each, for as long as they are kept, and those of a room as long as the room."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy.dialects import sqlite
from sqlalchemy.sql import ClauseElement

from anonchat import ChatError, StartError, Transaction
from anonchat.app import Server
from anonchat.testing.clients import Rest
from anonchat.testing.people import open_room, request
from anonchat.testing.processes import ServerProcess, environment
from anonchat_analytics import tables
from anonchat_analytics.counts import HOUR, METRICS
from anonchat_analytics.ledger import LOT, Ledger
from anonchat_analytics.tally import SERVER, Poll, Tally

if TYPE_CHECKING:
    from tests.plugins.analytics.conftest import Analytics

gen_test = pytest.mark.gen_test

SERVER_SUMS, ROOM_SUMS, FLUSHES = "analytics_server_sums", "analytics_room_sums", "analytics_flushes"
DAY = 86_400.0


async def until(condition: Any) -> None:
    """Wait until something is true, ten seconds at most."""
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.02)


# --- sums only


@gen_test
async def test_nothing_but_sums_is_stored(analytics: Analytics) -> None:
    async with analytics.server() as server:
        room = await open_room(server, title="A very special title")
        async with room.enter("Alice") as alice:
            await alice.say("Something that was said")
            await analytics.read(server, "summary")
            people = {alice.session_id, "Alice", "127.0.0.1", alice.token}
    columns = {table: analytics.columns(table) for table in (SERVER_SUMS, ROOM_SUMS)}
    assert columns[SERVER_SUMS] == ["step", "start", "metric", "value"]
    assert columns[ROOM_SUMS] == ["room_id", *columns[SERVER_SUMS]]
    stored = [value for table in columns for row in analytics.rows(table) for value in row]
    texts = {value for value in stored if isinstance(value, str)}
    assert texts == {room.id, "hour", "day", "rooms_created", "joins", "messages", "peak_participants"}
    assert texts.isdisjoint(people)


@gen_test
async def test_the_sums_of_a_room_are_gone_with_it_and_those_of_the_server_stay(analytics: Analytics) -> None:
    async with analytics.server() as server:
        room = await open_room(server)
        async with room.enter("Alice") as alice:
            await alice.say("Hello")
            await analytics.read(server, "summary")
            assert {row[0] for row in analytics.rows(ROOM_SUMS)} == {room.id}
            await alice.say("Good bye")
            await server.dispatcher.settle()
            await server.retention.end(room.id, "test")
            assert analytics.rows(ROOM_SUMS) == []
            assert (await analytics.counts(server))["messages"] == 2, "also what was counted after the last write"
        assert analytics.rows(ROOM_SUMS) == []


@gen_test
async def test_people_are_told_what_is_kept(analytics: Analytics) -> None:
    async with analytics.server(blur=10, hourly_sums_days=7) as server:
        page = (await request(server, "GET", "/privacy")).body.decode()
    assert "by the hour for 8 days and by the day for 400" in page
    assert "a multiple of 10" in page


# --- written now and then, by addition


@gen_test
async def test_counts_are_written_without_anybody_asking(analytics: Analytics) -> None:
    async with analytics.server(flush_seconds=0.05) as server:
        await open_room(server)
        await until(lambda: analytics.rows(SERVER_SUMS))


@gen_test
async def test_the_shutdown_writes_what_is_left(analytics: Analytics) -> None:
    async with analytics.server(flush_seconds=300) as server, (await open_room(server)).enter("Alice") as alice:
        await alice.say("Hello")
        assert analytics.rows(SERVER_SUMS) == []
    async with analytics.server() as server:
        assert (await analytics.counts(server))["messages"] == 1


@gen_test
async def test_several_nodes_add_to_the_same_sums(analytics: Analytics) -> None:
    async with analytics.server() as server:
        room = await open_room(server)
        hour = analytics.clock.now()
        tallies = [Tally(1000) for _ in range(4)]
        for tally, peak in zip(tallies, (3, 9, 5, 1), strict=True):
            tally.add((room.id, "messages", hour), 10)
            tally.add((SERVER, "peak_participants", hour), peak)
        await asyncio.gather(*(Ledger(server.journal, tally).flush() for tally in tallies))
        assert analytics.rows(ROOM_SUMS) == [
            (room.id, step, analytics.clock.now() // length * length, "messages", 40)
            for step, length in (("day", 24 * HOUR), ("hour", HOUR))
        ]
        counted = await analytics.counts(server)
        assert (counted["messages"], counted["peak_participants"]) == (40, 9)


class Order:
    """The journal of a server; remembers in which order sums were written."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self.written: list[ClauseElement] = []

    async def transaction(self, work: Any) -> Any:
        async def watched(tx: Transaction) -> None:
            execute_many = tx.execute_many

            async def execute(statement: ClauseElement, rows: Sequence[Mapping[str, object]]) -> None:
                self.written.append(statement)
                await execute_many(statement, rows)

            tx.execute_many = execute  # type: ignore[assignment]
            await work(tx)

        return await self._server.journal.transaction(watched)


@gen_test
async def test_whoever_writes_sums_locks_them_in_the_same_order(analytics: Analytics) -> None:
    """Else two nodes would wait for each other. "votes" come after the peak and "joins" before it."""
    async with analytics.server() as server:
        room = await open_room(server)
        for metrics in (("peak_participants", "votes"), ("joins", "peak_participants")):
            tally, order = Tally(1000), Order(server)
            for metric in metrics:
                tally.add((room.id, metric, 0), 1)
                tally.add((SERVER, metric, 0), 1)
            await Ledger(order, tally).flush()  # type: ignore[arg-type]
            assert order.written == list(tables.WRITE.values())


class FullDisk:
    """The journal of a server, whose disk is full at some writes."""

    def __init__(self, server: Server, full_at: set[int]) -> None:
        self._server = server
        self._full_at = full_at
        self._writes = 0

    async def transaction(self, work: Any) -> Any:
        async def refused(tx: Transaction) -> None:
            await work(tx)
            raise ChatError("storage_full")

        self._writes += 1
        return await self._server.journal.transaction(refused if self._writes in self._full_at else work)


@gen_test
async def test_what_cannot_be_written_waits_and_nothing_is_counted_twice(analytics: Analytics) -> None:
    async with analytics.server() as server:
        tally = Tally(10_000)
        hours = [hour * HOUR for hour in range(2 * LOT)]
        for hour in hours:
            tally.add((SERVER, "messages", hour), 1)
        ledger = Ledger(FullDisk(server, {2}), tally)  # type: ignore[arg-type]
        with pytest.raises(ChatError, match="storage_full"):
            await ledger.flush()
        assert len(analytics.hours("messages")) == LOT, "the first lot was written"
        await ledger.flush()
        assert analytics.hours("messages") == dict.fromkeys(hours, 1)


class LostAnswers:
    """The journal of a server; the answers to some of its commits never come."""

    def __init__(self, server: Server, lost_at: set[int]) -> None:
        self._server = server
        self._lost_at = lost_at
        self._writes = 0

    async def transaction(self, work: Any) -> Any:
        self._writes += 1
        answer = await self._server.journal.transaction(work)
        if self._writes in self._lost_at:
            raise ChatError("storage_unavailable")
        return answer


@gen_test
async def test_what_is_stored_though_nobody_was_told_is_counted_once(analytics: Analytics) -> None:
    async with analytics.server() as server:
        tally = Tally(10_000)
        ledger = Ledger(LostAnswers(server, {1, 2, 3}), tally)  # type: ignore[arg-type]
        for _ in range(3):
            tally.add((SERVER, "messages", 0), 10)
            with suppress(ChatError):
                await ledger.flush()
        tally.add((SERVER, "messages", 0), 1)
        await ledger.flush()
        assert analytics.hours("messages") == {0: 31}


@gen_test
async def test_votes_that_were_stored_are_told_though_later_ones_cannot_be(analytics: Analytics) -> None:
    async with analytics.server() as server:
        room, tally = await open_room(server), Tally(10_000)
        async with room.enter("Alice") as alice:
            message_id = (await alice.say("A poll")).data["serverMessageId"]
        for polled in (message_id, *(f"gone {number}" for number in range(LOT))):
            tally.voted(Poll(polled, room.id, 0, 3))
        ledger = Ledger(FullDisk(server, {2}), tally)  # type: ignore[arg-type]
        told: list[int] = []
        with pytest.raises(ChatError, match="storage_full"):
            await ledger.count_votes(told.append)
        await ledger.count_votes(told.append)
        assert told == [3, 0]


@gen_test
async def test_a_node_that_is_gone_for_long_is_forgotten(analytics: Analytics) -> None:
    async with analytics.server(hourly_sums_days=2) as server:
        await open_room(server)
        await analytics.read(server, "summary")
    assert len(analytics.rows(FLUSHES)) == 1
    analytics.clock.advance(3 * DAY)
    async with analytics.server(hourly_sums_days=2) as server:
        await open_room(server)
        await analytics.read(server, "summary")
        analytics.clock.advance(3_600)
        await until(lambda: len(analytics.rows(FLUSHES)) == 1)


@gen_test
async def test_who_is_cancelled_while_writing_leaves_nothing_out(analytics: Analytics) -> None:
    async with analytics.server() as server:
        tally = Tally(10_000)
        hours = [hour * HOUR for hour in range(2 * LOT)]
        for hour in hours:
            tally.add((SERVER, "messages", hour), 1)
        ledger = Ledger(server.journal, tally)
        flushing = asyncio.create_task(ledger.flush())
        await asyncio.sleep(0)  # it waits for the first lot now
        flushing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await flushing
        await ledger.flush()
        assert analytics.hours("messages") == dict.fromkeys(hours, 1)


def test_a_crash_loses_the_counts_of_a_few_seconds_and_nothing_else(tmp_path: Path) -> None:
    token = "the-token-of-the-operator"
    environ = environment(plugins={"enabled": ["analytics"]}, server={"operator_token": token})
    environ |= {"ANONCHAT_PLUGINS__ANALYTICS__BLUR": "1", "ANONCHAT_PLUGINS__ANALYTICS__FLUSH_SECONDS": "300"}

    def rooms_created(rest: Rest) -> int:
        counted = rest.call("GET", "/api/analytics/summary", token=token).body["kept"]["counts"]
        return int(counted["rooms_created"]["value"])

    with ServerProcess(tmp_path, environ) as process:
        rest = Rest(process.port)
        rest.call("POST", "/api/rooms", {"title": "before"})
        assert rooms_created(rest) == 1, "and it is written, since somebody has asked"
        made = rest.call("POST", "/api/rooms", {"title": "after"})
        process.kill()
        process.start()
        assert rooms_created(rest) == 1
        assert rest.call("GET", f"/api/rooms/{made.body['roomId']}").status == 200


# --- bounded


@gen_test
async def test_more_rooms_than_may_wait_are_counted_for_the_server_alone(analytics: Analytics) -> None:
    async with analytics.server(most_waiting=6, flush_seconds=300) as server:
        rooms = [await open_room(server) for _ in range(8)]
        for room in rooms:
            await room.join("Alice")
        counted = await analytics.counts(server)
        assert (counted["rooms_created"], counted["joins"]) == (8, 8)
        assert len({row[0] for row in analytics.rows(ROOM_SUMS)}) == 5, "the rooms that were created took a place"
        for room in rooms:
            await room.join("Bob")
            await analytics.read(server, "summary")
        assert len({row[0] for row in analytics.rows(ROOM_SUMS)}) == 8, "after each write there is place again"


@gen_test
async def test_old_sums_are_deleted(analytics: Analytics) -> None:
    async with analytics.server(hourly_sums_days=2, daily_sums_days=5) as server:
        room = await open_room(server, ephemeral=False)
        async with room.enter("Alice", moderator=True) as alice:
            for _ in range(8):
                await alice.say("Hello")
                await analytics.read(server, "summary")
                analytics.clock.advance(DAY)
            await until(lambda: len(analytics.hours("messages")) == 2)
            await until(lambda: len(analytics.hours("messages", "day")) == 4)  # nobody has said anything on the fifth
            mine = (await analytics.read(server, f"rooms/{room.id}", alice.token)).body["kept"]
            assert mine["counts"]["messages"]["value"] == 4
            assert mine["since"] == "2027-01-19T00:00:00.000Z"
            assert (await analytics.counts(server, "kept"))["messages"] == 4


@pytest.mark.parametrize(
    "options",
    [{"blur": 0}, {"blur": "some"}, {"flush_seconds": 0}, {"hourly_sums_days": 0}, {"daily_sums_days": 4000},
     {"most_waiting": 0}, {"colour": "red"}],
)  # fmt: skip
@gen_test
async def test_settings_that_make_no_sense_stop_the_start(analytics: Analytics, options: dict[str, Any]) -> None:
    with pytest.raises(StartError, match=rf"plugins\.analytics\.{next(iter(options))}"):
        async with analytics.server(**options):
            pass


@pytest.mark.sqlite
@gen_test
async def test_reading_walks_through_no_table(analytics: Analytics) -> None:
    """Of the sums of rooms there may be millions."""
    async with analytics.server():
        pass
    with closing(sqlite3.connect(analytics.folder / "anonchat.db")) as database:
        for statement in (tables.SELECT_ROOM, tables.SELECT_ROOM_DAYS, tables.SELECT_SERIES, *tables.EXPIRE[1:]):
            compiled = statement.compile(dialect=sqlite.dialect(paramstyle="named"))
            values = dict.fromkeys(compiled.params, 0)
            plan = [row[3] for row in database.execute(f"EXPLAIN QUERY PLAN {compiled}", values)]
            assert not [step for step in plan if step.startswith("SCAN")], plan


def test_every_metric_is_described() -> None:
    text = (Path(__file__).parents[3] / "plugins/analytics/README.md").read_text(encoding="utf-8")
    assert [metric for metric in METRICS if f"| `{metric}` |" not in text] == []
