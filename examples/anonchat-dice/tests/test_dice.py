"""The plugin in a real server: people roll, and see what was rolled."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from anonchat_dice import Dice

from anonchat import StartError
from anonchat.testing import asynchronous, running_server, settings_in
from anonchat.testing.people import Person, open_room


def server_with_dice(folder: Path, **settings: Any) -> Any:
    """A server whose only plugin is this one. It need not be installed."""
    return running_server(settings_in(folder, plugins={"options": {"dice": settings}}), plugins={"dice": Dice()})


async def statistics(person: Person) -> Any:
    """``ext.dice`` of the `identified` that came with the person's socket."""
    return next(heard.data["ext"]["dice"] for heard in person.welcome if heard.event == "identified")


@asynchronous
async def test_all_see_the_same_roll(tmp_path: Path) -> None:
    async with server_with_dice(tmp_path) as server:
        room = await open_room(server)
        async with room.enter("Alice") as alice, room.enter("Bob") as bob:
            await alice.say("/roll 2d6")
            seen = [(await person.hear("message")).data["content"] for person in (alice, bob)]
            assert seen[0] == seen[1]
            first, second = seen[0]["dice"]["results"]
            assert seen[0]["text"] == f"🎲 2d6: {first} + {second} = {first + second}"
            assert seen[0]["dice"] == {"sides": 6, "results": [first, second], "total": first + second}


@asynchronous
async def test_other_messages_stay_as_they_are(tmp_path: Path) -> None:
    async with server_with_dice(tmp_path) as server, (await open_room(server)).enter("Alice") as alice:
        await alice.say("🎲 2d6: 6 + 6 = 12")
        assert (await alice.hear("message")).data["content"] == {"type": "text", "text": "🎲 2d6: 6 + 6 = 12"}


@asynchronous
async def test_a_bad_roll_is_refused(tmp_path: Path) -> None:
    async with server_with_dice(tmp_path) as server, (await open_room(server)).enter("Alice") as alice:
        answer = await alice.say("/roll 99d6")
        assert (answer.event, answer.data["code"]) == ("error", "dice.bad_roll")


@asynchronous
async def test_a_roll_cannot_be_edited(tmp_path: Path) -> None:
    async with server_with_dice(tmp_path) as server, (await open_room(server)).enter("Alice") as alice:
        rolled, said = await alice.say("/roll"), await alice.say("Hello")
        edits = [{"messageId": sent.data["serverMessageId"], "text": "twelve"} for sent in (rolled, said)]
        assert (await alice.ask("edit_message", edits[0])).data["code"] == "dice.final"
        assert (await alice.ask("edit_message", edits[1])).event == "edit_ack"


@asynchronous
async def test_rolling_for_oneself(tmp_path: Path) -> None:
    async with server_with_dice(tmp_path, sides=20) as server:
        room = await open_room(server)
        async with room.enter("Alice") as alice, room.enter("Bob") as bob:
            preset = await alice.ask("dice.roll")
            assert preset.event == "dice.rolled"
            assert preset.data["sides"] == 20
            asked = await alice.ask("dice.roll", {"sides": 2, "count": 3})
            assert len(asked.data["results"]) == 3
            assert sum(asked.data["results"]) == asked.data["total"] <= 6
            await alice.say("done")
            while (heard := await bob.read()) is not None and heard.event != "message":
                assert heard.event != "dice.rolled"


@pytest.mark.parametrize("data", [{"count": 21}, {"sides": 1}, {"sides": "6"}, {"colour": "red"}])
def test_what_cannot_be_asked_for(tmp_path: Path, data: dict[str, Any]) -> None:
    @asynchronous
    async def ask() -> None:
        async with server_with_dice(tmp_path) as server, (await open_room(server)).enter("Alice") as alice:
            answer = await alice.ask("dice.roll", data)
            assert answer.data["code"] == "validation_failed"
            assert list(answer.data["errors"]) == list(data)

    ask()


@asynchronous
async def test_the_room_counts_its_rolls_and_forgets_deleted_ones(tmp_path: Path) -> None:
    async with server_with_dice(tmp_path) as server:
        room = await open_room(server)
        async with room.enter("Alice") as alice:
            assert await statistics(alice) == {"sides": 6, "rolls": 0, "dice": 0}
            rolled = await alice.say("/roll 2d6")
            await alice.say("/roll 3d6")
            async with room.enter("Bob") as bob:
                assert await statistics(bob) == {"sides": 6, "rolls": 2, "dice": 5}
            await alice.ask("delete_message", {"messageId": rolled.data["serverMessageId"]})
            async with room.enter("Carol") as carol:
                assert await statistics(carol) == {"sides": 6, "rolls": 1, "dice": 3}


@asynchronous
async def test_the_end_of_a_room_counts_the_rolls_that_it_deletes(tmp_path: Path) -> None:
    async with server_with_dice(tmp_path) as server:
        room = await open_room(server)
        async with room.enter("Alice") as alice:
            await alice.say("/roll")
            await room.end()
            assert (await alice.hear("room_ended")).data["deleted"]["dice.dice_rolls"] == 1


@pytest.mark.parametrize("sides", [1, 1001, "many", None])
def test_a_die_that_cannot_be_stops_the_start(tmp_path: Path, sides: object) -> None:
    @asynchronous
    async def start() -> None:
        async with server_with_dice(tmp_path, sides=sides):
            pass

    with pytest.raises(StartError, match=r"plugins\.dice\.sides"):
        start()
