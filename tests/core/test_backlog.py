"""A crowd that comes back at once: told from few reads, and each is told exactly what it missed."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from anonchat.delivery.active import ActiveRooms
from anonchat.delivery.history import Replay
from anonchat.testing import running_server, settings_in
from anonchat.testing.people import Person, open_room

CROWD = 40
MISSED = 10


async def _texts_of(person: Person, last: str) -> list[str]:
    """All that a person is told, missed and live, up to a certain message."""
    (replay,) = (heard for heard in person.welcome if heard.event == "replay")
    texts = [event["data"]["content"]["text"] for event in replay.data["events"]]
    while texts[-1] != last:
        texts.append((await person.hear("message")).data["content"]["text"])
    return texts


@pytest.mark.gen_test
async def test_a_crowd_that_comes_back_shares_its_replays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[int] = []
    since = ActiveRooms.since

    async def counted(self: ActiveRooms, *asked: Any) -> Replay | None:
        reads.append(1)
        return await since(self, *asked)

    monkeypatch.setattr(ActiveRooms, "since", counted)
    async with running_server(settings_in(tmp_path)) as server:
        room = await open_room(server)
        crowd = [(await room.join(f"Guest {number}")).body for number in range(CROWD)]
        async with room.enter("Alice") as alice:
            for number in range(MISSED):
                await alice.say(str(number))
            position = {"since": 0, "epoch": server.epoch}
            coming = [
                asyncio.create_task(room.identify("Guest", body["sessionId"], body["sessionToken"], **position))
                for body in crowd
            ]
            live = MISSED
            while not all(task.done() for task in coming) or live == MISSED:
                await alice.say(str(live))
                live += 1
            await alice.say("last")
            everything = [*map(str, range(live)), "last"]
            for task in coming:
                person = task.result()
                assert await _texts_of(person, "last") == everything
                await person.close()
    assert 0 < len(reads) < CROWD / 2
