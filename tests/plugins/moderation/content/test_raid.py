"""A raid of 200 people: with the panic pressed, those who were there see nothing of it, and go on talking."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from anonchat.testing.people import OpenRoom, Person

from .conftest import House

RAIDERS = 200
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
        text = PASTES[at % len(PASTES)].format(n=at)
        await one.send("send_message", {"text": text, "clientMsgId": f"wave-{number}"})


class Witness:
    """Writes down when somebody saw which message."""

    def __init__(self, person: Person) -> None:
        self.person = person
        self.seen: list[tuple[float, str]] = []

    async def watch(self) -> None:
        while (heard := await self.person.read()) is not None:
            if heard.event == "message":
                self.seen.append((time.monotonic(), heard.data["authorUsername"]))

    def raid_since(self, moment: float) -> list[float]:
        return [at - moment for at, author in self.seen if at > moment and author.startswith("Raider")]

    async def sees(self, author: str, since: float, seconds: float) -> None:
        async with asyncio.timeout(seconds):
            while not [1 for at, name in self.seen if at >= since and name == author]:
                await asyncio.sleep(0.005)


@pytest.mark.parametrize("pressed", [True, False], ids=["panic", "control"])
@pytest.mark.gen_test(timeout=110)
async def test_a_raid(house: House, pressed: bool) -> None:
    """The raid comes in waves, the moderator presses after the first; without it (the control) the others are seen."""
    async with AsyncExitStack() as stack:
        alice, bob = [await stack.enter_async_context(house.enter(name)) for name in ("Alice", "Bob")]
        house.clock.advance(700)
        raiders = await stack.enter_async_context(raiders_in(house.room))
        witness = Witness(bob)
        watching = asyncio.create_task(witness.watch())
        try:
            started = time.monotonic()
            await wave(raiders, 0)
            moment = time.monotonic()
            if pressed:
                await house.press("panic")
            for number in range(1, WAVES):
                await wave(raiders, number)
            said = await alice.say("Is everybody all right?")
            assert said.event == "message_ack"
            await witness.sees("Alice", moment, 1.0 if pressed else 10.0)
            for one in raiders:
                await one.ask("heartbeat")  # everything that they sent has been decided
        finally:
            watching.cancel()
        assert witness.raid_since(started), "the first wave was there before anybody could press"
        if pressed:
            assert max(witness.raid_since(moment), default=0.0) < 1.0
            assert not witness.raid_since(moment + 1.0)
            assert (await alice.say("They are gone")).data["code"] == "slow_mode"
            house.clock.advance(10)
            assert (await alice.say("They are gone")).event == "message_ack"
            report = await house.press("calm")
            assert report["held"] == report["dropped"] >= (WAVES - 1) * RAIDERS
        else:
            assert len(witness.raid_since(moment)) > RAIDERS / 4
