"""What moderation answers and tells is what its declarations say, by the WebSocket and by REST."""

from __future__ import annotations

from typing import Any

import pytest
from openapi_spec_validator import validate

from anonchat.testing.clients import Rest
from anonchat.testing.contract import Contract

BLUNT = [
    ("POST", "/kick", {"targetSessionId": "x", "colour": "red"}, 422),
    ("POST", "/kick", {}, 422),
    ("POST", "/ban", {"targetSessionId": "x", "purgeMessages": "yes"}, 422),
    ("POST", "/mute", {"targetSessionId": "x", "reason": "two\nlines"}, 422),
    ("POST", "/close", {"now": True}, 422),
    ("GET", "/bans?limit=0", None, 422),
    ("GET", "/bans?limit=101", None, 422),
    ("GET", "/moderation-log?before=nothing", None, 404),
    ("DELETE", "/bans/nothing", None, 404),
    ("POST", "/reports/nothing/resolve", {}, 404),
    ("PUT", "/bans", {}, 405),
]


@pytest.mark.gen_test
async def test_events_and_answers_are_as_declared(crowd: Any) -> None:
    rest = Rest(crowd.server.port)
    documents = [(await rest.acall("GET", f"/api/{name}.json")).body for name in ("openapi", "asyncapi")]
    validate(documents[0])
    contract = Contract(*documents)
    checked = Rest(crowd.server.port, contract)
    olga, bob = await crowd.owner(), await crowd.enter("Bob")
    mallory, troll = await crowd.enter("Mallory", deviceId="device-m"), await crowd.enter("Troll", deviceId="device-t")

    async def ask(person: Any, event: str, **data: Any) -> Any:
        answer = await person.ask(event, data)
        assert answer.event != "error", answer
        contract.check_event({"event": answer.event, "data": answer.data, "id": answer.id})
        return answer.data

    async def call(person: Any, method: str, path: str, body: Any = None, status: int = 200) -> Any:
        reply = await checked.acall(method, f"/api/rooms/{crowd.room.id}{path}", body, token=person.token)
        assert reply.status == status, reply
        return reply.body

    for way in ("events", "routes"):
        mallorys, trolls = {"targetSessionId": mallory.session_id}, {"targetSessionId": troll.session_id}
        message = (await mallory.say("one", clientMsgId=way)).data["serverMessageId"]
        report = {"messageId": message, "reason": "Spam"}
        if way == "events":
            await ask(bob, "report_message", **report)
            (reported,) = (await ask(olga, "get_reports"))["reports"]
            await ask(olga, "resolve_report", reportId=reported["reportId"])
            for act in ("mute", "unmute", "promote", "demote", "purge_messages"):
                await ask(olga, act, **mallorys)
            await ask(olga, "close_room")
            await ask(olga, "reopen_room")
            await ask(olga, "kick", **trolls, reason="Rude")
            (kick,) = (await ask(olga, "get_bans"))["bans"]
            await ask(olga, "unban", banId=kick["banId"])
            await ask(olga, "rotate_moderator_token")
            await ask(bob, "get_moderation_log")
            await ask(olga, "get_moderation_log")
            troll = await crowd.enter("Troll", deviceId="device-t")
        else:
            await call(bob, "POST", "/reports", report)
            (reported,) = (await call(olga, "GET", "/reports"))["reports"]
            await call(olga, "POST", f"/reports/{reported['reportId']}/resolve", {})
            for act in ("mute", "unmute", "promote", "demote", "purge-messages"):
                await call(olga, "POST", f"/{act}", mallorys)
            await call(olga, "POST", "/close", {})
            await call(olga, "POST", "/reopen", {})
            await call(olga, "POST", "/ban", trolls)
            (ban,) = (await call(olga, "GET", "/bans"))["bans"]
            await call(olga, "DELETE", f"/bans/{ban['banId']}")
            await call(olga, "POST", "/rotate-moderator-token", {})
            await call(bob, "GET", "/moderation-log")
            await call(olga, "GET", "/moderation-log")
    for method, path, body, status in BLUNT:
        await call(olga, method, path, body, status)
    await crowd.again(olga)
    told = {event: person for person in (olga, bob, mallory, troll) for event in await told_to(person, contract)}
    assert told.keys() >= {"kicked", "presence_removed", "muted", "unmuted", "message_reported", "report_resolved"}
    assert told.keys() >= {"moderation_log", "messages_removed"}


async def told_to(person: Any, contract: Contract) -> set[str]:
    """The names of all events that somebody was told, each checked."""
    heard = [*person.welcome, *person._heard]
    await person.send("leave")
    while (frame := await person.read()) is not None:
        heard.append(frame)
    for told in heard:
        frame_of = {"event": told.event, "data": told.data}
        contract.check_event(frame_of | ({"seq": told.seq} if told.seq is not None else {}))
    return {told.event for told in heard}


@pytest.mark.gen_test
async def test_people_are_told_what_is_kept(crowd: Any) -> None:
    page = (await Rest(crowd.server.port).acall("GET", "/privacy")).body
    assert "for 90 days at most" in page
    assert "thousands of addresses share it" in page


@pytest.mark.gen_test
async def test_people_are_told_what_is_not_kept(crowd_with: Any) -> None:
    async with crowd_with({"ban_networks": False, "max_ban_seconds": 604_800, "public_log": False}) as crowd:
        page = (await Rest(crowd.server.port).acall("GET", "/privacy")).body
        assert "for 7 days at most" in page
        assert "thousands of addresses" not in page
        assert "without names" not in page
