"""One room under a state machine: people send, edit, come and go while connections die and the server is killed.

Each client builds its state from nothing but the events that it received. A test file adds what it is about by rules
of its own, and says with whom each client is compared.
"""

from __future__ import annotations

import asyncio
import difflib
import json
import os
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from anonchat.testing.processes import ServerProcess

from .member import PATIENCE_SECONDS, Member, look
from .view import View

HERE = Path(__file__).parent
KILLS = 2  # of one room: a restart takes most of a second
MESSAGES = 150  # of one room: fewer than a page of history, so that a fresh client sees all of them
SOAK = os.environ.get("HYPOTHESIS_PROFILE") == "soak"
LONGEST_SECONDS = 600 if SOAK else 170  # of a test that is longer in a soak
SOAK_SECONDS = 240  # for which a machine goes on in a soak
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
    "ANONCHAT_LIMITS__VIOLATIONS_PER_NETWORK": "off",
    "ANONCHAT_LIMITS__SOCKETS_PER_SESSION": "1000",
    "ANONCHAT_LOG__LEVEL": "warning",
}


class Caught(BaseException):
    """A client saw something else. No `Exception`, so that Hypothesis does not try to repeat it but ends."""


class Life(RuleBasedStateMachine):
    """One room, from its creation to the last comparison. `difference` is raised where a client sees something else.

    Who opened the room stays to the end.
    """

    most_members = 4
    refusals: frozenset[str] = frozenset()  # codes with which an edit may be refused

    def __init__(self, server: ServerProcess, difference: type[BaseException] = AssertionError) -> None:
        super().__init__()
        self.server = server
        self.runner = asyncio.Runner()
        self.members: list[Member] = []
        self.difference = difference
        self.names = self.sent = self.kills = 0
        self.is_closed = False
        self.written: list[tuple[Member, str, str]] = []  # author, clientMsgId, message id; those that are visible
        self.texts: dict[str, str] = {}  # clientMsgId -> the text that everybody has to see once it is acknowledged
        self.acked: set[str] = set()  # clientMsgIds
        created = self._request("/api/rooms", {"title": "Room", "ephemeral": False})
        self.room, self.invite = created["roomId"], {"inviteToken": created["inviteToken"]}
        self._join({"moderatorToken": created["moderatorToken"]})
        self._join()

    def new_view(self) -> View:
        """What somebody knows who has never been here."""
        return View()

    def new_member(self, name: str, session_id: str, token: str) -> Member:
        """Somebody who has just joined."""
        return Member(name, self.server.port, session_id, token, self.new_view)

    async def views(self, present: Sequence[Member]) -> list[list[View]]:
        """The views of those who are there, with those of clients that come now; each group has to be equal."""
        fresh = await look(self.server.port, present[0].token, self.new_view())
        return [[fresh, *(member.view for member in present)]]

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

    @precondition(lambda self: len(self.members) < self.most_members and not self.is_closed)
    @rule()
    def join(self) -> None:
        self._join()

    @precondition(lambda self: len(self.members) > 1)
    @rule(who=st.integers(0, 99), forget=st.booleans())
    def leave(self, who: int, forget: bool) -> None:
        member = self.members[1 + who % (len(self.members) - 1)]
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
        for _ in range(count):
            self._send(member, "", self.written[-1][2] if reply and self.written else None)
        if wait:
            self._settle(member)

    @rule(what=st.integers(0, 999))
    def send_again(self, what: int) -> None:
        for member, key, message_id in self._written_by(self.members, what):
            answer = self.runner.run(member.ask("send_message", {"text": "once more", "clientMsgId": key}))
            assert answer["data"].get("serverMessageId") == message_id, answer

    @rule(what=st.integers(0, 999))
    def edit(self, what: int) -> None:
        for member, key, message_id in self._written_by(self.members, what):
            text = f"{self.texts[key]} edited"
            answer = self.runner.run(member.ask("edit_message", {"messageId": message_id, "text": text}))
            if answer["event"] == "edit_ack":
                self.texts[key] = text
            else:
                assert answer["data"]["code"] in self.refusals, answer

    @rule(what=st.integers(0, 999))
    def delete(self, what: int) -> None:
        for member, key, message_id in self._written_by(self.members, what):
            self._delete(member, key, message_id, member)

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
        present = [member for member in self.members if member.is_connected] or self.members[:1]
        for member in present:
            self._settle(member)
        try:
            self.runner.run(self._until_equal(present))
        except TimeoutError as error:
            groups = self.runner.run(self.views(present))
            raise self.difference(_differences(groups, self._position())) from error
        seen = present[0].view.messages.values()
        texts = [
            wire["content"]["text"] for wire in seen if "deletedAt" not in wire and wire["content"]["type"] == "text"
        ]
        self.acked |= {key for member in self.members for key in member.acked}
        assert {text for key, text in self.texts.items() if key in self.acked} <= set(texts) <= set(self.texts.values())
        assert len(texts) == len(set(texts))

    # --- how

    async def _until_equal(self, present: Sequence[Member]) -> None:
        """What was published and lost is found by the next comparison of the server, so a moment may be needed."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                for member in present:
                    await member.settle()
                groups = await self.views(present)
                position = await asyncio.to_thread(self._position)
                is_there = all(view.position == position for views in groups for view in views)
                if is_there and all(len({view.canonical() for view in views}) == 1 for views in groups):
                    return

    def _written_by(self, authors: Sequence[Member], what: int) -> list[tuple[Member, str, str]]:
        """One of the messages that are visible, by one of `authors`; or none. What is visible depends on the time, so no
        precondition can ask for it.
        """
        written = [entry for entry in self.written if entry[0] in authors]
        return [written[what % len(written)]] if written else []

    def _position(self) -> int:
        """The room's position as the database has it."""
        page = self._request(f"/api/rooms/{self.room}/messages?limit=1", None, self.members[0].token)
        return int(page["seq"])

    def _join(self, by: dict[str, str] | None = None) -> None:
        self.names += 1
        body = {**(by or self.invite), "username": f"Member {self.names}"}
        joined = self._request(f"/api/rooms/{self.room}/join", body)
        member = self.new_member(f"m{self.names}", joined["sessionId"], joined["sessionToken"])
        self.runner.run(member.line.open())
        self.runner.run(member.arrive())
        self.members.append(member)

    def _send(self, member: Member, more: str = "", reply_to: str | None = None) -> None:
        """Send a text that nobody else has sent, with `more` in it; nothing once there are enough."""
        if self.sent < MESSAGES:
            self.sent += 1
            key = f"{member.name}-{member.sent + 1}"
            self.texts[key] = f"text of {key} {more}".rstrip()
            self.runner.run(member.send(self.texts[key], reply_to))

    def _delete(self, by: Member, key: str, message_id: str, author: Member) -> None:
        answer = self.runner.run(by.ask("delete_message", {"messageId": message_id}))
        # Not found: the first attempt went through, but its answer was lost.
        assert answer["event"] == "delete_ack" or answer["data"]["code"] == "message_not_found", answer
        self.written.remove((author, key, message_id))
        del self.texts[key]

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


def _differences(groups: Sequence[Sequence[View]], position: int) -> str:
    """What a client sees and another does not that has to see the same, line by line."""
    lines = [f"the database is at {position}"]
    for first, *others in groups:
        for view in others:
            seen, expected = view.canonical().splitlines(), first.canonical().splitlines()
            differing = list(difflib.unified_diff(seen, expected, n=3, lineterm=""))
            if differing or view.position != first.position:
                lines += [f"a client at {view.position}, a fresh one at {first.position}:", *differing]
    return "\n".join(lines)


def lives(examples: int, steps: int) -> settings:
    """Settings of Hypothesis for a machine: the same few lives each time."""
    return settings(
        max_examples=examples,
        stateful_step_count=steps,
        derandomize=True,
        deadline=None,
        database=None,
        print_blob=False,
        phases=[Phase.generate],
    )


def live(machine: Callable[[], RuleBasedStateMachine], few: settings) -> None:
    """Run a machine; in a soak it goes on for `SOAK_SECONDS` with longer lives, others each time."""
    run_state_machine_as_test(machine, settings=few)  # type: ignore[arg-type]
    many = settings(few, stateful_step_count=60, derandomize=False, phases=[Phase.generate, Phase.shrink])
    until = time.monotonic() + (SOAK_SECONDS if SOAK else 0)
    while time.monotonic() < until:
        run_state_machine_as_test(machine, settings=many)  # type: ignore[arg-type]


def broken_server(folder: Path, environment: dict[str, str], *arguments: str) -> ServerProcess:
    """A server with a fault of `broken_server.py`."""
    return ServerProcess(folder, environment, (sys.executable, str(HERE / "broken_server.py"), *arguments))
