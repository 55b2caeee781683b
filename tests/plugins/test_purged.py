"""Of a purged room nothing is left in any table of the core and of the bundled plugins, nor in the bytes of the file."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from anonchat.app import Server
from anonchat.plugins import bundled, load
from anonchat.testing import running_server, settings_in
from anonchat.testing.databases import is_on_postgres, run_sql, tables_in
from anonchat.testing.people import OpenRoom, Person, open_room, request

# Everything that people write has this in it, so that it can be looked for, in capitals or not.
MARK = "Quagga"
PEOPLE = 7
REMEMBERED = "ended_rooms"  # by the core: that there was a room, when and why it ended, and how much was deleted

pytestmark = pytest.mark.gen_test(timeout=60)


@dataclass(frozen=True, slots=True)
class Traces:
    """What must not be found any more: ids, and whatever somebody wrote."""

    room_id: str
    sessions: tuple[str, ...]
    messages: tuple[str, ...]

    def all(self) -> Iterator[str]:
        yield from (MARK.lower(), self.room_id, *self.sessions, *self.messages)


def settings(folder: Path, *enabled: str) -> Any:
    return settings_in(folder, plugins={"enabled": enabled, "options": {"moderation": {"ban_networks": False}}})


# --- a room in which everything happens


async def everything(server: Server) -> Traces:
    """Use every plugin so that each of its tables has something of the room in it."""
    room = await open_room(server, title=f"{MARK} title", description=f"{MARK} description", ephemeral=False)
    async with AsyncExitStack() as stack:
        maud, *guests = [
            await stack.enter_async_context(room.enter(f"{MARK} {number}", moderator=number == 0))
            for number in range(PEOPLE)
        ]
        messages = [await said(guest, f"{MARK} says @{MARK} {number}") for number, guest in enumerate(guests)]
        await talk(room, maud, guests, messages)
        await poll(maud, guests, "open")
        await poll(maud, guests, "secret")
        await moderate(maud, guests, messages)
        await request(server, "GET", f"/api/analytics/rooms/{room.id}", token=maud.token)
    await server.dispatcher.settle()
    return Traces(room.id, tuple(person.session_id for person in (maud, *guests)), tuple(messages))


async def said(person: Person, text: str) -> str:
    return str((await done(person, "send_message", text=text, clientMsgId=f"{MARK}-{text}"))["serverMessageId"])


async def done(person: Person, event: str, **data: Any) -> Mapping[str, Any]:
    """Ask for something that is granted."""
    answer = await person.ask(event, data)
    assert answer.event != "error", answer
    return answer.data


async def talk(room: OpenRoom, maud: Person, guests: list[Person], messages: list[str]) -> None:
    await done(guests[0], "edit_message", messageId=messages[0], text=f"{MARK} says else")
    await done(guests[1], "delete_message", messageId=messages[1])
    await done(maud, "pin_message", messageId=messages[2])
    await said(maud, f"@room {MARK} is to be read by all")
    await done(guests[0], "mark_all_notifications_read")
    await done(guests[0], "set_notification_preferences", ignored=[guests[1].session_id])


async def poll(maud: Person, guests: list[Person], secrecy: str) -> None:
    """A poll in which enough people vote for a secret one to have a result."""
    options = [f"{MARK} yes", f"{MARK} no"]
    poll_id = (await done(maud, "create_poll", question=f"{MARK}?", options=options, secrecy=secrecy))["pollId"]
    for number, guest in enumerate(guests):
        await done(guest, "vote", pollId=poll_id, optionId=str(1 + number % 2))
    await done(maud, "close_poll", pollId=poll_id)


async def moderate(maud: Person, guests: list[Person], messages: list[str]) -> None:
    await done(guests[3], "report_message", messageId=messages[4], reason=f"{MARK} is rude")
    await done(maud, "mute", targetSessionId=guests[4].session_id, reason=f"{MARK} is loud")
    await done(maud, "ban", targetSessionId=guests[5].session_id, reason=f"{MARK} is unbearable")
    await done(maud, "set_moderation", rules={"words": {"action": "hold", "words": [MARK.lower()]}})
    assert (await guests[0].say(f"{MARK} waits")).event == "message_held"


# --- looking


def tables(folder: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Every table of the database, whoever made it -> its rows."""
    return {name: run_sql(folder, f'SELECT * FROM "{name}"') for name in tables_in(folder)}


def found(folder: Path, traces: Traces) -> set[tuple[str, str]]:
    """(table, what was found in it)."""
    return {
        (table, trace)
        for table, rows in tables(folder).items()
        for trace in traces.all()
        if any(trace in str(value).lower() for row in rows for value in row)
    }


def in_bytes(folder: Path, traces: Traces) -> set[tuple[str, str]]:
    """(file, what was found in it), in everything that lies beside the database, too. Of a database server: in its rows."""
    if is_on_postgres():
        return found(folder, traces)
    files = {path.name: path.read_bytes().lower() for path in folder.iterdir() if path.is_file()}
    return {(name, trace) for name, content in files.items() for trace in traces.all() if trace.encode() in content}


def plugin_tables(*, sums: bool) -> set[str]:
    """The tables that the bundled plugins declare: those that outlive rooms, being sums, or all others."""
    declared = [declared for _, declared in load(bundled()).declared("register_tables")]
    outliving = {name for one in declared for name in one.sums}
    return outliving if sums else {name for one in declared for name in one.metadata.tables} - outliving


@asynccontextmanager
async def filled(folder: Path) -> AsyncIterator[tuple[Server, Traces]]:
    """A server with all plugins, and what happened on it: there is something in every table, which is the control."""
    async with running_server(settings(folder, *bundled())) as server:
        traces = await everything(server)
        rows = tables(folder)
        assert [name for name in plugin_tables(sums=False) | plugin_tables(sums=True) if not rows[name]] == []
        assert {trace for _, trace in found(folder, traces)} == set(traces.all())
        assert {trace for _, trace in in_bytes(folder, traces)} == set(traces.all())
        yield server, traces


def assert_nothing_is_left(folder: Path, traces: Traces) -> None:
    """But that there was a room, in the table that says so."""
    rows = tables(folder)
    assert {name: rows[name] for name in plugin_tables(sums=False) if rows[name]} == {}
    assert found(folder, traces) == {(REMEMBERED, traces.room_id)}
    assert {trace for _, trace in in_bytes(folder, traces)} == {traces.room_id}


# --- the tests


async def test_nothing_is_left_of_a_purged_room(tmp_path: Path) -> None:
    async with filled(tmp_path) as (server, traces):
        await server.retention.end(traces.room_id, "test")
        await server.dispatcher.settle()
        assert_nothing_is_left(tmp_path, traces)
    assert_nothing_is_left(tmp_path, traces)


async def test_nothing_is_left_when_the_plugins_are_off_by_then(tmp_path: Path) -> None:
    async with filled(tmp_path) as (_, traces):
        pass
    async with running_server(settings(tmp_path)) as server:
        await server.retention.end(traces.room_id, "test")
        assert_nothing_is_left(tmp_path, traces)
    assert_nothing_is_left(tmp_path, traces)


async def test_the_room_beside_it_stays(tmp_path: Path) -> None:
    async with filled(tmp_path) as (server, traces):
        other = await everything(server)
        before = found(tmp_path, Traces(other.room_id, (), other.messages))
        await server.retention.end(traces.room_id, "test")
        assert found(tmp_path, Traces(other.room_id, (), other.messages)) == before


async def test_the_report_of_the_deletion_counts_what_the_plugins_kept(tmp_path: Path) -> None:
    async with filled(tmp_path) as (server, traces):
        named = {
            f"{plugin}.{table.name}"
            for plugin, declared in load(bundled()).declared("register_tables")
            for table in declared.metadata.tables.values()
            if "room_id" in table.c
        }
        await server.retention.end(traces.room_id, "test")
        page = await request(server, "GET", f"/api/rooms/{traces.room_id}")
    assert page.status == 410
    assert named <= {name for name, count in deleted(tmp_path).items() if count}


def deleted(folder: Path) -> dict[str, int]:
    """Category -> count, as it is kept."""
    ((_, _, _, counts),) = tables(folder)[REMEMBERED]
    kept: dict[str, int] = json.loads(counts)
    return kept
