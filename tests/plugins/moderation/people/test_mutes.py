"""Who may not speak, from when to when, and what they are told."""

from __future__ import annotations

from typing import Any

import pytest

from ...lock_order import recorded

DEVICE = "device-of-mallory"
BROWSER = "1" * 64


def target(person: Any, **more: Any) -> dict[str, Any]:
    return {"targetSessionId": person.session_id, **more}


@pytest.mark.gen_test
async def test_a_mute_silences_at_once_for_its_time(crowd: Any) -> None:
    olga, mallory = await crowd.owner(), await crowd.enter("Mallory")
    other = await crowd.again(mallory)
    said = (await mallory.say("before")).data["serverMessageId"]
    answer = await olga.ask("mute", target(mallory, durationSeconds=60, reason="Calm down"))
    assert answer.data == {"sessionId": mallory.session_id, "until": "2027-01-15T08:01:00.000Z"}
    for socket in (mallory, other):
        told = await socket.hear("muted")
        assert told.data == {"until": "2027-01-15T08:01:00.000Z", "reason": "Calm down"}
        refused = await socket.say("but", clientMsgId="but")
        assert (refused.data["code"], refused.data["retryAfterMs"]) == ("muted", 60_000)
        assert refused.data["message"] == "You are muted for now: Calm down"
        assert (await socket.ask("edit_message", {"messageId": said, "text": "but"})).data["code"] == "muted"
    crowd.clock.advance(59)
    assert (await mallory.say("now?")).data["retryAfterMs"] == 1_000
    crowd.clock.advance(1)
    assert (await mallory.say("thank you")).event == "message_ack"
    assert (await other.ask("edit_message", {"messageId": said, "text": "after"})).event == "edit_ack"


@pytest.mark.gen_test
async def test_nobody_sees_the_muted_type(crowd: Any) -> None:
    olga, bob, mallory = await crowd.owner(), await crowd.enter("Bob"), await crowd.enter("Mallory")
    await mallory.send("typing", {"typing": True})
    assert (await bob.hear("typing")).data["username"] == "Mallory"
    await olga.ask("mute", target(mallory, durationSeconds=60))
    refused = await mallory.ask("typing", {"typing": True})
    assert (refused.data["code"], refused.data["retryAfterMs"]) == ("muted", 60_000)
    assert [heard for heard in await crowd.heard_by(bob) if heard.event == "typing"] == []


@pytest.mark.gen_test
async def test_what_was_sent_after_the_mute_is_answered_is_never_seen(crowd: Any) -> None:
    """Many messages are under way at the moment of the mute; from its answer on none comes through."""
    olga, bob, mallory = await crowd.owner(), await crowd.enter("Bob"), await crowd.enter("Mallory")
    assert (await mallory.say("warm up")).event == "message_ack"  # nobody is muted: that is at hand now
    flood = [await mallory.send("send_message", {"text": f"{n}", "clientMsgId": f"flood-{n}"}) for n in range(50)]
    await olga.ask("mute", target(mallory))
    flood += [await mallory.send("send_message", {"text": f"{n}", "clientMsgId": f"late-{n}"}) for n in range(50)]
    answers = [await mallory.answer(number) for number in flood]
    assert {answer.data.get("code") for answer in answers[50:]} == {"muted"}
    seen = [heard for heard in await crowd.heard_by(bob) if heard.event == "message"]
    assert len(seen) == 1 + sum(answer.event == "message_ack" for answer in answers)


@pytest.mark.gen_test
async def test_a_mute_without_a_time_lasts_as_long_as_the_operator_says(crowd_with: Any) -> None:
    async with crowd_with({"mute_seconds": 5, "max_mute_seconds": 10}) as crowd:
        olga, mallory = await crowd.owner(), await crowd.enter("Mallory")
        answer = await crowd.rest("POST", "/mute", target(mallory), by=olga)
        assert answer.body["until"] == "2027-01-15T08:00:05.000Z"
        assert (await olga.ask("mute", target(mallory, durationSeconds=11))).data["code"] == "validation_failed"
        crowd.clock.advance(6)
        assert (await mallory.say("again")).event == "message_ack"


@pytest.mark.gen_test
async def test_a_mute_holds_for_the_device_and_survives_leaving(crowd: Any) -> None:
    olga, mallory = await crowd.owner(), await crowd.enter("Mallory", deviceId=DEVICE)
    double = await crowd.enter("Double", deviceId=DEVICE)
    await olga.ask("mute", target(mallory))
    assert (await double.say("hello")).data["code"] == "muted"
    await mallory.ask("leave", {"forget": True})
    again = await crowd.enter("Somebody", deviceId=DEVICE)
    assert (await again.say("hello")).data["code"] == "muted"
    # The control: another device may speak.
    assert (await (await crowd.enter("Bob", deviceId="device-of-bob")).say("hello")).event == "message_ack"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param({}, {}, id="without a device"),
        pytest.param({"deviceId": DEVICE}, {}, id="the device is kept back"),
        pytest.param(
            {"deviceId": DEVICE, "fingerprintHash": BROWSER},
            {"deviceId": "a-new-device", "fingerprintHash": BROWSER},
            id="fingerprint",
        ),
    ],
)
@pytest.mark.gen_test
async def test_a_mute_follows_who_joins_anew(crowd: Any, before: dict[str, str], after: dict[str, str]) -> None:
    olga = await crowd.owner()
    neighbour, mallory = await crowd.enter("Neighbour", fingerprintHash=BROWSER), await crowd.enter("Mallory", **before)
    other = await crowd.enter("Other")
    await olga.ask("mute", target(mallory, durationSeconds=60))
    crowd.clock.advance(1)
    await mallory.ask("leave")
    again = await crowd.enter("Somebody", **after)
    assert [heard.data["until"] for heard in again.welcome if heard.event == "muted"] == ["2027-01-15T08:01:00.000Z"]
    assert (await again.say("hello")).data["code"] == "muted"
    # The controls: who was there before, who comes from elsewhere, and who is known by a device of their own.
    elsewhere = await crowd.enter("Elsewhere", network="203.0.113.9")
    own = await crowd.enter("Own", deviceId="device-of-own", fingerprintHash="2" * 64)
    for person in (neighbour, other, elsewhere, own):
        assert (await person.say(f"hello from {person.username}")).event == "message_ack"
    assert (await olga.ask("unmute", target(again))).event == "unmute_ack"
    assert (await again.say("hello")).event == "message_ack"


@pytest.mark.gen_test
async def test_a_mute_knows_no_network_where_the_operator_wants_none(crowd_with: Any) -> None:
    async with crowd_with({"ban_networks": False}) as crowd:
        olga, mallory = await crowd.owner(), await crowd.enter("Mallory")
        await olga.ask("mute", target(mallory))
        crowd.clock.advance(1)
        assert (await (await crowd.enter("Somebody")).say("hello")).event == "message_ack"
        assert crowd.rows("SELECT network FROM moderation_mutes") == [(None,)]


@pytest.mark.gen_test
async def test_a_moderator_is_not_muted_with_a_participant_of_the_same_device(crowd: Any) -> None:
    olga = await crowd.enter("Olga", moderator=True, deviceId=DEVICE)
    double = await crowd.enter("Double", deviceId=DEVICE)
    meg = await crowd.promoted(olga, "Meg")
    assert (await meg.ask("mute", target(double))).event == "mute_ack"
    assert (await double.say("hello")).data["code"] == "muted"
    assert (await olga.say("hello")).event == "message_ack"


@pytest.mark.gen_test
async def test_who_comes_back_is_told(crowd: Any) -> None:
    olga, mallory = await crowd.owner(), await crowd.enter("Mallory")
    await olga.ask("mute", target(mallory, durationSeconds=60))
    await mallory.close()
    back = await crowd.again(mallory)
    told = [heard.data for heard in back.welcome if heard.event == "muted"]
    assert told == [{"until": "2027-01-15T08:01:00.000Z", "reason": None}]
    crowd.clock.advance(61)
    assert [heard for heard in (await crowd.again(mallory)).welcome if heard.event == "muted"] == []


@pytest.mark.gen_test
async def test_unmute_lets_speak_at_once(crowd: Any) -> None:
    olga, mallory = await crowd.owner(), await crowd.enter("Mallory")
    await olga.ask("mute", target(mallory))
    assert (await mallory.say("hello")).data["code"] == "muted"
    assert (await olga.ask("unmute", target(mallory))).data == {"sessionId": mallory.session_id}
    await mallory.hear("unmuted")
    assert (await mallory.say("hello")).event == "message_ack"
    assert (await crowd.rest("POST", "/unmute", target(mallory), by=olga)).body["code"] == "conflict"


@pytest.mark.gen_test
async def test_a_second_mute_takes_the_place_of_the_first(crowd: Any) -> None:
    olga, mallory = await crowd.owner(), await crowd.enter("Mallory")
    for seconds in (600, 5):
        await olga.ask("mute", target(mallory, durationSeconds=seconds))
    assert len(crowd.rows("SELECT id FROM moderation_mutes")) == 1
    crowd.clock.advance(6)
    assert (await mallory.say("hello")).event == "message_ack"


@pytest.mark.gen_test
async def test_a_longer_mute_holds_for_whoever_the_first_one_held(crowd: Any) -> None:
    """Also where as many are muted as may be."""
    olga, mallory = await crowd.owner(), await crowd.enter("Mallory", fingerprintHash=BROWSER)
    await olga.ask("mute", target(mallory, durationSeconds=60))
    crowd.clock.advance(1)
    again = await crowd.enter("Mal", fingerprintHash=BROWSER)
    assert (await again.say("hello")).data["code"] == "muted"
    until = crowd.clock.now() + 60_000
    rows = ",".join(f"('m{n}', '{crowd.room.id}', 's{n}', 0, {until})" for n in range(999))
    crowd.execute(f"INSERT INTO moderation_mutes (id, room_id, session_id, at, until) VALUES {rows}")
    crowd.clock.advance(1)
    assert (await olga.ask("mute", target(again))).data["code"] == "conflict"
    assert (await olga.ask("mute", target(mallory, durationSeconds=600))).event == "mute_ack"
    assert (await again.say("hello")).data["code"] == "muted"
    crowd.clock.advance(601)
    assert (await again.say("hello")).event == "message_ack"
    await olga.ask("mute", target(mallory))
    assert (await again.say("a mute that is over is no beginning")).event == "message_ack"


@pytest.mark.gen_test
async def test_nobody_lifts_or_eases_what_a_higher_rank_decided(crowd: Any) -> None:
    olga, mallory = await crowd.owner(), await crowd.enter("Mallory")
    meg = await crowd.promoted(olga, "Meg")
    await olga.ask("mute", target(mallory, durationSeconds=600))
    for event, data in (("unmute", target(mallory)), ("mute", target(mallory, durationSeconds=1))):
        assert (await meg.ask(event, data)).data["code"] == "rank_too_low"
    assert (await mallory.say("hello")).data["code"] == "muted"
    assert (await olga.ask("unmute", target(mallory))).event == "unmute_ack"
    for muting, lifting in ((meg, meg), (meg, olga)):
        await muting.ask("mute", target(mallory, durationSeconds=600))
        assert (await lifting.ask("unmute", target(mallory))).event == "unmute_ack"
    await olga.ask("mute", target(mallory, durationSeconds=10))
    crowd.clock.advance(11)
    assert (await meg.ask("mute", target(mallory, durationSeconds=1))).event == "mute_ack"


@pytest.mark.gen_test
async def test_a_mute_that_another_node_has_stored_acts_within_a_second(crowd: Any) -> None:
    mallory = await crowd.enter("Mallory")
    assert (await mallory.say("hello")).event == "message_ack"
    until = crowd.clock.now() + 60_000
    crowd.execute(
        "INSERT INTO moderation_mutes (id, room_id, session_id, at, until) "
        f"VALUES ('m', '{crowd.room.id}', '{mallory.session_id}', 0, {until})"
    )
    crowd.clock.advance(1)
    assert (await mallory.say("hello")).data["code"] == "muted"


@pytest.mark.gen_test
async def test_a_rule_never_shortens_what_a_moderator_has_decided_on_another_node(crowd: Any) -> None:
    olga, mallory = await crowd.owner(), await crowd.enter("Mallory")
    flooding = {"action": "refuse", "perMinute": 3, "muteSeconds": 30}
    await olga.ask("set_moderation", {"rules": {"flooding": flooding, "repeats": {"action": "allow"}}})
    await mallory.say("hello")
    until = crowd.clock.now() + 3_600_000
    crowd.execute(
        "INSERT INTO moderation_mutes (id, room_id, session_id, reason, at, until) "
        f"VALUES ('m', '{crowd.room.id}', '{mallory.session_id}', 'insults', 0, {until})"
    )
    while (answer := await mallory.say("and on and on")).event == "message_ack":
        pass
    assert (answer.data["code"], answer.data["retryAfterMs"]) == ("muted", 30_000)
    assert crowd.rows("SELECT reason, until FROM moderation_mutes") == [("insults", until)]
    assert [heard for heard in await crowd.heard_by(mallory) if heard.event == "muted"] == []
    assert (await mallory.say("hello")).data["retryAfterMs"] == 3_600_000


@pytest.mark.gen_test
async def test_mutes_that_are_over_are_deleted(crowd: Any) -> None:
    olga, mallory = await crowd.owner(), await crowd.enter("Mallory", deviceId=DEVICE)
    await olga.ask("mute", target(mallory, durationSeconds=10))
    assert len(crowd.rows("SELECT id FROM moderation_mutes")) == 1
    crowd.clock.advance(86_400 + 61)
    await crowd.until(lambda: not crowd.rows("SELECT id FROM moderation_mutes"))


@pytest.mark.gen_test
async def test_a_room_that_is_full_of_mutes_costs_no_transactions(crowd: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("anonchat_moderation.mutes.MUTES", 2)
    olga, mallory = await crowd.owner(), await crowd.enter("Mallory")
    await olga.ask("set_moderation", {"rules": {"flooding": {"action": "refuse", "perMinute": 1, "muteSeconds": 60}}})
    for name in ("Bob", "Bert"):
        await olga.ask("mute", target(await crowd.enter(name)))
    with recorded(monkeypatch) as orders:
        assert (await mallory.say("one")).event == "message_ack"
        for number in range(20):
            assert (await mallory.say(f"more {number}")).data["code"] == "muted"
    assert len(crowd.rows("SELECT id FROM moderation_mutes")) == 2
    assert [order for order in orders if "moderation_log" in order or order == ["rooms"]] == []
    crowd.clock.advance(601)
    await mallory.say("one")
    assert (await mallory.say("two")).data["code"] == "muted"
    assert len(crowd.rows(f"SELECT id FROM moderation_mutes WHERE until > {crowd.clock.now()}")) == 1
