"""Any events in any order on any sockets: each is answered once, by what it asked for or by a code, and nothing is mixed up.

Hypothesis chooses who opens sockets, who says what with which ids and nonsense, who identifies again as somebody else,
leaves or vanishes. After each step every socket must still be who it was. ``HYPOTHESIS_PROFILE=soak`` runs for long.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from websockets.exceptions import ConnectionClosed

from anonchat.plugins.registry import bundled
from anonchat.testing.clients import Rest, Socket, connected
from anonchat.testing.contract import Contract
from anonchat.testing.processes import ServerProcess, environment

from .life import live, lives

FEW = settings(lives(examples=12, steps=30), suppress_health_check=list(HealthCheck))
SECONDS = 60.0
END = "the end"
MOST_SOCKETS = 6
FRAMES = 5  # in one step
ENDS = frozenset({1000, 1013, 4400, 4401, 4403, 4410, 4429})
OURS_TO_MEND = frozenset({"internal", "plugin_failed"})
WITHOUT_ANSWER = frozenset({"typing"})
POSITIONS: tuple[dict[str, Any], ...] = ({}, {"since": 0, "epoch": "made up"}, {"since": 5})

junk = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


class Known(int):
    """Stands for the id of that number among those that there are."""


OMITTED = object()
MOST_FIELDS = 8
who = st.integers(0, 99)
value = st.integers(0, 99).map(Known) | st.sampled_from(["text", "1", 0, 5, True, ["a", "b"]]) | st.just(OMITTED) | junk
# What is drawn depends on nothing that the server does, or Hypothesis could not tell one run from another.
said = st.tuples(st.integers(0, 999), st.lists(value, min_size=MOST_FIELDS, max_size=MOST_FIELDS))
raw = st.sampled_from(["", "[]", "{", "\x00", '{"event": 1}', "null"]) | st.binary(max_size=10) | st.text(max_size=20)


class Party:
    """One socket: `session` says as whom it is identified, None before that."""

    def __init__(self, socket: Socket, end: Any) -> None:
        self.socket = socket
        self.end = end
        self.session: Mapping[str, Any] | None = None


class AnyOrder(RuleBasedStateMachine):
    """One room, its people, and their sockets."""

    def __init__(
        self, server: ServerProcess, loop: asyncio.AbstractEventLoop, events: Mapping[str, Any], patience: float
    ) -> None:
        super().__init__()
        self._patience = patience
        self._port = server.port
        self._loop = loop
        self._events = events
        self._contract = Contract.of(server.url)
        self._rest = Rest(server.port)
        self._numbers = itertools.count()
        self._room = self._rest.call("POST", "/api/rooms", {"title": "Room"}).body
        self._ids = [self._room["roomId"]]
        self._sessions = [self._join("moderatorToken"), self._join("inviteToken")]
        rules = {"rules": {name: {"action": "allow"} for name in ("flooding", "repeats", "newcomers")}}
        path = f"/api/rooms/{self._room['roomId']}/moderation"  # is not there without the plugin
        self._rest.call("PATCH", path, rules, token=self._sessions[0]["sessionToken"])
        self._parties: list[Party] = []

    def _join(self, token: str) -> dict[str, Any]:
        body = {token: self._room[token], "username": f"Guest {next(self._numbers)}"}
        session: dict[str, Any] = self._rest.call("POST", f"/api/rooms/{self._room['roomId']}/join", body).body
        self._ids.append(session.get("sessionId", "none"))
        return session

    def _run(self, work: Any) -> Any:
        return self._loop.run_until_complete(asyncio.wait_for(work, self._patience))

    # --- what happens

    @rule(number=who)
    def open_socket(self, number: int) -> None:
        if len(self._parties) == MOST_SOCKETS:
            return
        end = connected(self._port, contract=self._contract)
        party = Party(self._run(end.__aenter__()), end)
        assert self._run(party.socket.read())["event"] == "hello"
        self._parties.append(party)
        if number % 4:
            self._identify(party, self._sessions[number % len(self._sessions)], {})

    @rule()
    def join(self) -> None:
        session = self._join("inviteToken")
        if "sessionToken" in session:
            self._sessions.append(session)

    @rule(number=who, session=who, position=st.sampled_from(POSITIONS))
    def identify(self, number: int, session: int, position: Mapping[str, Any]) -> None:
        self._identify(self._party(number), self._sessions[session % len(self._sessions)], position)

    def _identify(self, party: Party, session: Mapping[str, Any], position: Mapping[str, Any]) -> None:
        came, code = self._answers(party, "identify", {"token": session["sessionToken"], **position})
        if party.session is not None:
            assert came is None or came["data"]["code"] == "conflict"
        elif came is not None and came["event"] == "identified":
            assert came["data"]["sessionId"] == session["sessionId"]
            party.session = session
        else:
            assert code in ENDS

    @rule(number=who, frames=st.lists(said, min_size=1, max_size=FRAMES))
    def say_anything(self, number: int, frames: list[tuple[int, list[Any]]]) -> None:
        for event, values in frames:
            name = sorted(self._events)[event % len(self._events)]
            found = [self._ids[value % len(self._ids)] if isinstance(value, Known) else value for value in values]
            fields = zip(self._events[name], found, strict=False)
            self._say(self._party(number), name, {field: value for field, value in fields if value is not OMITTED})

    def _say(self, party: Party, name: str, fields: Mapping[str, Any]) -> None:
        before = party.session
        came, code = self._answers(party, name, fields)
        if came is None:
            assert code in ENDS or (code is None and name in WITHOUT_ANSWER and before is not None)
        elif before is None:
            assert came["data"]["code"] in ("not_identified", "bad_frame")

    @rule(number=who, frame=raw)
    def send_nonsense(self, number: int, frame: str | bytes) -> None:
        came, code = self._exchange(self._party(number), frame, None)
        assert code in (None, *ENDS)
        assert [told["data"]["code"] for told in came if told["event"] == "error"] or code is not None

    @rule(number=who)
    def vanish(self, number: int) -> None:
        party = self._party(number)
        party.socket.raw.transport.abort()
        self._forget(party)

    def _party(self, number: int) -> Party:
        """One of the sockets; there is always one."""
        if not self._parties:
            self.open_socket(0)  # does not identify, and so cannot be refused
        return self._parties[number % len(self._parties)]

    @invariant()
    def every_socket_is_who_it_was(self) -> None:
        for party in list(self._parties):
            came, code = self._answers(party, "send_message", self._message())
            if came is None:
                assert code in ENDS
            elif party.session is None:
                assert came["data"]["code"] == "not_identified"
            elif came["event"] == "message_ack":
                self._ids.append(came["data"]["serverMessageId"])
                self._check_author(party, came["data"]["serverMessageId"])

    def _check_author(self, party: Party, message_id: str) -> None:
        page, code = self._answers(party, "get_history", {"limit": 200})
        if page is None:
            assert code in ENDS
            return
        assert party.session is not None
        found = {message["id"]: message["authorSessionId"] for message in page["data"]["messages"]}
        assert found[message_id] == party.session["sessionId"]

    def teardown(self) -> None:
        for party in list(self._parties):
            self._forget(party)

    # --- frames

    def _message(self) -> dict[str, str]:
        name = f"message {next(self._numbers)}"
        return {"text": f"It is me, {name}", "clientMsgId": name}

    def _answers(self, party: Party, event: str, data: Mapping[str, Any]) -> tuple[dict[str, Any] | None, int | None]:
        """The one answer to a frame, None for none; the code with which the socket was closed, None if it was not."""
        number = next(self._numbers)
        text = json.dumps({"event": event, "data": data, "id": number})
        came, code = self._exchange(party, text, None if event in WITHOUT_ANSWER else number)
        answers = [told for told in came if is_answer(told, number)]
        assert len(answers) <= 1, (text, came)
        return (answers[0] if answers else None), code

    def _exchange(
        self, party: Party, frame: str | bytes, number: int | None
    ) -> tuple[list[dict[str, Any]], int | None]:
        came, code = self._run(_exchange(party.socket, frame, number))
        errors = {told["data"]["code"] for told in came if told["event"] == "error"}
        assert not errors & OURS_TO_MEND, (frame, came)
        if code is not None:
            self._forget(party)
        return came, code

    def _forget(self, party: Party) -> None:
        self._parties.remove(party)
        self._run(party.end.__aexit__(None, None, None))


async def _exchange(socket: Socket, frame: str | bytes, number: int | None) -> tuple[list[dict[str, Any]], int | None]:
    """Send a frame and wait for its answer if it has a number, then for that to a heartbeat, which others may overtake.

    What came, and the close code if there was one.
    """
    came: list[dict[str, Any]] = []
    try:
        await socket.raw.send(frame)
        while number is not None and not (came and is_answer(came[-1], number)):
            came.append(await socket.read())
        await socket.raw.send(json.dumps({"event": "heartbeat", "id": END}))
        while (told := await socket.read()).get("id") != END:
            came.append(told)
    except ConnectionClosed:
        return came, socket.raw.close_code
    return came, None


def is_answer(told: Mapping[str, Any], number: int) -> bool:
    """Whether an event answers the frame of that number. What is not strict JSON has none that could be read."""
    return told.get("id") == number or (told["event"] == "error" and told["data"]["code"] == "bad_frame")


def client_events(server: ServerProcess) -> dict[str, list[str]]:
    """Event -> its fields, of the core and all plugins, as AsyncAPI describes them."""
    with urllib.request.urlopen(f"{server.url}/api/asyncapi.json", timeout=60) as answer:
        components = json.load(answer)["components"]
    found = {}
    for name, message in components["messages"].items():
        if name.startswith("client.") and name != "client.identify":
            schema = message["payload"]["properties"]["data"]["$ref"].rpartition("/")[2]
            found[name.removeprefix("client.")] = list(components["schemas"][schema].get("properties", {}))
    return found


@contextmanager
def attacked(folder: Path, patience: float = SECONDS, **plugins: Any) -> Iterator[ServerProcess]:
    """A server on which the machine has run."""
    tables = environment(plugins=plugins, sessions={"grace_seconds": 0}, limits={"sockets_per_session": 1_000})
    loop = asyncio.new_event_loop()
    try:
        with ServerProcess(folder, tables) as server:
            machine = partial(AnyOrder, server, loop, client_events(server), patience)
            live(machine, FEW)
            yield server
    finally:
        loop.close()


@pytest.mark.timeout(600)
def test_any_events_in_any_order(tmp_path: Path) -> None:
    with attacked(tmp_path, enabled=bundled()) as server:
        assert "Traceback" not in server.log
        assert '"level": "error"' not in server.log


BROKEN = """
from anonchat import ClientEvent, Schema, hookimpl

class Plugin:
    @hookimpl
    def register_client_events(self):
        return [ClientEvent(f"broken.event{number}", Schema(), self.handle) for number in range(20)]

    async def handle(self, call):
        pass
"""


def test_control_an_event_without_an_answer_is_found(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text(BROKEN)
    with pytest.raises(TimeoutError), attacked(tmp_path, 3.0, enabled=["broken"], plugins_dir=str(tmp_path)):
        pass
