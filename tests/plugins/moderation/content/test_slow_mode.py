"""Slow mode: an exact least time between two messages of one person."""

from __future__ import annotations

import pytest

from .conftest import House


@pytest.mark.gen_test
async def test_a_message_each_so_many_seconds(house: House) -> None:
    await house.press("set_moderation", slowModeSeconds=10)
    async with house.enter("Alice") as alice, house.enter("Bob") as bob:
        assert (await alice.say("first")).event == "message_ack"
        assert (await bob.say("my own turn")).event == "message_ack"
        house.clock.advance(4)
        refused = (await alice.say("too soon")).data
        assert (refused["code"], refused["retryAfterMs"]) == ("slow_mode", 6_000)
        house.clock.advance(5.999)
        assert (await alice.say("too soon")).data["retryAfterMs"] == 1
        house.clock.advance(0.001)
        assert (await alice.say("second")).event == "message_ack"


@pytest.mark.gen_test
async def test_two_tabs_are_one_person(house: House) -> None:
    await house.press("set_moderation", slowModeSeconds=10)
    async with house.enter("Alice") as alice:
        tab = await house.room.identify("Alice", alice.session_id, alice.token)
        for _ in range(3):
            sent = [
                (person, await person.send("send_message", {"text": f"{number}", "clientMsgId": f"{key}-{number}"}))
                for number in range(3)
                for person, key in ((alice, f"a{house.clock.now()}"), (tab, f"b{house.clock.now()}"))
            ]
            answers = [await person.answer(number) for person, number in sent]
            assert sorted(answer.event for answer in answers) == ["error"] * 5 + ["message_ack"]
            house.clock.advance(10)
        await tab.close()


@pytest.mark.gen_test
async def test_who_joins_anew_with_the_same_device_waits_on(house: House) -> None:
    await house.press("set_moderation", slowModeSeconds=10)
    async with house.enter("Alice", deviceId="device-of-alice") as alice:
        assert (await alice.say("first")).event == "message_ack"
        await alice.ask("leave")
    async with house.enter("Alicia", deviceId="device-of-alice") as alicia:
        assert (await alicia.say("too soon")).data["code"] == "slow_mode"
    async with house.enter("Bob", deviceId="device-of-bob") as bob:
        assert (await bob.say("my own turn")).event == "message_ack"


@pytest.mark.gen_test
async def test_what_is_refused_takes_no_turn(house: House) -> None:
    await house.press("set_moderation", slowModeSeconds=10, rules={"links": {"action": "refuse"}})
    async with house.enter("Alice") as alice:
        assert (await alice.say("example.com")).data["code"] == "message_refused"
        first = await alice.say("hello", clientMsgId="once")
        assert first.event == "message_ack"
        assert (await alice.say("hello", clientMsgId="once")).data == first.data
        assert (await alice.say("hello")).data["code"] == "slow_mode"


@pytest.mark.gen_test
async def test_a_room_that_becomes_faster_is_so_at_once(house: House) -> None:
    await house.press("set_moderation", slowModeSeconds=3_600)
    async with house.enter("Alice") as alice:
        await alice.say("first")
        await house.press("set_moderation", slowModeSeconds=5)
        assert (await alice.say("soon")).data["retryAfterMs"] == 5_000
        house.clock.advance(5)
        assert (await alice.say("second")).event == "message_ack"
        assert (await alice.say("third")).data["retryAfterMs"] == 5_000
        await house.press("set_moderation", slowModeSeconds=0)
        assert (await alice.say("fourth")).event == "message_ack"
