"""Closing, reopening and ending a room, deleting what somebody wrote, and what is left of a room."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from anonchat import ChatError, Transaction, hookimpl


def target(person: Any, **more: Any) -> dict[str, Any]:
    return {"targetSessionId": person.session_id, **more}


async def said(person: Any, *texts: str) -> list[str]:
    """The ids of messages."""
    return [(await person.say(text)).data["serverMessageId"] for text in texts]


@pytest.mark.gen_test
async def test_a_closed_room_lets_nobody_new_in_until_it_is_reopened(crowd: Any) -> None:
    olga, bob = await crowd.owner(), await crowd.enter("Bob")
    assert (await olga.ask("close_room")).event == "close_room_ack"
    assert (await bob.hear("room_closed")).data["by"] == "moderator"
    assert (await crowd.join("Eve")).body["code"] == "room_closed"
    assert (await bob.say("we go on")).event == "message_ack"
    assert (await olga.ask("close_room")).data["code"] == "conflict"
    assert (await crowd.rest("POST", "/reopen", by=olga)).body == {"isOpen": True}
    assert (await bob.hear("room_updated")).data["room"]["isOpen"] is True
    await crowd.enter("Eve")
    assert (await olga.ask("reopen_room")).data["code"] == "conflict"
    assert (await crowd.rest("POST", "/close", {}, by=olga)).body == {"isOpen": False}


@pytest.mark.gen_test
async def test_participants_cannot_close_or_end(crowd: Any) -> None:
    bob = await crowd.enter("Bob")
    for event, path in (("close_room", "/close"), ("reopen_room", "/reopen"), ("end_room", "/end")):
        assert (await bob.ask(event)).data["code"] == "not_moderator"
        assert (await crowd.rest("POST", path, by=bob)).body["code"] == "not_moderator"


@pytest.mark.gen_test
@pytest.mark.parametrize("by_event", [True, False])
async def test_an_ended_room_is_over_for_all_and_nothing_is_left_of_it(crowd: Any, by_event: bool) -> None:
    olga, bob = await crowd.owner(), await crowd.enter("Bob")
    mallory, troll = await crowd.enter("Mallory", deviceId="device-m"), await crowd.enter("Troll", deviceId="device-t")
    (message,) = await said(mallory, "one")
    await bob.ask("report_message", {"messageId": message, "reason": "Spam"})
    await olga.ask("mute", target(mallory))
    await olga.ask("ban", target(troll))
    tables = ("bans", "mutes", "reports", "log")
    assert all(crowd.rows(f"SELECT id FROM moderation_{table}") for table in tables)
    if by_event:
        assert (await olga.ask("end_room")).event == "end_room_ack"
    else:
        assert (await crowd.rest("POST", "/end", by=olga)).body == {"ended": True}
    ended = await bob.hear("room_ended")
    assert ended.data["reason"] == "moderator"
    assert ended.data["deleted"]["moderation.moderation_bans"] == 1
    assert await bob.read() is None
    assert bob.socket.close_code == 4410
    assert (await crowd.join("Eve")).body["code"] == "room_ended"
    for table in tables:
        assert crowd.rows(f"SELECT id FROM moderation_{table}") == [], table


@pytest.mark.gen_test
async def test_an_ended_room_is_purged_after_the_grace(crowd_with: Any) -> None:
    async with crowd_with(rooms={"purge_grace_seconds": 3_600}) as crowd:
        olga, bob = await crowd.owner(), await crowd.enter("Bob")
        (message,) = await said(bob, "one")
        await olga.ask("delete_message", {"messageId": message})
        await olga.ask("end_room")
        assert (await crowd.join("Eve")).body["code"] == "room_ended"
        assert crowd.rows("SELECT act FROM moderation_log ORDER BY act") == [("end",), ("removed",)]
        crowd.clock.advance(6)  # what was gathered can be told to nobody any more
        await crowd.until(lambda: not crowd.rows("SELECT id FROM moderation_log WHERE pending IS NOT NULL"))
        crowd.clock.advance(3_600)
        await crowd.until(lambda: not crowd.rows("SELECT id FROM moderation_log"))


@pytest.mark.gen_test
async def test_bans_of_a_room_are_purged_also_when_moderation_is_off(crowd_with: Any) -> None:
    async with crowd_with() as crowd:
        olga, troll = await crowd.owner(), await crowd.enter("Troll", deviceId="device-t")
        await olga.ask("ban", target(troll))
        crowd.execute("DELETE FROM rooms")  # all that the core does, whoever is there
        assert crowd.rows("SELECT id FROM moderation_bans") == crowd.rows("SELECT id FROM moderation_log") == []


# --- everything by one person


@pytest.mark.gen_test
async def test_all_by_one_person_is_deleted_and_nothing_else(crowd: Any) -> None:
    olga, bob, mallory = await crowd.owner(), await crowd.enter("Bob"), await crowd.enter("Mallory")
    (kept,) = await said(bob, "kept")
    gone = await said(mallory, "one", "two", "three")
    answer = await olga.ask("purge_messages", target(mallory))
    assert answer.data == {"sessionId": mallory.session_id, "removed": 3}
    told = await bob.hear("messages_removed")
    assert sorted(told.data["messageIds"]) == sorted(gone)
    assert crowd.rows("SELECT id FROM messages") == [(kept,)]
    crowd.clock.advance(6)
    assert (await bob.hear("moderation_log")).data["count"] == 3
    assert (await mallory.say("still here")).event == "message_ack"


@pytest.mark.gen_test
async def test_all_by_somebody_who_has_left_is_deleted(crowd: Any) -> None:
    olga, mallory = await crowd.owner(), await crowd.enter("Mallory")
    meg, max_ = await crowd.promoted(olga, "Meg"), await crowd.promoted(olga, "Max")
    await said(mallory, "one", "two")
    await said(max_, "three")
    for person in (mallory, max_):
        await person.ask("leave")
    reply = await crowd.rest("POST", "/purge-messages", target(mallory), by=meg)
    assert reply.body == {"sessionId": mallory.session_id, "removed": 2}
    assert (await meg.ask("purge_messages", target(mallory))).data["code"] == "not_found"
    assert (await meg.ask("purge_messages", target(max_))).data["code"] == "rank_too_low"
    assert (await olga.ask("purge_messages", target(max_))).data["removed"] == 1
    assert crowd.rows("SELECT id FROM messages") == []


@pytest.mark.gen_test
async def test_a_ban_may_delete_what_was_written(crowd: Any) -> None:
    olga, mallory, troll = await crowd.owner(), await crowd.enter("Mallory"), await crowd.enter("Troll")
    await said(mallory, "one", "two")
    await said(troll, "three")
    assert (await olga.ask("ban", target(troll))).data["removed"] == 0
    reply = await crowd.rest("POST", "/ban", target(mallory, purgeMessages=True), by=olga)
    assert reply.body["removed"] == 2
    assert len(crowd.rows("SELECT id FROM messages")) == 1


# --- the hook that the plugin offers


class Listener:
    """Writes down what moderation tells other plugins, and may refuse."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, str, str | None, int | None]] = []
        self.refuses: Sequence[str] = ()

    @hookimpl(optionalhook=True)
    async def write_moderated(
        self, tx: Transaction, act: str, session_id: str, reason: str | None, until: int | None
    ) -> None:
        if act in self.refuses:
            raise ChatError("listener.no", "Not that.")
        self.heard.append((act, session_id, reason, until))


@pytest.mark.gen_test
async def test_other_plugins_write_in_the_transaction_of_an_act(crowd_with: Any) -> None:
    listener = Listener()
    async with crowd_with(plugins={"listener": listener}) as crowd:
        olga, bob = await crowd.owner(), await crowd.enter("Bob")
        (message,) = await said(bob, "one")
        now = crowd.clock.now()
        await olga.ask("mute", target(bob, durationSeconds=60, reason="Loud"))
        await olga.ask("unmute", target(bob))
        await olga.ask("promote", target(bob))
        await olga.ask("demote", target(bob))
        await olga.ask("delete_message", {"messageId": message})
        await crowd.server.dispatcher.settle()
        listener.refuses = ("ban",)
        refused = await olga.ask("ban", target(bob))
        assert (refused.data["code"], refused.data["message"]) == ("listener.no", "Not that.")
        assert crowd.rows("SELECT id FROM moderation_bans") == []
        assert (await bob.say("still here")).event == "message_ack"
        await olga.ask("kick", target(bob, reason="Rude"))
        assert listener.heard == [
            ("mute", bob.session_id, "Loud", now + 60_000),
            ("unmute", bob.session_id, None, None),
            ("promote", bob.session_id, None, None),
            ("demote", bob.session_id, None, None),
            ("removed", bob.session_id, None, None),
            ("kick", bob.session_id, "Rude", now + 300_000),
        ]
