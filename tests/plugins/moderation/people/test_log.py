"""What was done stands in the log: for moderators with names, for everybody else without."""

from __future__ import annotations

from typing import Any

import pytest

ENTRY = {"entryId", "act", "count", "by", "at"}


def target(person: Any, **more: Any) -> dict[str, Any]:
    return {"targetSessionId": person.session_id, **more}


async def said(person: Any, *texts: str) -> list[str]:
    """The ids of messages."""
    return [(await person.say(text)).data["serverMessageId"] for text in texts]


@pytest.mark.gen_test
async def test_every_act_is_written_down_and_told_to_the_room(crowd: Any) -> None:
    olga, bob, mallory = (
        await crowd.owner(),
        await crowd.enter("Bob"),
        await crowd.enter("Mallory", deviceId="device-m"),
    )
    await olga.ask("mute", target(mallory, reason="Loud"))
    await olga.ask("unmute", target(mallory))
    await olga.ask("promote", target(mallory))
    await olga.ask("demote", target(mallory))
    await olga.ask("close_room")
    await olga.ask("reopen_room")
    kicked = (await olga.ask("kick", target(mallory, reason="Rude"))).data
    await olga.ask("unban", {"banId": kicked["banId"]})
    await olga.ask("rotate_moderator_token")
    acts = ["mute", "unmute", "promote", "demote", "close", "reopen", "kick", "unban", "rotate"]
    told = [heard for heard in await crowd.heard_by(bob) if heard.event == "moderation_log"]
    assert [heard.data["act"] for heard in told] == acts
    assert all(heard.data.keys() == ENTRY and heard.seq for heard in told)
    assert {(heard.data["by"], heard.data["count"]) for heard in told} == {("moderator", 1)}
    full = (await olga.ask("get_moderation_log")).data["entries"]
    assert {entry["act"] for entry in full} == set(acts)
    entry = next(entry for entry in full if entry["act"] == "kick")
    assert entry["byUser"] == {"sessionId": olga.session_id, "username": "Olga"}
    assert entry["target"] == {"sessionId": mallory.session_id, "username": "Mallory"}
    assert (entry["reason"], entry["until"]) == ("Rude", kicked["until"])


@pytest.mark.gen_test
async def test_participants_read_that_and_not_whom(crowd: Any) -> None:
    olga, bob, mallory = await crowd.owner(), await crowd.enter("Bob"), await crowd.enter("Mallory")
    await olga.ask("ban", target(mallory, reason="Mallory said something"))
    await crowd.heard_by(bob)
    page = await bob.ask("get_moderation_log")
    assert page.event == "moderation_entries"
    assert [entry.keys() for entry in page.data["entries"]] == [ENTRY]
    reply = await crowd.rest("GET", "/moderation-log", by=bob)
    assert reply.body == page.data
    assert all(secret not in str(page.data) for secret in ("Mallory", mallory.session_id, "Olga", olga.session_id))


@pytest.mark.gen_test
async def test_the_operator_may_keep_the_log_to_moderators(crowd_with: Any) -> None:
    async with crowd_with({"public_log": False}) as crowd:
        olga, bob = await crowd.owner(), await crowd.enter("Bob")
        await olga.ask("mute", target(bob))
        assert (await bob.ask("get_moderation_log")).data["code"] == "not_moderator"
        assert (await crowd.rest("GET", "/moderation-log", by=bob)).status == 403
        assert "moderation_log" not in [heard.event for heard in await crowd.heard_by(bob)]
        (entry,) = (await olga.ask("get_moderation_log")).data["entries"]
        assert entry["target"]["username"] == "Bob"


@pytest.mark.gen_test
async def test_deletions_of_some_seconds_are_one_entry(crowd: Any) -> None:
    """ "A moderator removed 3 messages", told once."""
    olga, bob, mallory = await crowd.owner(), await crowd.enter("Bob"), await crowd.enter("Mallory")
    for message in await said(mallory, "one", "two", "three"):
        assert (await olga.ask("delete_message", {"messageId": message})).event == "delete_ack"
    await crowd.server.dispatcher.settle()
    assert crowd.rows("SELECT act, count FROM moderation_log") == [("removed", 3)]
    assert "moderation_log" not in [heard.event for heard in await crowd.heard_by(bob)]
    crowd.clock.advance(6)
    told = await bob.hear("moderation_log")
    assert (told.data["act"], told.data["count"], told.data["by"]) == ("removed", 3, "moderator")
    (entry,) = (await olga.ask("get_moderation_log")).data["entries"]
    assert (entry["entryId"], entry["target"]["username"]) == (told.data["entryId"], "Mallory")
    # What is deleted later is another entry, and what people delete of their own is none.
    (late, own) = await said(mallory, "four", "five")
    await olga.ask("delete_message", {"messageId": late})
    await mallory.ask("delete_message", {"messageId": own})
    await crowd.server.dispatcher.settle()
    assert crowd.rows("SELECT count FROM moderation_log ORDER BY at") == [(3,), (1,)]
    crowd.clock.advance(6)
    assert (await bob.hear("moderation_log")).data["count"] == 1


@pytest.mark.gen_test
async def test_an_entry_of_a_clock_that_was_ahead_is_told_at_once(crowd: Any) -> None:
    olga, bob, mallory = await crowd.owner(), await crowd.enter("Bob"), await crowd.enter("Mallory")
    (message,) = await said(mallory, "one")
    await olga.ask("delete_message", {"messageId": message})
    crowd.execute("UPDATE moderation_log SET at = at + 3600000")
    crowd.clock.advance(1)
    assert (await bob.hear("moderation_log")).data["act"] == "removed"


@pytest.mark.gen_test
async def test_one_entry_about_several_people_names_none_of_them(crowd: Any) -> None:
    olga, bob, mallory = await crowd.owner(), await crowd.enter("Bob"), await crowd.enter("Mallory")
    for message in [*await said(mallory, "one"), *await said(bob, "two")]:
        await olga.ask("delete_message", {"messageId": message})
    await crowd.server.dispatcher.settle()
    (entry,) = (await olga.ask("get_moderation_log")).data["entries"]
    assert (entry["count"], entry["target"]) == (2, None)


@pytest.mark.gen_test
async def test_who_was_away_hears_what_was_done(crowd: Any) -> None:
    olga, bob, mallory = await crowd.owner(), await crowd.enter("Bob"), await crowd.enter("Mallory")
    identified = bob.welcome[1].data
    await bob.close()
    await olga.ask("mute", target(mallory))
    back = await crowd.again(bob, since=identified["seq"], epoch=identified["epoch"])
    replay = next(heard for heard in back.welcome if heard.event == "replay")
    assert [event["data"]["act"] for event in replay.data["events"] if event["event"] == "moderation_log"] == ["mute"]


@pytest.mark.gen_test
async def test_the_log_of_a_room_is_bounded(crowd_with: Any) -> None:
    async with crowd_with({"log_entries": 10, "log_seconds": 3_600}) as crowd:
        olga, bob = await crowd.owner(), await crowd.enter("Bob")
        for number in range(15):
            crowd.clock.advance(1)
            await olga.ask("mute", target(bob, reason=f"{number}"))
        reasons = [entry["reason"] for entry in (await olga.ask("get_moderation_log")).data["entries"]]
        assert reasons == [f"{number}" for number in range(14, 4, -1)]
        crowd.clock.advance(3_661)
        await crowd.until(lambda: not crowd.rows("SELECT id FROM moderation_log"))


@pytest.mark.gen_test
async def test_a_clock_that_is_set_back_deletes_no_new_entries(crowd_with: Any) -> None:
    async with crowd_with({"log_entries": 10}) as crowd:
        olga, bob = await crowd.owner(), await crowd.enter("Bob")
        for number in range(15):
            crowd.clock.advance(-60 if number == 10 else 1)
            await olga.ask("mute", target(bob, reason=f"{number}"))
        pages = [(await olga.ask("get_moderation_log", {"limit": 6})).data["entries"]]
        last = {"before": pages[0][-1]["entryId"]}
        pages.append((await olga.ask("get_moderation_log", last)).data["entries"])
        assert [entry["reason"] for page in pages for entry in page] == [f"{number}" for number in range(14, 4, -1)]


@pytest.mark.gen_test
async def test_nobody_pushes_moderators_out_of_their_log_by_what_rules_do(crowd_with: Any) -> None:
    """Each mute by a rule comes when the one before is not gathered any more."""
    async with crowd_with({"log_entries": 10}) as crowd:
        olga, bob, mallory = await crowd.owner(), await crowd.enter("Bob"), await crowd.enter("Mallory")
        flooding = {"action": "refuse", "perMinute": 1, "muteSeconds": 1}
        await olga.ask("set_moderation", {"rules": {"flooding": flooding, "repeats": {"action": "allow"}}})
        await olga.ask("mute", target(bob, reason="By hand"))
        for number in range(12):
            crowd.clock.advance(30)
            assert (await mallory.say(f"{number}")).event == "message_ack"
            assert (await mallory.say(f"{number} again")).data["code"] == "muted"
            crowd.clock.advance(30)
            await crowd.until(lambda: not crowd.rows("SELECT id FROM moderation_log WHERE pending IS NOT NULL"))
        entries = (await olga.ask("get_moderation_log")).data["entries"]
        assert [entry["act"] for entry in entries if entry["by"] == "moderator"] == ["mute", "rules"]
        assert [entry["act"] for entry in entries if entry["by"] == "rule"] == ["mute"] * 10


@pytest.mark.gen_test
async def test_mutes_by_rules_are_one_entry(crowd: Any) -> None:
    olga, bob = await crowd.owner(), await crowd.enter("Bob")
    await olga.ask("set_moderation", {"rules": {"flooding": {"action": "refuse", "perMinute": 1, "muteSeconds": 60}}})
    for name in ("Mallory", "Mal", "Malo"):
        flooder = await crowd.enter(name)
        await flooder.say("one")
        assert (await flooder.say("two")).data["code"] == "muted"
    crowd.clock.advance(6)
    while (told := (await bob.hear("moderation_log")).data)["act"] != "mute":
        pass
    assert (told["count"], told["by"]) == (3, "rule")
    (entry,) = [one for one in (await olga.ask("get_moderation_log")).data["entries"] if one["act"] == "mute"]
    assert (entry["count"], entry["target"], entry["until"]) == (3, None, None)


@pytest.mark.gen_test
async def test_the_log_comes_in_pages(crowd: Any) -> None:
    olga, bob = await crowd.owner(), await crowd.enter("Bob")
    for number in range(7):  # all of them in one millisecond
        await olga.ask("mute", target(bob, reason=f"{number}"))
    seen: list[str] = []
    page: dict[str, Any] = {"limit": 3}
    for has_more in (True, True, False):
        data = (await olga.ask("get_moderation_log", page)).data
        assert data["hasMore"] is has_more
        seen += [entry["entryId"] for entry in data["entries"]]
        page = {"limit": 3, "before": seen[-1]}
    assert len(seen) == len(set(seen)) == 7


@pytest.mark.gen_test
async def test_who_is_forgotten_has_no_name_in_the_log(crowd: Any) -> None:
    olga, bob = await crowd.owner(), await crowd.enter("Bob")
    meg = await crowd.promoted(olga, "Meg")
    await meg.ask("mute", target(bob))
    for person in (bob, meg):
        await person.ask("leave", {"forget": True})
    entries = (await olga.ask("get_moderation_log")).data["entries"]
    mute = next(entry for entry in entries if entry["act"] == "mute")
    assert (mute["byUser"]["username"], mute["target"]["username"]) == (None, None)
    assert all("Bob" not in str(row) and "Meg" not in str(row) for row in crowd.rows("SELECT * FROM moderation_log"))
