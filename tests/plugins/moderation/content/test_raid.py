"""A raid of 200 people: with the panic pressed, those who were there see nothing of it, and go on talking."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from anonchat.testing.people import OpenRoom, Person

from .conftest import House

RAIDERS = 200
SECONDS = 20.0  # a bound for slow machines, not a measure
WAVES = 3
PASTES = ("free coins at example.com/win", "JOIN US NOW everybody, this room is ours from today on", "spam {n} spam")


@asynccontextmanager
async def raiders_in(room: OpenRoom) -> AsyncIterator[Sequence[Person]]:
    """Two hundred sessions, each on a socket of its own."""
    raiders: list[Person] = []
    try:
        for first in range(0, RAIDERS, 20):
            await asyncio.gather(*(come(room, number, raiders) for number in range(first, first + 20)))
        yield raiders
    finally:
        for one in raiders:
            one.socket.close()
        await asyncio.gather(*(one.close() for one in raiders))


async def come(room: OpenRoom, number: int, raiders: list[Person]) -> None:
    reply = await room.join(f"Raider {number}")
    assert reply.status == 201, reply.body
    raiders.append(await room.identify(f"Raider {number}", reply.body["sessionId"], reply.body["sessionToken"]))


async def wave(raiders: Sequence[Person], number: int) -> None:
    """Every raider pastes something. Nobody waits for an answer."""
    for at, one in enumerate(raiders):
        text = f"{PASTES[at % len(PASTES)].format(n=at)} ({number})"
        await one.send("send_message", {"text": text, "clientMsgId": f"wave-{number}"})


class Witness:
    """Writes down what somebody saw: of each message its author and text, in order."""

    def __init__(self, person: Person) -> None:
        self.person = person
        self.seen: list[tuple[str, str]] = []

    async def watch(self) -> None:
        while (heard := await self.person.read()) is not None:
            if heard.event == "message":
                self.seen.append((heard.data["authorUsername"], heard.data["content"]["text"]))

    def raid(self, number: int) -> int:
        """How many messages of a wave were seen."""
        return sum(author.startswith("Raider") and text.endswith(f"({number})") for author, text in self.seen)

    async def sees(self, author: str) -> None:
        async with asyncio.timeout(SECONDS):
            while author not in [name for name, _ in self.seen]:
                await asyncio.sleep(0.005)


@pytest.mark.parametrize("pressed", [True, False], ids=["panic", "control"])
@pytest.mark.gen_test
async def test_a_raid(house: House, pressed: bool) -> None:
    """The raid comes in waves, the moderator presses after the first; without it (the control) the others are seen."""
    async with AsyncExitStack() as stack:
        alice, bob = [await stack.enter_async_context(house.enter(name)) for name in ("Alice", "Bob")]
        house.clock.advance(700)
        raiders = await stack.enter_async_context(raiders_in(house.room))
        witness = Witness(bob)
        watching = asyncio.create_task(witness.watch())
        try:
            await wave(raiders, 0)
            if pressed:
                await house.press("panic")
            for number in range(1, WAVES):
                await wave(raiders, number)
            said = await alice.say("Is everybody all right?")
            assert said.event == "message_ack"
            await witness.sees("Alice")
            for one in raiders:
                await one.ask("heartbeat")  # everything that they sent has been decided
        finally:
            watching.cancel()
        assert witness.raid(0), "the first wave was there before anybody could press"
        later = sum(witness.raid(number) for number in range(1, WAVES))
        if pressed:
            assert later == 0, "of what was sent after the press nothing is seen, however slow the machine is"
            assert (await alice.say("They are gone")).data["code"] == "slow_mode"
            house.clock.advance(10)
            assert (await alice.say("They are gone")).event == "message_ack"
            report = await house.press("calm")
            assert report["held"] == report["dropped"] >= (WAVES - 1) * RAIDERS
        else:
            assert later > RAIDERS / 4
