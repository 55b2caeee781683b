"""The web client's store and protocol under Node's own test runner: generated sequences, and ones recorded from a server."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import orjson
import pytest
from tornado.websocket import websocket_connect

from anonchat.app import Server
from anonchat.testing import running_server, settings_in
from anonchat.testing.people import Person, open_room

HERE = Path(__file__).parent
FOLDER = HERE / "node"
SECONDS = 100
NO_NODE = "The tests of the web client need Node.js 20 or newer on the PATH; on Debian or Ubuntu: apt install nodejs"
Frame = dict[str, Any]


def node(*arguments: str | Path, text: str = "") -> str:
    """Run Node and return what it says. Fails with its complaint, or where there is none."""
    found = shutil.which("node")
    if found is None:
        pytest.fail(NO_NODE)
    ran = subprocess.run(
        [found, *map(str, arguments)], input=text, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.test.mjs")), ids=lambda path: path.name)
def test_under_node(path: Path) -> None:
    told = node("--test", "--test-reporter=tap", path)
    (passed,) = re.findall(r"^# pass (\d+)$", told, re.MULTILINE)
    assert int(passed) > 0
    assert re.search(r"^# (skipped|todo) [^0]", told, re.MULTILINE) is None


# --- recorded from a real server


async def listen(server: Server, token: str, until: str, **position: object) -> list[Frame]:
    """One connection, which ends when a message says `until`: what came over it."""
    socket = await websocket_connect(f"ws://127.0.0.1:{server.port}/ws")
    frames = []
    await socket.write_message(orjson.dumps({"event": "identify", "data": {"token": token, **position}}))
    while True:
        text = await socket.read_message()
        assert text is not None
        frames.append(orjson.loads(text))
        if any(wire.get("content", {}).get("text") == until for wire in _messages(frames[-1])):
            socket.close()
            return frames


def _messages(frame: Frame) -> list[Frame]:
    data = frame["data"]
    if frame["event"] in ("history_chunk", "replay"):
        return [*data.get("messages", ()), *(item["data"] for item in data.get("events", ()))]
    return [data] if frame["event"] == "message" else []


async def talk(ann: Person, mona: Person, mark: str) -> None:
    """Things that happen in a room; at the end `mark` is said."""
    first = (await ann.say(f"{mark} one")).data
    second = (await ann.say(f"{mark} two", replyToId=first["serverMessageId"])).data
    third = (await mona.say(f"{mark} three @Ann")).data
    await ann.ask("edit_message", {"messageId": first["serverMessageId"], "text": f"{mark} changed"})
    await mona.ask("delete_message", {"messageId": second["serverMessageId"]})
    await mona.ask("pin_message", {"messageId": third["serverMessageId"]})
    await mona.say(mark)


def position(frames: list[Frame]) -> dict[str, object]:
    """Up to where a connection has told the room."""
    begun = next(frame["data"] for frame in frames if frame["event"] == "identified")
    live = [frame["seq"] for frame in frames if "seq" in frame]
    return {"epoch": begun["epoch"], "since": max([begun["seq"], *live])}


@pytest.mark.gen_test(timeout=60)
async def test_who_dropped_and_who_stayed_and_who_is_new_see_the_same(tmp_path: Path) -> None:
    async with running_server(settings_in(tmp_path, plugins={"enabled": ("pins", "notifications")})) as server:
        room = await open_room(server)
        tokens = [(await room.join(name)).body["sessionToken"] for name in ("Stays", "Drops", "Fresh")]
        dropping: list[list[Frame]] = []
        staying = asyncio.create_task(listen(server, tokens[0], "last"))
        async with room.enter("Mona", moderator=True) as mona, room.enter("Ann") as ann:
            for mark in ("first", "second", "last"):
                since = position(dropping[-1]) if dropping else {}
                await talk(ann, mona, f"missed before {mark}")
                listening = asyncio.create_task(listen(server, tokens[1], mark, **since))
                await talk(ann, mona, mark)
                dropping.append(await listening)
        fresh = await listen(server, tokens[2], "last")
        recording = {"dropped": dropping, "stayed": [await staying], "fresh": [fresh]}
    assert [sum(frame["event"] == "replay" for frame in frames) for frames in dropping] == [0, 1, 1]
    states = json.loads(node(FOLDER / "replay.mjs", text=json.dumps(recording)))
    assert len(states["fresh"]["list"]) == 24
    assert states["dropped"] == states["fresh"] == states["stayed"]
