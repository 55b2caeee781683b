"""What was deleted with a room: told when it is, and not before, with the words that people are shown for it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from anonchat.app import Server
from anonchat.client.words import receipt
from anonchat.plugins.migrations import tables_of_rooms
from anonchat.plugins.registry import bundled, load
from anonchat.rooms import retention
from anonchat.store.rooms import CATEGORIES
from anonchat.testing import running_server, settings_in
from anonchat.testing.clocks import SettableClock
from anonchat.testing.people import OpenRoom, Reply, open_room, request

TEXTS = Path(__file__).parent.parent.parent / "anonchat" / "web" / "static" / "texts"
DAY = 86_400


async def report_of(server: Server, room_id: str) -> Reply:
    return await request(server, "GET", f"/api/rooms/{room_id}/deletion-report")


@pytest.mark.gen_test
async def test_a_backup_from_the_grace_of_a_room_counts(tmp_path: Path) -> None:
    clock = SettableClock()
    settings = settings_in(tmp_path, rooms={"purge_grace_seconds": DAY}, retention={"backups_seconds": 7 * DAY})
    async with running_server(settings, clock) as server:
        room = await used(server)
        await server.retention.end(room.id, "ended")
        clock.advance(DAY + 1)
        await server.retention.purge()
        assert (await report_of(server, room.id)).body["backupsUntil"] == "2027-01-23T08:00:00.000Z"


async def used(server: Server) -> OpenRoom:
    """A room in which two messages were written, one of which is deleted before the end."""
    room = await open_room(server)
    async with room.enter("Ann") as ann:
        first = await ann.say("One")
        await ann.say("Two")
        await ann.ask("delete_message", {"messageId": first.data["serverMessageId"]})
    return room


@pytest.mark.gen_test
async def test_the_report_is_there_after_the_end_and_not_before(tmp_path: Path) -> None:
    clock = SettableClock()
    async with running_server(settings_in(tmp_path, rooms={"purge_grace_seconds": 3_600}), clock) as server:
        room = await used(server)
        assert (await report_of(server, room.id)).body["code"] == "conflict"
        await server.retention.end(room.id, "ended")
        assert (await report_of(server, room.id)).body["code"] == "room_ended"
        clock.advance(3_601)
        await server.retention.purge()
        report = (await report_of(server, room.id)).body
        assert (await report_of(server, "unknown")).body["code"] == "room_not_found"
    assert report == {
        "roomId": room.id,
        "endedAt": "2027-01-15T08:00:00.000Z",
        "reason": "ended",
        "deleted": {"messages": 2, "events": 1, "participants": 1, "invites": 2, "receipts": 2},
        "pending": [],
        "backupsUntil": None,
    }


@pytest.mark.parametrize(
    ("seconds", "until", "told"),
    [
        (None, None, "the operator has not said"),
        (0, "2027-01-15T08:00:00.000Z", "no backups are kept"),
        (7 * DAY, "2027-01-22T08:00:00.000Z", "deleted 7 days after it was made"),
    ],
)
@pytest.mark.gen_test
async def test_people_are_told_how_long_backups_live(
    tmp_path: Path, seconds: int | None, until: str | None, told: str
) -> None:
    settings = settings_in(tmp_path, retention={"backups_seconds": seconds})
    async with running_server(settings, SettableClock()) as server:
        room = await used(server)
        await server.retention.end(room.id, "ended")
        assert (await report_of(server, room.id)).body["backupsUntil"] == until
        assert told in (await request(server, "GET", "/privacy")).body.decode()


@pytest.mark.gen_test
async def test_reports_go_when_their_time_is_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "REPORTS", 2)
    clock = SettableClock()
    async with running_server(settings_in(tmp_path, retention={"reports_seconds": 2 * DAY}), clock) as server:
        rooms = [await open_room(server) for _ in range(5)]
        for room in rooms[:4]:
            await room.end()
        clock.advance(DAY)
        await rooms[4].end()
        clock.advance(DAY + 1)
        for _ in range(3):
            await server.retention.forget_ended()
        found = [(await report_of(server, room.id)).body for room in rooms]
        assert [one.get("code") for one in found] == ["room_not_found"] * 4 + [None]
        assert "What remains for 2 days is" in (await request(server, "GET", "/privacy")).body.decode()


# --- the words for it


def counted() -> set[str]:
    """All categories in which a server with the bundled plugins counts."""
    return {*CATEGORIES, *tables_of_rooms(load(bundled()))}


def unknown(words: Mapping[str, Any]) -> set[str]:
    """Words for what no server counts."""
    return set(words) - counted()


def test_the_clients_have_words_for_what_is_counted() -> None:
    assert unknown(receipt.WORDS) == set()
    for texts in TEXTS.glob("??.mjs"):
        words = re.findall(r'"receipt\.([^"]+)"', texts.read_text(encoding="utf-8"))
        assert "messages" in words
        assert unknown(dict.fromkeys(set(words) - {"others"})) == set()


def test_a_word_for_what_is_never_counted_is_noticed() -> None:
    """The control: both clients had one for "sessions", and called participants "other records"."""
    assert unknown({"messages": (), "sessions": ()}) == {"sessions"}
