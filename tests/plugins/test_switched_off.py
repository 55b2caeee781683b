"""A plugin that is off is not there: no event, no route, no table, not even its package; and all others go on."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from anonchat.app import Server
from anonchat.config.settings import PluginSettings
from anonchat.plugins.options import load_one
from anonchat.plugins.registry import Plugins, available, bundled, load
from anonchat.testing import running_server, settings_in
from anonchat.testing.databases import EMPTY, database_in, tables_in
from anonchat.testing.people import OpenRoom, Person, open_room, request

OPERATOR = "an operator's token"
NAMES = bundled()
PACKAGES = {name: point.module.partition(".")[0] for name, point in available().items() if name in NAMES}

# Starts a server on a free port with the plugins named on the command line, and prints what was imported for it.
SCRIPT = """
import asyncio, json, sys
from pathlib import Path
from anonchat.testing import running_server, settings_in

async def main(folder, *names):
    async with running_server(settings_in(Path(folder), plugins={"enabled": names})):
        print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))

asyncio.run(main(*sys.argv[1:]))
"""


def others(plugin: str) -> tuple[str, ...]:
    return tuple(name for name in NAMES if name != plugin)


def declared(plugins: Plugins, hook: str) -> list[Any]:
    return [item for _, item in plugins.declared(hook)]


def settings(folder: Path, *enabled: str) -> Any:
    return settings_in(folder, server={"port": 0, "operator_token": OPERATOR}, plugins={"enabled": enabled})


def failures(server: Server) -> list[Any]:
    """What a plugin did wrong, as the operator sees it."""
    found = (sample for metric in server.metrics.registry.collect() for sample in metric.samples)
    return [sample for sample in found if sample.name == "anonchat_plugin_failures_total" and sample.value]


# --- a short conversation, and in it something of each plugin


async def conversation(room: OpenRoom, maud: Person, bob: Person) -> None:
    said = (await bob.say("Hello")).data["serverMessageId"]
    assert (await maud.hear("message")).data["id"] == said
    assert (await maud.say("Hello, Bob", replyToId=said)).event == "message_ack"
    assert (await bob.ask("edit_message", {"messageId": said, "text": "Hi"})).event == "edit_ack"
    assert (await maud.hear("message_edited")).data["message"]["content"]["text"] == "Hi"
    assert (await bob.ask("delete_message", {"messageId": said})).event == "delete_ack"
    assert len((await maud.ask("get_history")).data["messages"]) == 2
    assert (await bob.ask("leave")).event == "left"


async def count(room: OpenRoom, maud: Person, bob: Person) -> None:
    assert (await request(room.server, "GET", f"/api/analytics/rooms/{room.id}", token=maud.token)).status == 200


async def mute(room: OpenRoom, maud: Person, bob: Person) -> None:
    assert (await maud.ask("mute", {"targetSessionId": bob.session_id})).event == "mute_ack"
    assert (await bob.say("Hello?")).data["code"] == "muted"
    assert (await maud.ask("unmute", {"targetSessionId": bob.session_id})).event == "unmute_ack"


async def mention(room: OpenRoom, maud: Person, bob: Person) -> None:
    assert (await maud.say("@Bob, look")).event == "message_ack"
    while (await bob.hear("notification")).data["type"] != "mention":
        """Of the mute and its end he hears before."""


async def pin(room: OpenRoom, maud: Person, bob: Person) -> None:
    said = await maud.say("Read this first")
    pinned = await maud.ask("pin_message", {"messageId": said.data["serverMessageId"]})
    assert (await bob.hear("message_pinned")).data["messageId"] == pinned.data["messageId"]


async def vote(room: OpenRoom, maud: Person, bob: Person) -> None:
    poll = (await maud.ask("create_poll", {"question": "Tea?", "options": ["Yes", "No"]})).data["pollId"]
    assert (await bob.ask("vote", {"pollId": poll, "optionId": "1"})).event == "vote_recorded"
    assert (await maud.ask("close_poll", {"pollId": poll})).data["totals"] == {"1": 1, "2": 0}


SIGNS_OF_LIFE: Mapping[str, Callable[[OpenRoom, Person, Person], Awaitable[None]]] = {
    "analytics": count,
    "moderation": mute,
    "notifications": mention,
    "pins": pin,
    "polls": vote,
}


# --- the tests


def test_every_bundled_plugin_has_a_sign_of_life() -> None:
    assert SIGNS_OF_LIFE.keys() == set(NAMES)


@pytest.mark.parametrize("plugin", NAMES)
@pytest.mark.gen_test
async def test_its_events_are_unknown_and_its_routes_not_found(plugin: str, tmp_path: Path) -> None:
    alone = load_one(plugin, PluginSettings())
    async with running_server(settings(tmp_path, *others(plugin))) as server:
        room = await open_room(server)
        async with room.enter("Maud", moderator=True) as maud:
            for event in declared(alone, "register_client_events"):
                assert (await maud.ask(event.name)).data["code"] == "unknown_event", event.name
            for route in declared(alone, "register_routes"):
                path = route.path.replace("{roomId}", room.id)
                for token in (maud.token, OPERATOR):
                    reply = await request(server, route.method, path, token=token)
                    assert (reply.status, reply.body["code"]) == (404, "not_found"), route.path
            sent = {event.name for event in declared(alone, "register_server_events")}
            assert sent.isdisjoint(heard.event for heard in maud.welcome)
            assert sent.isdisjoint(server.events.server_events())
    async with running_server(settings(tmp_path, *NAMES)) as server, (await open_room(server)).enter("Bob") as bob:
        for event in declared(alone, "register_client_events"):
            answer = await bob.ask(event.name)
            assert answer.data.get("code") != "unknown_event", "the control: they are known once it is on"


@pytest.mark.parametrize("plugin", NAMES)
@pytest.mark.gen_test
async def test_its_tables_are_not_made(plugin: str, tmp_path: Path) -> None:
    own = {name for tables in declared(load((plugin,)), "register_tables") for name in tables.metadata.tables}
    assert own
    own.add(f"schema_version_{plugin}")
    database_in(tmp_path, EMPTY)
    async with running_server(settings(tmp_path, *others(plugin))):
        assert own.isdisjoint(tables_in(tmp_path))
    async with running_server(settings(tmp_path, *NAMES)):
        assert own <= tables_in(tmp_path), "the control: they are made once it is on"


@pytest.mark.parametrize("plugin", [*NAMES, None])
@pytest.mark.gen_test
async def test_the_others_go_on(plugin: str | None, tmp_path: Path) -> None:
    """With None, which is the control, all of them are on."""
    enabled = tuple(name for name in NAMES if name != plugin)
    async with running_server(settings(tmp_path, *enabled)) as server:
        room = await open_room(server)
        async with room.enter("Maud", moderator=True) as maud, room.enter("Bob") as bob:
            for name in enabled:
                await SIGNS_OF_LIFE[name](room, maud, bob)
        room = await open_room(server)
        async with room.enter("Maud", moderator=True) as maud, room.enter("Bob") as bob:
            await conversation(room, maud, bob)
        await server.dispatcher.settle()
        assert failures(server) == []


@pytest.mark.gen_test
async def test_a_room_goes_on_when_all_plugins_are_switched_off(tmp_path: Path) -> None:
    """What they added to it stays readable; a poll is then its text."""
    async with running_server(settings(tmp_path, *NAMES)) as server:
        room = await open_room(server)
        async with room.enter("Maud", moderator=True) as maud, room.enter("Bob") as bob:
            for sign in SIGNS_OF_LIFE.values():
                await sign(room, maud, bob)
            before = (await maud.ask("get_history")).data["messages"]
    async with running_server(settings(tmp_path)) as server:
        socket = await OpenRoom(server, room.id, "", "").identify("Maud", maud.session_id, maud.token)
        after = (await socket.ask("get_history")).data["messages"]
        assert (await socket.say("Still here")).event == "message_ack"
        await socket.close()
    assert [{**message, "ext": {}} for message in after] == [{**message, "ext": {}} for message in before]
    assert all(message["content"]["text"] for message in after)


def imported(folder: Path, *enabled: str) -> set[str]:
    """The packages that a server with these plugins imports, in a process of its own."""
    command = [sys.executable, "-c", SCRIPT, str(folder), *enabled]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout))


@pytest.mark.parametrize("enabled", [(), *(others(plugin) for plugin in NAMES), NAMES])
def test_only_the_packages_of_plugins_that_are_on_are_imported(enabled: tuple[str, ...], tmp_path: Path) -> None:
    assert imported(tmp_path, *enabled) & set(PACKAGES.values()) == {PACKAGES[name] for name in enabled}
