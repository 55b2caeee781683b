"""The web client's store and protocol under Node's own test runner: generated sequences, and ones recorded from a server."""

from __future__ import annotations

import ast
import asyncio
import itertools
import json
import random
import re
import shutil
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import pytest
from tornado.websocket import WebSocketClientConnection, websocket_connect

import anonchat.web
from anonchat.app import Server
from anonchat.errors import CODES
from anonchat.testing import running_server, settings_in
from anonchat.testing.clocks import SettableClock
from anonchat.testing.people import Person, open_room
from anonchat_moderation.content.controls import COUNTED
from anonchat_moderation.content.folding import Text
from anonchat_moderation.content.rules.links import Links, hosts_of
from anonchat_moderation.content.verdicts import REASONS
from anonchat_polls import Polls
from anonchat_polls.secrecy import KINDS, LEAST_SECRET, sentence

HERE = Path(__file__).parent
FOLDER = HERE / "node"
STATIC = Path(anonchat.web.__file__).parent / "static"
SECONDS = 100
SEEDS = (1, 2, 3)
ACTS = 120
DROPS = 0.12  # how often a connection is lost after an act
LAST = "the last that is said"
NO_NODE = "The tests of the web client need Node.js 20 or newer on the PATH; on Debian or Ubuntu: apt install nodejs"
ALLOWED = "allowed.org"
# What addresses are made of, and what is written around them to have them read otherwise.
PARTS = (
    *("https://", "http://", "https:///", "https:\\", "HTTPS://", "hxxp://", "www.", "evil.fyi", "3232235777", "127.1"),
    *(
        ALLOWED,
        f".{ALLOWED}",
        f"@{ALLOWED}",
        "%2e",
        "%40",
        ":",
        ":443",
        ":x@",
        "@",
        "/",
        "?",
        "#",
        "\\",
        "user",
        "[::1]",
    ),
    *(
        " ",
        "\n",
        "\u00a0",
        "\u200b",
        "\u061c",
        "\u200e",
        "\u202e",
        "\u2066",
        "\ufeff",
        "\u00ad",
        "\u0301",
        "\u3000",
        "<",
        ">",
        '"',
        "'",
        "`",
        "(",
        ")",
        "!",
        ",",
        "|",
    ),
    *(
        "*",
        "**",
        "_",
        "~~",
        "> ",
        "- ",
        "```\n",
        "-",
        ".",
        "+",
        "\u2026",
        "\u3002",
        "\uff0e",
        "\uff0f",
        "\uff1f",
        "\uff20",
        "\uff1a",
    ),
    *(
        "\u2047",
        "\u2488",
        "\u2100",
        "\uff48",
        "\u017f",
        "a",
        "7",
        "\u00e4",
        "\u00df",
        "\u0130",
        "\U0001d41a",
        "x" * 2_040,
    ),
)
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


@pytest.mark.parametrize("seed", SEEDS)
def test_what_the_page_makes_a_link_of_is_one_for_moderation(seed: int) -> None:
    """Wherever in a text it begins, and leading to the same host: none to another passes as an allowed one."""
    texts = ["".join(random.Random(f"{seed} {number}").choices(PARTS, k=10)) for number in range(8_000)]
    texts += [f"{before}https://{ALLOWED}{between}evil.fyi/x" for before in PARTS for between in PARTS]
    links = Links("refuse", (ALLOWED,))
    led: set[bool] = set()
    for text, hosts in zip(texts, orjson.loads(node(FOLDER / "links.mjs", text=json.dumps(texts))), strict=True):
        for host in hosts:
            is_allowed = f".{host}".removesuffix(".").endswith(f".{ALLOWED}")
            assert is_allowed or links.is_broken_by(Text(text)), (text, host)
            if re.fullmatch(r"[a-z.]{1,99}", host) and f"//{host}/" in text:
                assert host.strip(".") in hosts_of(Text(text)), (text, host)
            led.add(is_allowed)
    assert led == {True, False}


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.test.mjs")), ids=lambda path: path.name)
def test_under_node(path: Path) -> None:
    told = node("--test", "--test-reporter=tap", path)
    (passed,) = re.findall(r"^# pass (\d+)$", told, re.MULTILINE)
    assert int(passed) > 0
    assert re.search(r"^# (skipped|todo) [^0]", told, re.MULTILINE) is None


# --- what the server says in its own words

ROOT = HERE.parent.parent
# What only programs get to see that speak another protocol than the client does.
OF_PROGRAMS = ("unknown_event", "bad_frame", "not_identified", "method_not_allowed")
ALL_TEXTS = f"""
import {{ readdirSync }} from "node:fs";
const {{ en }} = await import("{STATIC}/texts/en.mjs");
const {{ said }} = await import("{STATIC}/texts/said.de.mjs");
const found = {{ own: Object.keys(en), said: {{ ...said }} }};
for (const path of readdirSync("{ROOT}/plugins", {{ recursive: true }}).filter((one) => one.endsWith("static/texts.mjs"))) {{
  const {{ texts }} = await import("{ROOT}/plugins/" + path);
  found.own.push(...Object.keys(texts.en));
  Object.assign(found.said, texts.said?.de);
}}
console.log(JSON.stringify(found));
"""


def spoken(keys: set[str]) -> set[str]:
    """The sentences of the server for whose code the client has no words of its own."""
    sentences = {(code, error.text) for code, error in CODES.items()}
    for path in (*ROOT.glob("anonchat/**/*.py"), *ROOT.glob("plugins/*/anonchat_*/**/*.py")):
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "ChatError":
                code, text, *_ = (*map(_constant, call.args), "", "")
                sentences.add((code, text))
    own = {text for code, text in sentences if f"error.{code}" not in keys and code not in OF_PROGRAMS}
    told = {*(sentence(kind, LEAST_SECRET) for kind in KINDS), COUNTED}
    return (own | set(REASONS.values()) | set(map(numbered, told))) - {""}


def numbered(sentence: str) -> str:
    """As the catalogue knows a sentence with numbers in it."""
    numbers = itertools.count()
    return re.sub(r"\d+|\{\w+\}", lambda _: f"{{{next(numbers)}}}", sentence)


def _constant(argument: ast.expr) -> str:
    return argument.value if isinstance(argument, ast.Constant) and isinstance(argument.value, str) else ""


def test_38_what_the_server_says_is_there_in_other_languages() -> None:
    """Sentences with a name in them are told by the text of their code, or stay in English."""
    found = json.loads(node("--input-type=module", "--eval", ALL_TEXTS))
    sentences = spoken(set(found["own"]))
    assert sentences - set(found["said"]) == set()
    assert set(found["said"]) - sentences == set()
    assert REASONS["words"] in sentences


# --- recorded from a real server


class Recorder:
    """The connections of one session, one after another, with every frame that came over them."""

    def __init__(self, server: Server, token: str) -> None:
        self.connections: list[list[Frame]] = []
        self._url = f"ws://127.0.0.1:{server.port}/ws"
        self._token = token
        self._socket: WebSocketClientConnection | None = None
        self._came = asyncio.Condition()

    async def connect(self) -> None:
        """Connect, and go on where the last connection ended."""
        since = self._position()
        self._socket = await websocket_connect(self._url)
        self.connections.append([])
        await self._socket.write_message(orjson.dumps({"event": "identify", "data": {"token": self._token, **since}}))
        self._reading = asyncio.create_task(self._read(self._socket, self.connections[-1]))

    async def drop(self) -> None:
        """Lose the connection, wherever it is just now."""
        if self._socket is not None:
            self._socket.close()
            await self._reading
            self._socket = None

    async def ends_with(self, text: str) -> None:
        """Hang up once somebody has said `text`, and all that was told with it has come."""
        assert self._socket is not None
        await self._comes(partial(_says, text))
        await self._socket.write_message(orjson.dumps({"event": "heartbeat", "data": {}}))
        await self._comes(lambda frame: frame["event"] == "heartbeat_ack")
        await self.drop()

    async def _comes(self, wanted: Callable[[Frame], bool]) -> None:
        async with asyncio.timeout(60), self._came:
            await self._came.wait_for(lambda: any(map(wanted, self.connections[-1])))

    async def _read(self, socket: WebSocketClientConnection, frames: list[Frame]) -> None:
        while (text := await socket.read_message()) is not None:
            async with self._came:
                frames.append(orjson.loads(text))
                self._came.notify_all()

    def _position(self) -> Frame:
        """Up to where all the connections together have told the room."""
        position: Frame = {}
        for frame in itertools.chain.from_iterable(self.connections):
            if frame["event"] in ("history_chunk", "replay"):
                position = {"epoch": frame["data"]["epoch"], "since": frame["data"].get("to", frame["data"].get("seq"))}
            elif "seq" in frame:
                position["since"] = frame["seq"]
        return position


def _says(text: str, frame: Frame) -> bool:
    data = frame["data"]
    replayed = [item["data"] for item in data.get("events", ())] if frame["event"] == "replay" else [data]
    said = data.get("messages", ()) if frame["event"] == "history_chunk" else replayed
    return any(wire.get("content", {}).get("text") == text for wire in said)


class Talk:
    """Acts that change a room and what its plugins keep, in an order that a seed chooses."""

    def __init__(self, mona: Person, ann: Person, seed: int) -> None:
        self._mona = mona
        self._ann = ann
        self._random = random.Random(seed)
        self._said: list[str] = []
        self._polls: list[str] = []

    async def act(self) -> None:
        """One of them."""
        acts = [self._say, self._mention]
        if self._said:
            acts += [self._edit, self._delete, self._pin, self._unpin, self._report]
        acts += [self._ask, self._govern]
        if self._polls:
            acts += [self._vote, self._vote, self._close]
        await self._random.choice(acts)()

    async def say(self, text: str) -> None:
        """Say something, and remember it."""
        said = (await self._ann.say(text)).data
        if "serverMessageId" in said:
            self._said.append(said["serverMessageId"])

    async def _say(self) -> None:
        await self.say(f"text {self._random.random()}")

    async def _mention(self) -> None:
        await self.say(f"@Reader {self._random.random()}")

    async def _edit(self) -> None:
        await self._ann.ask("edit_message", {**self._message(), "text": f"changed {self._random.random()}"})

    async def _delete(self) -> None:
        await self._mona.ask("delete_message", self._message())

    async def _pin(self) -> None:
        await self._mona.ask("pin_message", self._message())

    async def _unpin(self) -> None:
        await self._mona.ask("unpin_message", self._message())

    async def _report(self) -> None:
        await self._mona.ask("report_message", {**self._message(), "reason": "why not"})

    async def _govern(self) -> None:
        await self._mona.ask(
            "set_moderation", {"slowModeSeconds": 0, "preset": self._random.choice(["relaxed", "careful"])}
        )

    async def _ask(self) -> None:
        secrecy = self._random.choice(["open", "hidden", "secret"])
        made = await self._mona.ask("create_poll", {"question": "?", "options": ["a", "b"], "secrecy": secrecy})
        self._polls += [made.data["pollId"]] if "pollId" in made.data else []

    async def _vote(self) -> None:
        data = {"pollId": self._random.choice(self._polls), "optionId": self._random.choice("12")}
        await self._random.choice([self._mona, self._ann]).ask("vote", data)

    async def _close(self) -> None:
        await self._mona.ask("close_poll", {"pollId": self._random.choice(self._polls)})

    def _message(self) -> Frame:
        return {"messageId": self._random.choice(self._said)}


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.gen_test
async def test_who_dropped_and_who_stayed_and_who_is_new_see_the_same(tmp_path: Path, seed: int) -> None:
    recordings = await recorded(tmp_path, seed)
    assert sum(frame["event"] == "replay" for frames in recordings["dropped"] for frame in frames) > 5
    states = json.loads(node(FOLDER / "replay.mjs", text=json.dumps(recordings)))
    known = {wire["id"] for wire in states["fresh"]["list"]}
    dropped, stayed, fresh = (narrowed(states[name], known) for name in ("dropped", "stayed", "fresh"))
    assert all(fresh[part] for part in ("list", "polls", "notifications", "moderation"))
    assert stayed == fresh
    assert dropped == fresh


async def recorded(folder: Path, seed: int) -> dict[str, list[list[Frame]]]:
    """What one and the same moderator hears over three lines: one that stays, one that drops, one that is new at the end."""
    plugins, polls, clock = ("moderation", "notifications", "pins"), Polls(), SettableClock()
    settings = settings_in(folder, plugins={"enabled": plugins})
    async with running_server(settings, clock, plugins={"polls": polls}) as server:
        room = await open_room(server)
        token = (await room.join("Reader", moderator=True)).body["sessionToken"]
        stays, drops, fresh = (Recorder(server, token) for _ in range(3))
        await stays.connect()
        async with room.enter("Mona", moderator=True) as mona, room.enter("Ann") as ann:
            talk, chance = Talk(mona, ann, seed), random.Random(seed)
            for _ in range(ACTS):
                await talk.act()
                if chance.random() < DROPS:
                    await drops.drop()
                    await drops.connect()
            clock.advance(1)
            await polls.telling.tell()
            await drops.drop()
            await mona.say(LAST)
            for recorder in (drops, fresh):
                await recorder.connect()
            for recorder in (stays, drops, fresh):
                await recorder.ends_with(LAST)
    return {"dropped": drops.connections, "stayed": stays.connections, "fresh": fresh.connections}


def narrowed(state: Frame, known: set[str]) -> Frame:
    """A state without what only those know who were there before: older messages, and the polls in them."""
    wires = [wire for wire in state["list"] if wire["id"] in known]
    return {**state, "list": wires, "polls": [poll for poll in state["polls"] if poll["messageId"] in known]}
