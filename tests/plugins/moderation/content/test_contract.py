"""What is answered and told about content is what the declarations say, by the WebSocket and by REST."""

from __future__ import annotations

from typing import Any

import pytest

from anonchat.testing.clients import Rest
from anonchat.testing.contract import Contract
from anonchat.testing.people import Heard, Person

from .conftest import House

TOLD = {
    "moderation",
    "moderation_changed",
    "held_message",
    "held_messages",
    "message_released",
    "message_dropped",
    "panic_report",
}


@pytest.mark.gen_test
async def test_events_and_answers_are_as_declared(house: House) -> None:
    rest = Rest(house.server.port)
    documents = [(await rest.acall("GET", f"/api/{name}.json")).body for name in ("openapi", "asyncapi")]
    contract = Contract(*documents)
    checked = Rest(house.server.port, contract)

    async def ask(person: Person, event: str, **data: Any) -> Any:
        answer = await person.ask(event, data)
        assert answer.event != "error", answer
        check(contract, answer)
        return answer.data

    async def call(method: str, path: str, body: Any = None) -> Any:
        path = f"/api/rooms/{house.room.id}{path}"
        reply = await checked.acall(method, path, body, token=house.olga.token)
        assert reply.status == 200, reply
        return reply.body

    async with house.enter("Alice") as alice, house.room.enter("Otto", moderator=True) as otto:
        rules = {"links": {"action": "hold", "allowed": ["example.org"]}, "words": {"words": ["war"]}, "repeats": None}
        for number, way in enumerate(("events", "routes")):
            first, second, third = [await hold(house, alice, f"{way}-{at}") for at in range(3)]
            if number == 0:
                await ask(house.olga, "set_moderation", preset="careful", slowModeSeconds=None, rules=rules)
                await ask(house.olga, "get_moderation")
                await ask(house.olga, "panic")
                assert len((await ask(house.olga, "get_held_messages"))["messages"]) == 3
                await ask(house.olga, "release_message", messageId=first)
                await ask(house.olga, "drop_message", messageId=second)
                await ask(house.olga, "calm", held="release")
            else:
                await call("PATCH", "/moderation", {"preset": "careful", "slowModeSeconds": None, "rules": rules})
                await call("GET", "/moderation")
                await call("POST", "/panic", {})
                assert len((await call("GET", "/held-messages"))["messages"]) == 4
                await call("POST", f"/held-messages/{first}/release", {})
                await call("DELETE", f"/held-messages/{second}")
                await call("POST", "/calm", {})
            assert third
        told = {frame.event for person in (alice, otto) for frame in await all_of(person)}
        for person in (alice, otto):
            for frame in person._heard:
                check(contract, frame)
        assert told >= TOLD


async def hold(house: House, person: Person, key: str) -> str:
    """A message that waits for a moderator; answers its id."""
    await house.rules(links={"action": "hold"})
    answer = await person.say(f"example.com/{key}")
    assert answer.event == "message_held"
    return str(answer.data["messageId"])


def check(contract: Contract, heard: Heard) -> None:
    frame = {"event": heard.event, "data": heard.data}
    given = {"id": heard.id, "seq": heard.seq}
    contract.check_event(frame | {name: value for name, value in given.items() if value is not None})


async def all_of(person: Person) -> list[Heard]:
    """All that somebody has heard up to now, which stays to be heard."""
    await person.ask("heartbeat")
    return person._heard
