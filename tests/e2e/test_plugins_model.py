"""After a reconnect polls, pins, notifications and moderation are as if one had never left.

The machine of `life` in a room with all plugins: people also mention, pin, vote, mute, hold and read while connections
die and the server is killed. Whatever happens, each member knows what a fresh client of the same session is told, and
what a client is told that comes back after a while.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule, run_state_machine_as_test

from anonchat.testing.processes import ServerProcess

from .life import ENVIRONMENT, Caught, Life, broken_server, live, lives
from .member import Member, look
from .plugins_member import ANYBODY, MODERATED, MODERATORS, Asked, PluginsMember, vote
from .plugins_view import Moderation, plugins_view
from .view import View

FEW = lives(examples=8, steps=15)
MOST_DEEDS = 40
LOST = 0.2  # of the answers
LINK = "see https://example.com"  # what waits for a moderator while the rule is on
PLUGGED = ENVIRONMENT | {
    "ANONCHAT_ROOMS__REPLAY_EVENTS": "60",
    "ANONCHAT_PLUGINS__ENABLED": '["analytics", "moderation", "notifications", "pins", "polls"]',
    "ANONCHAT_PLUGINS__MODERATION__PANIC_SLOW_MODE_SECONDS": "0",
    "ANONCHAT_PLUGINS__POLLS__CREATE": "everyone",
    "ANONCHAT_PLUGINS__NOTIFICATIONS__ROOM_MENTIONS": "off",
}
FREE = {kind: {"action": "allow"} for kind in ("flooding", "repeats", "shouting")}  # a test says the same, and fast
SAID = {"mention": "@Member {}", "everybody": "@room", "link": LINK, "link with a mention": f"@Member {{}} {LINK}"}
DEEDS = (*ANYBODY, *MODERATORS, *SAID, "elect")
SEEDS = st.integers(0, 2**32 - 1)


class PluginsLife(Life):
    """A life in a room with plugins."""

    most_members = 6
    refusals = MODERATED
    members: list[PluginsMember]  # type: ignore[assignment]

    def __init__(self, server: ServerProcess, difference: type[BaseException] = AssertionError) -> None:
        super().__init__(server, difference)
        self.before: dict[str, View] = {}  # session id -> what it knew at the last comparison
        self._do(self.members[0], Asked("set_moderation", {"rules": FREE | {"links": {"action": "hold"}}}))
        for _ in range(3):
            self._join()

    def new_view(self) -> View:
        return plugins_view()

    def new_member(self, name: str, session_id: str, token: str) -> Member:
        return PluginsMember(name, self.server.port, session_id, token, self.new_view)

    async def views(self, present: Sequence[Member]) -> list[list[View]]:
        """Of each member what a client is told that has just come, and what it knows that has slept since last time."""
        groups = []
        for member in present:
            group = [await look(self.server.port, member.token, self.new_view()), member.view]
            if (before := self.before.get(member.session_id)) is not None:
                group.append(await look(self.server.port, member.token, copy.deepcopy(before)))
            groups.append(group)
        return groups

    @rule()
    def compare(self) -> None:
        super().compare()
        self.before = {member.session_id: copy.deepcopy(member.view) for member in self.members if member.is_connected}

    @initialize(seed=SEEDS)
    def begin(self, seed: int) -> None:
        self.live(seed, MOST_DEEDS)

    @rule(seed=SEEDS, count=st.integers(5, MOST_DEEDS))
    def live(self, seed: int, count: int) -> None:
        """Many things in a row: as choices of Hypothesis they would be few, and mostly the same."""
        chance = random.Random(seed)
        for kind in chance.choices(DEEDS, k=count):
            who, what = chance.randrange(100), chance.randrange(100)
            if kind in SAID:
                reply_to = self.written[-1][2] if what % 2 and self.written else None
                self._send(self.members[who % len(self.members)], SAID[kind].format(1 + what % self.names), reply_to)
            elif kind == "elect":
                self._elect(what)
            else:
                self._act(kind, who, what, lost=chance.random() < LOST)

    @rule(what=st.integers(0, 999))
    def remove(self, what: int) -> None:
        """The owner deletes what anybody wrote."""
        for author, key, message_id in self._written_by(self.members, what):
            self._delete(self.members[0], key, message_id, author)

    # --- how

    def _act(self, kind: str, who: int, what: int, lost: bool) -> None:
        able = [one for one in self.members if kind in ANYBODY or one.part(Moderation).is_moderator]
        member = able[who % len(able)]
        self._settle(member)
        for asked in {**ANYBODY, **MODERATORS}[kind](member, what):
            self._do(member, asked, lost)

    def _elect(self, what: int) -> None:
        """All vote in one poll."""
        for member in self.members:
            self._settle(member)
            for asked in vote(member, what):
                self._do(member, asked)

    def _do(self, member: Member, asked: Asked, lost: bool = False) -> None:
        """Ask until there is an answer; the first answer may get `lost` on its way."""
        if lost:
            self.runner.run(member.line.become(down="dead"))
            self.runner.run(member.tell(asked.event, asked.data))
            for other in [one for one in self.members if one is not member][:1]:
                self.runner.run(other.ask("heartbeat"))  # so that it has arrived, mostly
            self.runner.run(member.vanish())
        answer = self.runner.run(member.ask(asked.event, asked.data))
        assert answer["event"] != "error" or answer["data"]["code"] in {*asked.refusals, "not_moderator"}, answer


def test_every_client_knows_what_a_fresh_one_is_told(tmp_path: Path) -> None:
    with broken_server(tmp_path, PLUGGED, "lost_publications", "0.2") as server:
        live(partial(PluginsLife, server), FEW)
        assert "Traceback" not in server.log


@pytest.mark.parametrize("fault", ["muffled_events", "dropped_notifications"])
def test_what_is_not_told_is_caught(tmp_path: Path, fault: str) -> None:
    """The controls: servers that swallow events do not get past the same machine."""
    with broken_server(tmp_path, PLUGGED, fault) as server, pytest.raises(Caught):
        run_state_machine_as_test(partial(PluginsLife, server, Caught), settings=FEW)  # type: ignore[arg-type]
