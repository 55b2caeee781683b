"""Reports by participants, and what moderators do about them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest


@pytest.mark.gen_test
async def test_moderators_hear_of_a_report_at_once_and_nobody_else_does(crowd: Any) -> None:
    olga, bob, mallory = await crowd.owner(), await crowd.enter("Bob"), await crowd.enter("Mallory")
    message = (await mallory.say("buy this")).data["serverMessageId"]
    answer = await bob.ask("report_message", {"messageId": message, "reason": "Spam"})
    assert answer.event == "report_message_ack"
    told = (await olga.hear("message_reported")).data
    assert told == {
        "reportId": told["reportId"],
        "messageId": message,
        "reason": "Spam",
        "createdAt": "2027-01-15T08:00:00.000Z",
        "author": {"sessionId": mallory.session_id, "username": "Mallory"},
        "text": "buy this",
        "open": 1,
    }
    for person in (bob, mallory):
        assert "message_reported" not in [heard.event for heard in await crowd.heard_by(person)]
    queue = (await olga.ask("get_reports")).data
    assert queue == {"reports": [{name: told[name] for name in told if name != "open"}], "hasMore": False, "open": 1}
    assert (await crowd.rest("GET", "/reports", by=olga)).body == queue
    assert bob.session_id not in str(queue)
    assert (await mallory.ask("get_reports")).data["code"] == "not_moderator"


@pytest.mark.gen_test
async def test_one_report_a_message_and_person_also_when_they_come_at_once(crowd: Any) -> None:
    olga, bob, eve, mallory = [await crowd.owner(), *[await crowd.enter(name) for name in ("Bob", "Eve", "Mallory")]]
    message = (await mallory.say("buy this")).data["serverMessageId"]
    body = {"messageId": message, "reason": "Spam"}
    replies = await asyncio.gather(*(crowd.rest("POST", "/reports", body, by=bob) for _ in range(8)))
    assert {reply.status for reply in replies} == {200}
    assert (await eve.ask("report_message", body)).event == "report_message_ack"
    assert (await olga.ask("get_reports")).data["open"] == 2
    assert [(await olga.hear("message_reported")).data["open"] for _ in range(2)] == [1, 2]
    assert "message_reported" not in [heard.event for heard in await crowd.heard_by(olga)]


@pytest.mark.gen_test
async def test_who_joins_anew_with_the_same_device_has_reported_already(crowd: Any) -> None:
    olga, mallory = await crowd.owner(), await crowd.enter("Mallory")
    message = (await mallory.say("hello")).data["serverMessageId"]
    body = {"messageId": message, "reason": "Spam"}
    for name in ("Eve", "Evelyn", "Evita"):
        eve = await crowd.enter(name, deviceId="device-of-eve")
        assert (await eve.ask("report_message", body)).event == "report_message_ack"
        await eve.ask("leave")
    assert (await olga.ask("get_reports")).data["open"] == 1
    bob = await crowd.enter("Bob", deviceId="device-of-bob")
    await bob.ask("report_message", body)
    assert (await olga.ask("get_reports")).data["open"] == 2


@pytest.mark.gen_test
async def test_a_report_is_resolved_for_all_who_reported_that_message(crowd: Any) -> None:
    olga, bob, eve, mallory = [await crowd.owner(), *[await crowd.enter(name) for name in ("Bob", "Eve", "Mallory")]]
    meg = await crowd.promoted(olga, "Meg")
    message, other = [(await mallory.say(text)).data["serverMessageId"] for text in ("one", "two")]
    for person, reported in ((bob, message), (eve, message), (bob, other)):
        await person.ask("report_message", {"messageId": reported, "reason": "Spam"})
    queue = (await olga.ask("get_reports")).data["reports"]
    report = next(report["reportId"] for report in queue if report["messageId"] == message)
    answer = await meg.ask("resolve_report", {"reportId": report})
    assert answer.data == {"messageId": message, "resolved": 2, "open": 1}
    assert (await olga.hear("report_resolved")).data == {"messageId": message, "open": 1}
    assert (await olga.ask("resolve_report", {"reportId": report})).data["code"] == "not_found"
    assert [report["messageId"] for report in (await olga.ask("get_reports")).data["reports"]] == [other]
    # It stays resolved for those who have reported it.
    await bob.ask("report_message", {"messageId": message, "reason": "Still"})
    assert (await olga.ask("get_reports")).data["open"] == 1
    (left,) = (await olga.ask("get_reports")).data["reports"]
    reply = await crowd.rest("POST", f"/reports/{left['reportId']}/resolve", {}, by=olga)
    assert (reply.status, reply.body["open"]) == (200, 0)


@pytest.mark.gen_test
async def test_a_report_is_for_those_above_the_author(crowd: Any) -> None:
    """Of what an owner wrote for the other owners; never for who wrote it."""
    olga, bob, mallory = [await crowd.owner(), await crowd.enter("Bob"), await crowd.enter("Mallory")]
    meg, mia = [await crowd.promoted(olga, name) for name in ("Meg", "Mia")]
    ids = {one.username: (await one.say(one.username)).data["serverMessageId"] for one in (olga, meg, mallory)}

    async def report(name: str) -> str:
        answer = await bob.ask("report_message", {"messageId": ids[name], "reason": "Spam"})
        return str(answer.data.get("code", answer.event))

    async def seen(*people: Any) -> list[list[str]]:
        queues = [(await one.ask("get_reports")).data for one in people]
        assert all(queue["open"] == len(queue["reports"]) for queue in queues)
        return [sorted(report["author"]["username"] for report in queue["reports"]) for queue in queues]

    assert await report("Olga") == "conflict"
    assert [await report(name) for name in ("Mallory", "Meg")] == ["report_message_ack"] * 2
    told = [[one.data["open"] for one in await crowd.heard_by(person) if one.event == "message_reported"]
            for person in (olga, meg, mia)]  # fmt: skip
    assert told == [[1, 2], [1], [1]]
    assert await seen(olga, meg, mia) == [["Mallory", "Meg"], ["Mallory"], ["Mallory"]]
    assert [heard.data for heard in (await crowd.again(meg)).welcome if heard.event == "report_count"] == [{"open": 1}]
    reports = (await olga.ask("get_reports")).data["reports"]
    (report_id,) = [one["reportId"] for one in reports if one["author"]["username"] == "Meg"]
    for moderator in (meg, mia):
        assert (await moderator.ask("resolve_report", {"reportId": report_id})).data["code"] == "not_found"
    assert (await olga.ask("resolve_report", {"reportId": report_id})).data["open"] == 1
    assert "report_resolved" not in [heard.event for heard in await crowd.heard_by(meg)]
    entry = (await olga.ask("get_moderation_log")).data["entries"][0]
    assert (entry["act"], entry["target"]) == ("resolve", {"sessionId": meg.session_id, "username": "Meg"})
    oscar = await crowd.owner("Oscar")
    assert await report("Olga") == "report_message_ack"
    assert await seen(olga, oscar, mia) == [["Mallory"], ["Mallory", "Olga"], ["Mallory"]]


@pytest.mark.gen_test
async def test_who_wrote_under_two_ranks_and_left_is_counted_under_both(crowd: Any) -> None:
    olga, bob, mallory = [await crowd.owner(), await crowd.enter("Bob"), await crowd.enter("Mallory")]
    meg = await crowd.promoted(olga, "Meg")
    messages = [(await mallory.say("one")).data["serverMessageId"], (await mallory.say("two")).data["serverMessageId"]]
    await olga.ask("promote", {"targetSessionId": mallory.session_id})
    messages.append((await mallory.say("three")).data["serverMessageId"])
    await mallory.ask("leave")
    for message in messages:
        assert (await bob.ask("report_message", {"messageId": message, "reason": "Spam"})).event == "report_message_ack"
    assert [(await one.ask("get_reports")).data["open"] for one in (olga, meg)] == [3, 2]
    reports = (await olga.ask("get_reports")).data["reports"]
    left = [(await olga.ask("resolve_report", {"reportId": one["reportId"]})).data["open"] for one in reports]
    assert left == [2, 1, 0]
    told = [heard.data["open"] for heard in await crowd.heard_by(meg) if heard.event == "report_resolved"]
    assert told == [1, 0]


@pytest.mark.gen_test
async def test_reports_go_with_their_message(crowd: Any) -> None:
    olga, bob, mallory = await crowd.owner(), await crowd.enter("Bob"), await crowd.enter("Mallory")
    message = (await mallory.say("one")).data["serverMessageId"]
    await bob.ask("report_message", {"messageId": message, "reason": "Spam"})
    await olga.ask("delete_message", {"messageId": message})
    assert (await olga.ask("get_reports")).data == {"reports": [], "hasMore": False, "open": 0}
    assert crowd.rows("SELECT id FROM moderation_reports") == []
    assert (await bob.ask("report_message", {"messageId": message, "reason": "Spam"})).data[
        "code"
    ] == "message_not_found"


@pytest.mark.gen_test
async def test_what_cannot_be_reported(crowd: Any) -> None:
    bob = await crowd.enter("Bob")
    own = (await bob.say("mine")).data["serverMessageId"]
    for message, reason, code in (
        (own, "Spam", "forbidden"),
        ("00000000-0000-7000-8000-000000000000", "Spam", "message_not_found"),
        (own, "", "validation_failed"),
        (own, "  ", "validation_failed"),
        (own, "x" * 201, "validation_failed"),
        (own, "two\nlines", "validation_failed"),
        (own, "bell\x07", "validation_failed"),
        (own, 5, "validation_failed"),
        (own, None, "validation_failed"),
    ):
        answer = await bob.ask("report_message", {"messageId": message, "reason": reason})
        assert answer.data["code"] == code, (message, reason)


@pytest.mark.gen_test
async def test_reports_are_limited_by_person_on_both_ways_together(crowd: Any) -> None:
    bob, eve, mallory = [await crowd.enter(name) for name in ("Bob", "Eve", "Mallory")]
    message = (await mallory.say("one")).data["serverMessageId"]
    body = {"messageId": message, "reason": "Spam"}
    for _ in range(5):
        assert (await bob.ask("report_message", body)).event == "report_message_ack"
        assert (await crowd.rest("POST", "/reports", body, by=bob)).status == 200
    assert (await bob.ask("report_message", body)).data["code"] == "rate_limited"
    limited = await crowd.rest("POST", "/reports", body, by=bob)
    assert (limited.status, limited.headers["Retry-After"]) == (429, "6")
    assert (await eve.ask("report_message", body)).event == "report_message_ack"


@pytest.mark.gen_test
async def test_a_moderator_who_comes_back_is_told_how_many_wait(crowd: Any) -> None:
    olga, bob, mallory = await crowd.owner(), await crowd.enter("Bob"), await crowd.enter("Mallory")
    message = (await mallory.say("one")).data["serverMessageId"]
    await bob.ask("report_message", {"messageId": message, "reason": "Spam"})
    told = {
        person.username: [heard.data for heard in (await crowd.again(person)).welcome if heard.event == "report_count"]
        for person in (olga, bob)
    }
    assert told == {"Olga": [{"open": 1}], "Bob": []}


@pytest.mark.gen_test
async def test_who_is_forgotten_has_reported_nothing(crowd: Any) -> None:
    olga, bob, mallory = await crowd.owner(), await crowd.enter("Bob"), await crowd.enter("Mallory")
    message = (await mallory.say("one")).data["serverMessageId"]
    await bob.ask("report_message", {"messageId": message, "reason": "Spam"})
    assert len(crowd.rows("SELECT id FROM moderation_reports")) == 1
    await bob.ask("leave", {"forget": True})
    assert crowd.rows("SELECT id FROM moderation_reports") == []
    assert (await olga.hear("report_count")).data == {"open": 0}


@pytest.mark.gen_test
async def test_more_reports_than_can_be_read_are_refused(crowd: Any) -> None:
    bob, mallory = await crowd.enter("Bob"), await crowd.enter("Mallory")
    message = (await mallory.say("one")).data["serverMessageId"]
    rows = ",".join(f"('r{n}', '{crowd.room.id}', '{message}', 'somebody {n}', '{n}', 'x', 0)" for n in range(1_000))
    crowd.execute(
        f"INSERT INTO moderation_reports (id, room_id, message_id, session_id, reporter, reason, at) VALUES {rows}"
    )
    assert (await bob.ask("report_message", {"messageId": message, "reason": "Spam"})).data["code"] == "conflict"


@pytest.mark.parametrize("how", ["by its author", "with all that its author wrote"])
@pytest.mark.gen_test
async def test_moderators_hear_that_reports_are_gone_with_their_message(crowd: Any, how: str) -> None:
    olga, bob, mallory = await crowd.owner(), await crowd.enter("Bob"), await crowd.enter("Mallory")
    for text in ("buy this", "and that"):
        message = (await mallory.say(text)).data["serverMessageId"]
        await bob.ask("report_message", {"messageId": message, "reason": "Spam"})
    if how == "by its author":
        await mallory.ask("delete_message", {"messageId": message})
    else:
        await mallory.ask("leave", {"forget": True})
    left = 1 if how == "by its author" else 0
    while (await olga.hear("report_count")).data["open"] != left:
        pass


@pytest.mark.gen_test
async def test_the_end_of_a_room_right_after_deletions_is_no_failure_of_what_tells_of_reports(crowd: Any) -> None:
    olga, bob = await crowd.owner(), await crowd.enter("Bob")
    messages = [(await bob.say(word)).data["serverMessageId"] for word in ("one", "two", "three", "four", "five")]
    for message in messages:
        await bob.send("delete_message", {"messageId": message})
    await olga.ask("end_room")
    await crowd.server.dispatcher.settle()
    failed = crowd.server.metrics.registry.get_sample_value(
        "anonchat_plugin_failures_total", {"plugin": "moderation", "hook": "event_saved"}
    )
    assert not failed
