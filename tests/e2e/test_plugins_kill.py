"""What plugins have acknowledged survives ``kill -9`` at any moment: votes, pins, and whom a message concerns.

A secret vote does not, by design: clients send it again, and it is counted once.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from anonchat.testing.clients import Rest
from anonchat.testing.processes import ServerProcess

from .life import ENVIRONMENT, broken_server
from .plugins_member import PluginsMember
from .plugins_view import Polls, plugins_view

SEED = 20_261_121
KILLS = 8
PEOPLE = 5  # as many as it takes for the result of a secret poll to count
MOMENT_SECONDS = 0.15
PATIENCE_SECONDS = 20
MOST_A_ROUND = 40  # votes or pins of one person; sixty a minute are the limit, and a restart forgets them
PLUGGED = ENVIRONMENT | {
    "ANONCHAT_PLUGINS__ENABLED": '["moderation", "notifications", "pins", "polls"]',
    "ANONCHAT_PLUGINS__NOTIFICATIONS__KEPT_PER_PERSON": "1000",
    "ANONCHAT_PLUGINS__PINS__PINS_PER_ROOM": "200",
}
FREE = {kind: {"action": "allow"} for kind in ("flooding", "repeats", "shouting")}
Deed = tuple[str, dict[str, Any]]


@dataclass
class Voter:
    """Acts without a pause and keeps what was acknowledged. What was cut off it does again, first of all."""

    member: PluginsMember
    number: int
    chance: random.Random
    polls: list[str] = field(default_factory=list)
    pending: Deed | None = None
    done: int = 0  # in this round
    votes: dict[str, list[str]] = field(default_factory=dict)  # poll id -> options
    pinned: dict[str, bool] = field(default_factory=dict)
    mentions: list[tuple[int, str]] = field(default_factory=list)  # whom, message id
    sent: int = 0

    async def act(self, progress: asyncio.Condition) -> None:
        """Until the connection breaks."""
        self.done = 0
        while True:
            event, data = self.pending = self.pending or self._next()
            answer = await self.member.attempt(event, data)
            if answer is None:
                return
            self.pending = None
            self._keep(event, data, answer)
            async with progress:
                self.done += 1
                progress.notify_all()

    def _next(self) -> Deed:
        kind = self.chance.choice(["vote", "mention", "pin"]) if self.done < MOST_A_ROUND else "mention"
        if kind == "vote":
            option = str(self.chance.randrange(1, 4))
            return "vote", {"pollId": self.chance.choice(self.polls), "optionIds": [option], "change": True}
        if kind == "pin" and self.number == 0 and self.mentions:
            message_id = self.chance.choice(self.mentions)[1]
            return "unpin_message" if self.pinned.get(message_id) else "pin_message", {"messageId": message_id}
        self.sent += 1
        whom = self.chance.choice([number for number in range(PEOPLE) if number != self.number])
        return "send_message", {"text": f"@Voter {whom} look {self.sent}", "clientMsgId": f"{self.number}-{self.sent}"}

    def _keep(self, event: str, data: dict[str, Any], answer: dict[str, Any]) -> None:
        told = answer["data"]
        if event == "vote":
            assert answer["event"] == "vote_recorded", answer
            self.votes[data["pollId"]] = told["optionIds"]
        elif event == "send_message":
            assert answer["event"] == "message_ack", answer
            self.mentions.append((int(data["text"].split()[1]), told["serverMessageId"]))
        else:
            # An unpin that was cut off may have been done.
            assert answer["event"] != "error" or told["code"] == "pins.not_pinned", answer
            self.pinned[data["messageId"]] = event == "pin_message"


class Election:
    """A room full of voters, and the server that is killed under them."""

    def __init__(self, server: ServerProcess) -> None:
        self.server = server
        self.chance = random.Random(SEED)
        self.voters: list[Voter] = []
        self.secret = ""

    async def come(self) -> None:
        """Make the room, and three polls that are voted in all the time, and a secret one."""
        rest = Rest(self.server.port)
        room = (await rest.acall("POST", "/api/rooms", {"title": "Room", "ephemeral": False})).body
        for number in range(PEOPLE):
            name = "inviteToken" if number else "moderatorToken"
            body = {name: room[name], "username": f"Voter {number}"}
            joined = (await rest.acall("POST", f"/api/rooms/{room['roomId']}/join", body)).body
            token = joined["sessionToken"]
            member = PluginsMember(f"v{number}", self.server.port, joined["sessionId"], token, plugins_view)
            await member.line.open()
            self.voters.append(Voter(member, number, random.Random(SEED + number)))
        owner = self.voters[0].member
        await owner.ask("set_moderation", {"rules": FREE})
        asked = {"question": "What?", "options": ["One", "Two", "Three"]}
        made = [
            await owner.ask("create_poll", asked | {"secrecy": kind}) for kind in ("open", "open", "hidden", "secret")
        ]
        *polls, self.secret = [answer["data"]["pollId"] for answer in made]
        for voter in self.voters:
            voter.polls = polls

    async def go(self) -> None:
        """Everybody leaves."""
        for voter in self.voters:
            await voter.member.vanish()
            await voter.member.line.close()

    async def kill_often(self) -> None:
        """Kill and start anew, at random moments under load."""
        for _ in range(KILLS):
            await self._vote_secretly()
            async with asyncio.timeout(PATIENCE_SECONDS), asyncio.TaskGroup() as acting:
                progress = asyncio.Condition()
                for voter in self.voters:
                    acting.create_task(voter.act(progress))
                async with progress:
                    await progress.wait_for(lambda: all(voter.done for voter in self.voters))
                await asyncio.sleep(self.chance.uniform(0, MOMENT_SECONDS))  # the random moment itself
                self.server.kill()
            await asyncio.to_thread(self.server.start)
        await self._vote_secretly()
        for voter in self.voters:
            if voter.pending is not None:
                event, data = voter.pending
                voter._keep(event, data, await voter.member.ask(event, data))

    async def _vote_secretly(self) -> None:
        """As a client does: where the server says that it does not know one's vote. And once more."""
        for voter in self.voters:
            await voter.member.settle()
            assert self.secret in voter.member.part(Polls).forgotten(), "a secret vote was kept over a restart"
            data = {"pollId": self.secret, "optionIds": [str(1 + voter.number % 3)]}
            assert (await voter.member.ask("vote", data))["event"] == "vote_pending"
            assert (await voter.member.ask("vote", data))["data"]["code"] == "already_voted"

    # --- what was acknowledged, and what is there

    async def lost_votes(self) -> list[str]:
        """Polls whose votes, or totals, are not those that were acknowledged."""
        lost = []
        for poll_id in self.voters[0].polls:
            cast = [voter.votes[poll_id] for voter in self.voters if poll_id in voter.votes]
            expected = Counter(option for options in cast for option in options)
            for voter in self.voters:
                told = (await voter.member.ask("get_poll_results", {"pollId": poll_id}))["data"]
                seen = (
                    told["totals"] is None or {key: count for key, count in told["totals"].items() if count} == expected
                )
                if not seen or told["voters"] != len(cast) or told["optionIds"] != voter.votes.get(poll_id, []):
                    lost.append(f"{voter.number} in {poll_id}: {told}, acknowledged {cast}")
        return lost

    async def lost_pins(self) -> set[str]:
        """Messages that are pinned or not, other than was acknowledged."""
        owner = self.voters[0]
        told = (await owner.member.ask("get_pinned_messages"))["data"]
        assert not told["hasMore"]
        return {wire["id"] for wire in told["messages"]} ^ {key for key, is_on in owner.pinned.items() if is_on}

    async def lost_mentions(self) -> Counter[str]:
        """Messages of which somebody whom they mention is not notified, or more than once."""
        lost: Counter[str] = Counter()
        for recipient in self.voters:
            expected = [key for voter in self.voters for whom, key in voter.mentions if whom == recipient.number]
            there = Counter(await _mentions(recipient.member))
            lost.update((Counter(expected) - there) + (there - Counter(expected)))
        return lost

    async def secret_result(self) -> dict[str, Any]:
        """The result of the secret poll, which is closed by this."""
        answer = await self.voters[0].member.ask("close_poll", {"pollId": self.secret})
        assert answer["event"] == "poll_results", answer
        return {name: answer["data"][name] for name in ("voters", "totals", "discarded")}


async def _mentions(member: PluginsMember) -> list[str]:
    """The ids of all messages that somebody is notified of as mentions."""
    found: list[str] = []
    page: dict[str, Any] = {"hasMore": True, "notifications": []}
    while page["hasMore"]:
        before = {"before": page["notifications"][-1]["id"]} if page["notifications"] else {}
        page = (await member.ask("get_notifications", {"unreadOnly": False, "limit": 100, **before}))["data"]
        found += [told["message"]["id"] for told in page["notifications"] if told["type"] == "mention"]
    return found


@pytest.mark.gen_test
async def test_what_plugins_acknowledge_is_never_lost(tmp_path: Path) -> None:
    print(f"seed {SEED}")
    with ServerProcess(tmp_path, PLUGGED) as server:
        election = Election(server)
        try:
            await election.come()
            await election.kill_often()
            print(f"{sum(len(voter.mentions) for voter in election.voters)} mentions, {KILLS} kills")
            assert await election.lost_votes() == []
            assert await election.lost_pins() == set()
            assert await election.lost_mentions() == Counter()
            assert await election.secret_result() == {
                "voters": PEOPLE, "totals": {"1": 2, "2": 2, "3": 1}, "discarded": False,
            }  # fmt: skip
        finally:
            await election.go()
        assert "Traceback" not in server.log


@pytest.mark.gen_test
@pytest.mark.parametrize("fault", ["early_votes", "late_notifications"])
async def test_an_ack_before_the_commit_is_caught(tmp_path: Path, fault: str) -> None:
    """The controls: the same voters where votes, or notifications, are written after the ack."""
    with broken_server(tmp_path, PLUGGED, fault) as server:
        election = Election(server)
        try:
            await election.come()
            await election.kill_often()
            lost = await (election.lost_votes() if fault == "early_votes" else election.lost_mentions())
        finally:
            await election.go()
    assert lost
