"""Whatever happens to connections and servers, a client's state equals that of a client that has just come (D2 to D4).

Hypothesis mixes sends, edits, deletions, joins, leaves, dead and sleeping connections, lost publications and
``kill -9``. Each client builds its state from nothing but the events that it received, by the small reducer below.
``HYPOTHESIS_PROFILE=soak`` runs for long, with other examples each time.
"""

from __future__ import annotations

import asyncio
import contextlib
import difflib
import json
import os
import sys
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from anonchat.testing.lines import Line
from anonchat.testing.processes import ServerProcess

HERE = Path(__file__).parent
MEMBERS = 4
KILLS = 2  # of one room: a restart takes most of a second
MESSAGES = 150  # of one room: fewer than a page of history, so that a fresh client sees all of them
PATIENCE_SECONDS = 5.0
SOAK = os.environ.get("HYPOTHESIS_PROFILE") == "soak"
QUICK = settings(
    max_examples=600 if SOAK else 12,
    stateful_step_count=60 if SOAK else 25,
    derandomize=not SOAK,
    deadline=None,
    database=None,
    print_blob=False,
    phases=[Phase.generate, Phase.shrink] if SOAK else [Phase.generate],
)
ENVIRONMENT = {
    "ANONCHAT_ROOMS__REPLAY_EVENTS": "20",
    "ANONCHAT_ROOMS__HISTORY_PAGE": "200",
    "ANONCHAT_SESSIONS__GRACE_SECONDS": "0",
    "ANONCHAT_LIMITS__PING_SECONDS": "0.7",
    "ANONCHAT_LIMITS__PONG_SECONDS": "0.6",
    "ANONCHAT_LIMITS__REQUESTS_PER_NETWORK": "off",
    "ANONCHAT_LIMITS__ROOMS_PER_NETWORK": "off",
    "ANONCHAT_LIMITS__JOINS_PER_NETWORK": "off",
    "ANONCHAT_LIMITS__MESSAGES_PER_SESSION": "off",
    "ANONCHAT_LIMITS__EVENTS_PER_SESSION": "off",
    "ANONCHAT_LIMITS__SOCKETS_PER_NETWORK": "10000",
    "ANONCHAT_LIMITS__SOCKETS_PER_SESSION": "1000",
    "ANONCHAT_PLUGINS__PLUGINS_DIR": str(HERE / "plugins"),
    "ANONCHAT_PLUGINS__ENABLED": '["caretaker"]',
    "ANONCHAT_LOG__LEVEL": "warning",
}


@dataclass
class View:
    """What a client knows, from the events that it received and nothing else."""

    epoch: str | None = None
    position: int | None = None
    room: dict[str, Any] = field(default_factory=dict)
    users: dict[str, Any] = field(default_factory=dict)
    version: int = -1
    messages: dict[str, dict[str, Any]] = field(default_factory=dict)
    is_stale: bool = False  # a presence event was missed
    is_void: bool = False  # the server asked to start over

    def take(self, event: str, data: dict[str, Any], seq: int | None = None) -> None:
        """Apply one event."""
        if seq is not None:
            assert self.position is not None
            assert seq > self.position, "an event came twice or too late"
            self.position = seq
        apply = getattr(self, f"_on_{event}", None)
        if apply is not None:
            apply(data, seq)

    def _on_identified(self, data: dict[str, Any], _: int | None) -> None:
        self.epoch, self.room = data["epoch"], data["room"]

    def _on_history_chunk(self, data: dict[str, Any], _: int | None) -> None:
        if "recovered" in data:
            self.position = data["seq"]
            self.messages = {wire["id"]: wire for wire in data["messages"]}

    def _on_replay(self, data: dict[str, Any], _: int | None) -> None:
        assert data["from"] == self.position
        for missed in data["events"]:
            self.take(missed["event"], missed["data"], missed["seq"])
        self.position = data["to"]

    def _on_message(self, data: dict[str, Any], _: int | None) -> None:
        assert data["id"] not in self.messages, "a message came twice"
        self.messages[data["id"]] = data

    def _on_message_edited(self, data: dict[str, Any], _: int | None) -> None:
        wire = data["message"]
        known = self.messages.get(wire["id"])
        if known is not None and known["changedSeq"] <= wire["changedSeq"]:
            self.messages[wire["id"]] = wire

    def _on_message_deleted(self, data: dict[str, Any], seq: int | None) -> None:
        known = self.messages.get(data["messageId"])
        if known is not None:
            kept = {key: value for key, value in known.items() if key not in ("editedAt", "replyToId")}
            empty = {"content": {"type": "text", "text": ""}, "mentions": []}
            self.messages[known["id"]] = kept | empty | {"deletedAt": data["deletedAt"], "changedSeq": seq}

    def _on_messages_removed(self, data: dict[str, Any], _: int | None) -> None:
        gone = set(data.get("messageIds", ()))
        through = data.get("throughSeq", 0)
        self.messages = {key: wire for key, wire in self.messages.items() if key not in gone and wire["seq"] > through}

    def _on_room_updated(self, data: dict[str, Any], _: int | None) -> None:
        self.room = self.room | data["room"]

    def _on_room_closed(self, data: dict[str, Any], _: int | None) -> None:
        self.room = self.room | {"isOpen": False, "closedAt": data["closedAt"]}

    def _on_presence_state(self, data: dict[str, Any], _: int | None) -> None:
        self.users = {user["sessionId"]: user for user in data["users"]}
        self.version, self.is_stale = data["version"], False

    def _on_presence(self, data: dict[str, Any], _: int | None) -> None:
        self.is_stale = self.is_stale or data["version"] != self.version + 1
        self.version = data["version"]
        if data["event"] == "join":
            self.users[data["user"]["sessionId"]] = data["user"]
        else:
            self.users.pop(data["user"]["sessionId"], None)

    def _on_heartbeat_ack(self, data: dict[str, Any], _: int | None) -> None:
        self.is_stale = self.is_stale or data["presenceVersion"] != self.version

    def _on_resync(self, data: dict[str, Any], _: int | None) -> None:
        self.is_void = True

    def canonical(self) -> str:
        """The state as text. How many have a place is left out: a number as of the moment of asking, told by no event."""
        room = {key: value for key, value in self.room.items() if key != "actualParticipants"}
        messages = sorted(self.messages.values(), key=lambda wire: int(wire["seq"]))
        users = sorted(self.users.values(), key=lambda user: str(user["sessionId"]))
        return json.dumps({"room": room, "users": users, "messages": messages}, sort_keys=True, indent=1)


async def _open(port: int) -> ClientConnection:
    """A connection that takes in whatever comes; by default one with 16 unread frames would not even see its end."""
    return await connect(f"ws://127.0.0.1:{port}/ws", ping_interval=None, proxy=None, max_size=None, max_queue=None)


class Cut(Exception):
    """The connection is gone."""


class Member:
    """A participant with one connection at a time, over a line of its own, that comes back and sends again."""

    def __init__(self, name: str, port: int, session_id: str, token: str) -> None:
        self.name = name
        self.session_id = session_id
        self.token = token
        self.line = Line(port)
        self.view = View()
        self.waiting: dict[str, dict[str, Any]] = {}  # clientMsgId -> data of sends without an ack
        self.acked: dict[str, str] = {}  # clientMsgId -> message id
        self.sent = 0
        self._answers: dict[int, dict[str, Any]] = {}
        self._asked = 0
        self._socket: ClientConnection | None = None

    async def arrive(self) -> None:
        """Connect, anew or again, and send what was not acknowledged."""
        await self.vanish()
        await self.line.become()
        if self.view.is_void:
            self.view = View()
        self._socket = await _open(self.line.port)
        back = {} if self.view.position is None else {"since": self.view.position, "epoch": self.view.epoch}
        await self._tell("identify", {"token": self.token, **back})
        while await self._receive() not in {"history_chunk", "replay"}:
            pass
        for data in self.waiting.values():
            await self._tell("send_message", data)

    async def vanish(self) -> None:
        """Drop the connection without a word."""
        if self._socket is not None:
            self._socket.transport.abort()
            await self._socket.wait_closed()
            self._socket = None

    async def go(self) -> None:
        """Close the connection as one should."""
        if self._socket is not None:
            await self._socket.close()
            self._socket = None

    async def send(self, text: str, reply_to: str | None = None) -> None:
        """Send without waiting for the ack."""
        self.sent += 1
        data = {"text": text, "clientMsgId": f"{self.name}-{self.sent}"}
        if reply_to is not None:
            data["replyToId"] = reply_to
        self.waiting[data["clientMsgId"]] = data
        if self._socket is not None:
            with contextlib.suppress(Cut):
                await self._tell("send_message", data)

    async def settle(self) -> None:
        """Be connected, know everything that was sent to us until now, and have every ack."""
        while True:
            await self.ask("heartbeat")
            if self.view.is_stale:
                await self.ask("get_presence")
            if not self.waiting:
                return

    async def ask(self, event: str, data: dict[str, Any] | None = None) -> dict[str, Any]:
        """Send an event until it is answered, over as many connections as that takes; returns the answer's frame."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                try:
                    if self._socket is None or self.view.is_void:
                        await self.arrive()
                    return await self._ask_once(event, data or {})
                except (Cut, OSError, WebSocketException):
                    await self.vanish()

    async def _ask_once(self, event: str, data: dict[str, Any]) -> dict[str, Any]:
        self._asked += 1
        asked = self._asked
        await self._tell(event, data, asked)
        while asked not in self._answers:
            await self._receive()
        return self._answers.pop(asked)

    async def _tell(self, event: str, data: dict[str, Any], number: int | None = None) -> None:
        assert self._socket is not None
        frame = {"event": event, "data": data} | ({} if number is None else {"id": number})
        try:
            await self._socket.send(json.dumps(frame))
        except WebSocketException as error:
            raise Cut from error

    async def _receive(self) -> str:
        assert self._socket is not None
        try:
            frame = json.loads(await self._socket.recv())
        except WebSocketException as error:
            raise Cut from error
        event, data = frame["event"], frame["data"]
        if "id" in frame:
            self._answers[frame["id"]] = frame
        elif event == "error":
            self._refused(data)
        if event == "message_ack":
            assert self.acked.setdefault(data["clientMsgId"], data["serverMessageId"]) == data["serverMessageId"]
            self.waiting.pop(data["clientMsgId"], None)
        self.view.take(event, data, frame.get("seq"))
        return str(event)

    def _refused(self, data: dict[str, Any]) -> None:
        """A reply to what was deleted meanwhile is sent without the reply; nothing else may be refused."""
        assert data["code"] == "message_not_found", data
        self.waiting[data["clientMsgId"]].pop("replyToId", None)
        raise Cut


class Life(RuleBasedStateMachine):
    """One room, from its creation to the last comparison. `difference` is raised where a client sees something else."""

    def __init__(self, server: ServerProcess, difference: type[BaseException] = AssertionError) -> None:
        super().__init__()
        self.server = server
        self.runner = asyncio.Runner()
        self.members: list[Member] = []
        self.difference = difference
        self.names = self.sent = self.kills = 0
        self.is_closed = False
        self.written: list[tuple[Member, str, str]] = []  # author, clientMsgId, message id; those that are visible
        self.texts: dict[str, str] = {}  # clientMsgId -> the text that everybody has to see
        created = self._request("/api/rooms", {"title": "Room", "ephemeral": False})
        self.room, self.invite = created["roomId"], created["inviteToken"]
        self._join()
        self._join()

    def teardown(self) -> None:
        """Compare one last time, with everybody."""
        try:
            if sys.exc_info()[0] is None:
                for member in self.members:
                    self.runner.run(member.ask("heartbeat"))
                self.compare()
        finally:
            self.runner.run(self._close())
            self.runner.close()

    async def _close(self) -> None:
        for member in self.members:
            await member.vanish()
            await member.line.close()

    # --- what can happen

    @precondition(lambda self: len(self.members) < MEMBERS and not self.is_closed)
    @rule()
    def join(self) -> None:
        self._join()

    @precondition(lambda self: len(self.members) > 1)
    @rule(who=st.integers(0, 99), forget=st.booleans())
    def leave(self, who: int, forget: bool) -> None:
        member = self.members[who % len(self.members)]
        self._settle(member)
        self.members.remove(member)
        if forget:
            self.written = [entry for entry in self.written if entry[0] is not member]
            self.texts = {key: text for key, text in self.texts.items() if not key.startswith(f"{member.name}-")}
        self._request(f"/api/rooms/{self.room}/leave", {"forget": forget}, member.token)
        self.runner.run(member.vanish())
        self.runner.run(member.line.close())

    @rule(who=st.integers(0, 99), count=st.sampled_from([1, 1, 2, 5, 25]), reply=st.booleans(), wait=st.booleans())
    def send(self, who: int, count: int, reply: bool, wait: bool) -> None:
        member = self.members[who % len(self.members)]
        for _ in range(min(count, MESSAGES - self.sent)):
            self.sent += 1
            key = f"{member.name}-{member.sent + 1}"
            self.texts[key] = f"text of {key}"
            self.runner.run(member.send(self.texts[key], self.written[-1][2] if reply and self.written else None))
        if wait:
            self._settle(member)

    @precondition(lambda self: self.written)
    @rule(what=st.integers(0, 999))
    def send_again(self, what: int) -> None:
        member, key, message_id = self.written[what % len(self.written)]
        if member in self.members:
            answer = self.runner.run(member.ask("send_message", {"text": "once more", "clientMsgId": key}))
            assert answer["data"].get("serverMessageId") == message_id, answer

    @precondition(lambda self: self.written)
    @rule(what=st.integers(0, 999))
    def edit(self, what: int) -> None:
        member, key, message_id = self.written[what % len(self.written)]
        if member in self.members:
            text = f"{self.texts[key]} edited"
            answer = self.runner.run(member.ask("edit_message", {"messageId": message_id, "text": text}))
            assert answer["event"] == "edit_ack", answer
            self.texts[key] = text

    @precondition(lambda self: self.written)
    @rule(what=st.integers(0, 999))
    def delete(self, what: int) -> None:
        member, key, message_id = self.written[what % len(self.written)]
        if member in self.members:
            answer = self.runner.run(member.ask("delete_message", {"messageId": message_id}))
            # Not found: the first attempt went through, but its answer was lost.
            assert answer["event"] == "delete_ack" or answer["data"]["code"] == "message_not_found", answer
            self.written.remove((member, key, message_id))
            del self.texts[key]

    @rule(who=st.integers(0, 99), act=st.sampled_from(["rename", "close", "reopen"]))
    def change_room(self, who: int, act: str) -> None:
        data = {"title": f"Room {who}"} if act == "rename" else {}
        answer = self.runner.run(self.members[who % len(self.members)].ask(f"caretaker.{act}", data))
        assert answer["event"] == "caretaker.done", answer
        self.is_closed = {"rename": self.is_closed, "close": True, "reopen": False}[act]

    @rule(who=st.integers(0, 99), clean=st.booleans())
    def go(self, who: int, clean: bool) -> None:
        member = self.members[who % len(self.members)]
        self.runner.run(member.go() if clean else member.vanish())

    @rule(who=st.integers(0, 99), up=st.sampled_from(["open", "dead"]), sends=st.integers(0, 3))
    def lose(self, who: int, up: str, sends: int) -> None:
        """The connection goes dead: what is sent may arrive, its answers do not; later the client gives it up."""
        member = self.members[who % len(self.members)]
        self.runner.run(member.line.become(up=up, down="dead"))
        self.send(who, sends, False, False)
        self.send((who + 1) % len(self.members), 1, False, True) if len(self.members) > 1 else None
        self.runner.run(member.vanish())

    @rule(who=st.integers(0, 99), sends=st.integers(1, 5))
    def sleep(self, who: int, sends: int) -> None:
        """A client receives nothing for a while, then all at once."""
        member = self.members[who % len(self.members)]
        self.runner.run(member.line.become(down="held"))
        for _ in range(sends if len(self.members) > 1 else 0):
            self.send(who + 1, 1, False, False)
        if len(self.members) > 1:
            self._settle(self.members[(who + 1) % len(self.members)])
        self.runner.run(member.line.become())

    @precondition(lambda self: self.kills < KILLS)
    @rule(sends=st.integers(0, 3))
    def kill(self, sends: int) -> None:
        self.kills += 1
        for who in range(len(self.members)):
            self.send(who, sends, False, False)
        self.server.kill()
        self.server.start()

    @rule()
    def compare(self) -> None:
        """Everybody who is there sees what one who has just come would see, and what must be there is there."""
        present = [member for member in self.members if member._socket is not None] or self.members[:1]
        for member in present:
            self._settle(member)
        try:
            self.runner.run(self._until_equal(present))
        except TimeoutError as error:
            fresh = self.runner.run(self._fresh(present[0]))
            raise self.difference(_difference(fresh, [member.view for member in present], self._position())) from error
        seen = present[0].view.messages.values()
        unsettled = {key for member in self.members for key in member.waiting}
        texts = [wire["content"]["text"] for wire in seen if "deletedAt" not in wire]
        expected = [text for key, text in self.texts.items() if key not in unsettled]
        assert set(expected) <= set(texts) <= set(self.texts.values())
        assert len(texts) == len(set(texts))

    # --- how

    async def _until_equal(self, present: list[Member]) -> None:
        """What was published and lost is found by the next comparison of the server, so a moment may be needed."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                for member in present:
                    await member.settle()
                fresh = await self._fresh(present[0])
                position = await asyncio.to_thread(self._position)
                views = [fresh, *(member.view for member in present)]
                if {view.position for view in views} == {position} and len({view.canonical() for view in views}) == 1:
                    return

    async def _fresh(self, member: Member) -> View:
        """What the session would see if it came now; one more socket of a session changes nothing for the others."""
        view = View()
        async with await _open(self.server.port) as socket:
            await socket.send(json.dumps({"event": "identify", "data": {"token": member.token}}))
            event = ""
            while event != "history_chunk":
                frame = json.loads(await socket.recv())
                event = frame["event"]
                assert event != "error", frame
                view.take(event, frame["data"])
        return view

    def _position(self) -> int:
        """The room's position as the database has it."""
        page = self._request(f"/api/rooms/{self.room}/messages?limit=1", None, self.members[0].token)
        return int(page["seq"])

    def _join(self) -> None:
        self.names += 1
        body = {"inviteToken": self.invite, "username": f"Member {self.names}"}
        joined = self._request(f"/api/rooms/{self.room}/join", body)
        member = Member(f"m{self.names}", self.server.port, joined["sessionId"], joined["sessionToken"])
        self.runner.run(member.line.open())
        self.runner.run(member.arrive())
        self.members.append(member)

    def _settle(self, member: Member) -> None:
        self.runner.run(member.settle())
        known = {key for _, key, _ in self.written}
        self.written += [
            (member, key, message_id)
            for key, message_id in member.acked.items()
            if key not in known and key in self.texts
        ]

    def _request(self, path: str, body: dict[str, Any] | None, token: str = "") -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.server.url + path, data, {"Authorization": f"Bearer {token}"})
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise AssertionError(error.read().decode()) from error


def _difference(fresh: View, views: list[View], position: int) -> str:
    """What a client sees and a fresh one does not, line by line."""
    lines = [f"the database is at {position}, a fresh client at {fresh.position}"]
    for view in views:
        differing = difflib.unified_diff(
            view.canonical().splitlines(), fresh.canonical().splitlines(), n=1, lineterm=""
        )
        lines += [f"a client at {view.position}:", *differing]
    return "\n".join(lines)


def broken_server(folder: Path, *arguments: str) -> ServerProcess:
    return ServerProcess(folder, ENVIRONMENT, (sys.executable, str(HERE / "broken_server.py"), *arguments))


def test_every_client_sees_what_a_fresh_one_sees(tmp_path: Path) -> None:
    with broken_server(tmp_path, "lost_publications", "0.2") as server:
        run_state_machine_as_test(partial(Life, server), settings=QUICK)  # type: ignore[arg-type]
        assert "Traceback" not in server.log


class Caught(BaseException):
    """A client saw something else. No `Exception`, so that Hypothesis does not try to repeat it but ends."""


def test_a_skipped_replay_is_caught(tmp_path: Path) -> None:
    """The control: a server that leaves out one replayed event does not get past the same machine."""
    with broken_server(tmp_path, "skipped_replay") as server, pytest.raises(Caught):
        run_state_machine_as_test(partial(Life, server, Caught), settings=QUICK)  # type: ignore[arg-type]
