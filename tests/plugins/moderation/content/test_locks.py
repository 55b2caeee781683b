"""What moderation writes into a room is written under the lock of the room, which comes first."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from ...lock_order import recorded
from .conftest import House

LINK = "look at example.com"


@pytest.mark.gen_test
async def test_the_room_comes_first(house: House, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with recorded(monkeypatch) as orders:
        async with house.enter("Alice") as alice, house.enter("Mallory") as mallory:
            await house.press("panic")
            answers = [await alice.say(f"{LINK} {number}") for number in range(7)]
            held = [answer.data["messageId"] for answer in answers if answer.event == "message_held"]
            assert len(held) == 5
            await house.press("release_message", messageId=held[0])
            await house.press("drop_message", messageId=held[1])
            await house.press("kick", targetSessionId=mallory.session_id)
            await logged(house, {"held", "released", "dropped"})
            house.clock.advance(6)  # what was gathered is told
            while (await house.olga.hear("moderation_log")).data["act"] != "dropped":
                pass
            await house.press("calm", held="release")
            await house.press("rotate_moderator_token")
    own = [order for order in orders if {"moderation_log", "moderation_rooms"} & {*order}]
    assert len(own) > 6
    assert [order for order in own if order[0] != "rooms"] == []


async def logged(house: House, acts: set[str]) -> Any:
    """Wait until the log has entries of all of these acts: what rules do is written once a second."""
    async with asyncio.timeout(60):
        while True:
            entries = (await house.press("get_moderation_log"))["entries"]
            if acts <= {entry["act"] for entry in entries}:
                return entries
            await asyncio.sleep(0.05)
