"""Who is kept out, by what they are recognised, and what is known of them."""

from __future__ import annotations

from typing import Any

import pytest

from anonchat.testing.databases import failing, tables_in
from anonchat.testing.people import Person, open_room

DEVICE, OTHER_DEVICE = "device-of-mallory", "device-of-somebody"
FINGERPRINT = "fingerprint-of-mallory"
ELSEWHERE = "203.0.113.9"


def target(person: Any, **more: Any) -> dict[str, Any]:
    return {"targetSessionId": person.session_id, **more}


@pytest.mark.gen_test
async def test_a_kick_ends_the_session_on_the_spot_and_keeps_out_for_the_cool_off(crowd: Any) -> None:
    olga, bob = await crowd.owner(), await crowd.enter("Bob")
    mallory = await crowd.enter("Mallory", deviceId=DEVICE)
    answer = await olga.ask("kick", target(mallory, reason="Spam"))
    assert answer.event == "kick_ack"
    assert answer.data["coolOffSeconds"] == 300
    told = await mallory.hear("kicked")
    assert told.data == {"reason": "Spam", "coolOffSeconds": 300, "banned": False}
    assert await mallory.read() is None
    assert mallory.socket.close_code == 4403
    removed = await bob.hear("presence_removed")
    assert removed.data == {"sessionId": mallory.session_id, "reason": "kicked"}
    refused = await crowd.join("Somebody else", deviceId=DEVICE)
    assert (refused.status, refused.body["code"]) == (403, "kicked")
    assert refused.body["detail"] == "You were asked to leave this room for now: Spam"
    assert refused.headers["Retry-After"] == "300"
    crowd.clock.advance(299)
    assert (await crowd.join("Mallory", deviceId=DEVICE)).status == 403
    crowd.clock.advance(2)
    await crowd.enter("Mallory", deviceId=DEVICE)


@pytest.mark.gen_test
async def test_a_kick_may_be_longer(crowd: Any) -> None:
    olga, mallory = await crowd.owner(), await crowd.enter("Mallory", deviceId=DEVICE)
    answer = await olga.ask("kick", target(mallory, coolOffSeconds=3_600))
    assert answer.data["coolOffSeconds"] == 3_600
    crowd.clock.advance(3_599)
    assert (await crowd.join("Mallory", deviceId=DEVICE)).body["code"] == "kicked"


@pytest.mark.gen_test
async def test_a_banned_device_comes_in_under_no_name_and_with_no_old_token(crowd: Any) -> None:
    olga = await crowd.owner()
    mallory = await crowd.enter("Mallory", deviceId=DEVICE)
    second = await crowd.join("Mal", deviceId=DEVICE, network=ELSEWHERE)  # joined, and not connected yet
    answer = await olga.ask("ban", target(mallory, reason="Threats"))
    assert answer.event == "ban_ack"
    assert (await mallory.hear("kicked")).data["banned"] is True
    for name in ("Mallory", "Mal", "Innocent"):
        refused = await crowd.join(name, deviceId=DEVICE, network=ELSEWHERE)
        assert (refused.status, refused.body["code"]) == (403, "banned")
        assert refused.body["detail"] == "You are banned from this room: Threats"
    for session_id, token in (
        (mallory.session_id, mallory.token),
        (second.body["sessionId"], second.body["sessionToken"]),
    ):
        back = await crowd.identify("Mallory", session_id, token, network=ELSEWHERE)
        assert back.welcome[-1].data["code"] == "invalid_token"
        assert back.socket.close_code == 4401
    # The control: from the same place another device comes in.
    await crowd.enter("Innocent", deviceId=OTHER_DEVICE, network=ELSEWHERE)


@pytest.mark.gen_test
async def test_a_ban_matches_a_fingerprint(crowd: Any) -> None:
    olga = await crowd.owner()
    mallory = await crowd.enter("Mallory", fingerprintHash=FINGERPRINT)
    await olga.ask("ban", target(mallory))
    refused = await crowd.join("Mal", fingerprintHash=FINGERPRINT, deviceId=OTHER_DEVICE, network=ELSEWHERE)
    assert refused.body["code"] == "banned"
    await crowd.enter("Innocent", fingerprintHash="another-fingerprint", network=ELSEWHERE)


@pytest.mark.gen_test
async def test_a_ban_matches_a_network_for_those_who_come_later(crowd: Any) -> None:
    olga = await crowd.owner()
    neighbour = await crowd.enter("Neighbour", network=ELSEWHERE)
    mallory = await crowd.enter("Mallory", deviceId=DEVICE, network=ELSEWHERE)
    await olga.ask("ban", target(mallory))
    crowd.clock.advance(1)
    refused = await crowd.join("Mal", deviceId=OTHER_DEVICE, network=ELSEWHERE)
    assert refused.body["code"] == "banned"
    # Who was there stays, and comes back.
    assert (await crowd.again(neighbour, network=ELSEWHERE)).welcome[1].event == "identified"
    # Who joined from somewhere else comes with that session from the banned place, and is kept out.
    wanderer = await crowd.join("Wanderer", deviceId=OTHER_DEVICE)
    tried = await crowd.identify(
        "Wanderer", wanderer.body["sessionId"], wanderer.body["sessionToken"], network=ELSEWHERE
    )
    assert tried.welcome[-1].data["code"] == "banned"
    # A moderator's link opens the room from everywhere.
    invite = await crowd.rest("POST", "/invites", {"role": "moderator"}, by=olga)
    await crowd.enter("Meg", token=invite.body["inviteToken"], network=ELSEWHERE)


@pytest.mark.gen_test
async def test_a_neighbour_who_was_here_before_the_ban_may_also_join_again(crowd: Any) -> None:
    """As a program does that has lost its token; and why somebody else is banned is not told to neighbours."""
    olga = await crowd.owner()
    await crowd.enter("Anna", deviceId=OTHER_DEVICE, network=ELSEWHERE)
    mallory = await crowd.enter("Mallory", deviceId=DEVICE, network=ELSEWHERE)
    crowd.clock.advance(1)
    await olga.ask("ban", {"targetSessionId": mallory.session_id, "reason": "Mallory is rude"})
    assert (await crowd.join("Anna", deviceId=OTHER_DEVICE, network=ELSEWHERE)).status == 201
    stranger = await crowd.join("Bert", deviceId="a-third-device", network=ELSEWHERE)
    assert (stranger.body["code"], "rude" in stranger.body["detail"]) == ("banned", False)
    himself = await crowd.join("Mal", deviceId=DEVICE, network=ELSEWHERE)
    assert (himself.body["code"], "rude" in himself.body["detail"]) == ("banned", True)


@pytest.mark.gen_test
async def test_networks_are_not_used_where_the_operator_does_not_want_it(crowd_with: Any) -> None:
    async with crowd_with({"ban_networks": False}) as crowd:
        olga = await crowd.owner()
        mallory = await crowd.enter("Mallory", deviceId=DEVICE, network=ELSEWHERE)
        await olga.ask("ban", target(mallory))
        crowd.clock.advance(1)
        await crowd.enter("Innocent", network=ELSEWHERE)
        assert crowd.rows("SELECT network FROM moderation_bans") == [(None,)]


@pytest.mark.gen_test
async def test_a_kick_uses_the_network_only_in_need(crowd: Any) -> None:
    olga = await crowd.owner()
    pupil = await crowd.enter("Pupil", deviceId=DEVICE, network=ELSEWHERE)
    await olga.ask("kick", target(pupil))
    crowd.clock.advance(1)
    stranger = await crowd.enter("Stranger", network=ELSEWHERE)  # the classroom stays open
    await olga.ask("kick", target(stranger))
    crowd.clock.advance(1)
    assert (await crowd.join("Stranger", network=ELSEWHERE)).body["code"] == "kicked"
    assert (await crowd.join("Strange", deviceId=OTHER_DEVICE, network=ELSEWHERE)).body["code"] == "kicked"
    await crowd.enter("Elsewhere")


@pytest.mark.gen_test
async def test_all_sessions_of_a_banned_device_end(crowd: Any) -> None:
    olga = await crowd.owner()
    first, second = [await crowd.enter(name, deviceId=DEVICE) for name in ("Mallory", "Mal")]
    await olga.ask("ban", target(first))
    for person in (first, second):
        assert (await person.hear("kicked")).data["banned"] is True
        assert await person.read() is None


@pytest.mark.gen_test
async def test_what_was_written_under_another_name_on_the_device_is_deleted_with_the_rest(crowd: Any) -> None:
    olga, bob = await crowd.owner(), await crowd.enter("Bob")
    first, second = [await crowd.enter(name, deviceId=DEVICE) for name in ("Mallory", "Mal")]
    for person in (first, second, bob):
        await person.say(f"{person.username} was here")
    assert (await olga.ask("ban", target(first, purgeMessages=True))).data["removed"] == 2
    messages = (await crowd.rest("GET", "/messages", by=bob)).body["messages"]
    assert [message["content"]["text"] for message in messages] == ["Bob was here"]


@pytest.mark.gen_test
async def test_nothing_is_remembered_of_the_people_of_a_room_that_has_ended(
    crowd: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("anonchat_moderation.networks.LOT", 2)
    olga = await crowd.owner()
    people = [olga, *[await crowd.enter(name) for name in ("Ann", "Ben", "Cem", "Dan")]]
    keys = [f"plugin:moderation:network:{person.session_id}" for person in people]
    assert None not in [await crowd.server.ephemeral.get(key) for key in keys]
    await olga.ask("end_room", {})
    assert [await crowd.server.ephemeral.get(key) for key in keys] == [None] * 5


@pytest.mark.gen_test
@pytest.mark.parametrize("act", ["kick", "ban"])
async def test_no_session_of_the_device_reads_on_over_rest(crowd: Any, act: str) -> None:
    olga, mallory = await crowd.owner(), await crowd.enter("Mallory", deviceId=DEVICE)
    joined = (await crowd.join("Mal", deviceId=DEVICE)).body  # and never connects
    second = Person("Mal", joined["sessionId"], joined["sessionToken"], mallory.socket)
    paths = ("/messages", "/participants", "/moderation-log")
    assert [(await crowd.rest("GET", path, by=second)).status for path in paths] == [200, 200, 200]
    assert (await olga.ask(act, target(mallory))).event == f"{act}_ack"
    assert [(await crowd.rest("GET", path, by=second)).status for path in paths] == [401, 401, 401]


@pytest.mark.gen_test
async def test_nobody_is_kept_out_by_the_ban_of_a_lower_rank(crowd: Any) -> None:
    """A moderator bans a second name of the owner's own device."""
    olga = await crowd.enter("Olga", moderator=True, deviceId=DEVICE)
    meg = await crowd.promoted(olga, "Meg")
    double = await crowd.enter("Double", deviceId=DEVICE)
    assert (await meg.ask("ban", target(double))).event == "ban_ack"
    assert (await double.hear("kicked")).data["banned"]
    assert (await crowd.join("Double", deviceId=DEVICE)).body["code"] == "banned"
    assert (await olga.say("still here")).event == "message_ack"
    assert (await crowd.again(olga)).welcome[1].event == "identified"


@pytest.mark.gen_test
async def test_bans_expire_and_their_marks_are_deleted(crowd: Any) -> None:
    olga, mallory = await crowd.owner(), await crowd.enter("Mallory", deviceId=DEVICE)
    answer = await olga.ask("ban", target(mallory, durationSeconds=60))
    assert answer.data["until"] == "2027-01-15T08:01:00.000Z"
    assert (await crowd.join("Mallory", deviceId=DEVICE)).headers["Retry-After"] == "60"
    crowd.clock.advance(61)
    assert (await olga.ask("get_bans")).data["bans"] == []
    await crowd.enter("Mallory", deviceId=DEVICE)
    crowd.clock.advance(86_400)
    await crowd.until(lambda: not crowd.rows("SELECT id FROM moderation_bans"))


@pytest.mark.gen_test
async def test_who_joined_while_another_node_banned_them_does_not_connect(crowd: Any) -> None:
    """The guard of joins had passed, and that nobody was banned is still at hand here."""
    await crowd.enter("Bob")
    joined = (await crowd.join("Mallory", deviceId=DEVICE)).body
    (device,) = crowd.rows(f"SELECT device_hash FROM sessions WHERE id = '{joined['sessionId']}'")[0]
    crowd.execute(
        "INSERT INTO moderation_bans "
        "(id, room_id, kind, session_id, username, anonymous_id, device, by_rank, at, until) VALUES "
        f"('b', '{crowd.room.id}', 'ban', 's', 'Eve', 'a', '{device}', 2, 0, {crowd.clock.now() + 60_000})"
    )
    mallory = await crowd.identify("Mallory", joined["sessionId"], joined["sessionToken"])
    assert "identified" not in [heard.event for heard in mallory.welcome]
    assert mallory.welcome[-1].data["code"] == "banned"


@pytest.mark.gen_test
async def test_a_clock_that_is_ahead_for_a_moment_ends_no_ban_and_no_mute(crowd: Any) -> None:
    olga, mallory, bob = await crowd.owner(), await crowd.enter("Mallory", deviceId=DEVICE), await crowd.enter("Bob")
    await olga.ask("ban", target(mallory, durationSeconds=60))
    await olga.ask("mute", target(bob, durationSeconds=60))
    long_ago = crowd.clock.now() - 2 * 86_400_000
    crowd.execute(
        "INSERT INTO moderation_bans (id, room_id, kind, session_id, username, anonymous_id, by_rank, at, until) "
        f"VALUES ('old', '{crowd.room.id}', 'ban', 's', 'Eve', 'a', 1, 0, {long_ago})"
    )
    crowd.clock.advance(3_600)
    await crowd.until(lambda: not crowd.rows("SELECT id FROM moderation_bans WHERE id = 'old'"))
    crowd.clock.advance(-3_600)
    assert (await crowd.join("Mallory", deviceId=DEVICE)).body["code"] == "banned"
    assert (await bob.say("hello")).data["code"] == "muted"


@pytest.mark.gen_test
async def test_the_list_of_bans_tells_by_what_people_are_known_and_never_the_marks(crowd: Any) -> None:
    olga = await crowd.owner()
    mallory = await crowd.enter("Mallory", deviceId=DEVICE, fingerprintHash=FINGERPRINT, network=ELSEWHERE)
    banned = (await olga.ask("ban", target(mallory, reason="Threats"))).data
    reply = await crowd.rest("GET", "/bans", by=olga)
    (listed,) = reply.body["bans"]
    assert listed == {
        "banId": banned["banId"],
        "kind": "ban",
        "sessionId": mallory.session_id,
        "username": "Mallory",
        "anonymousId": listed["anonymousId"],
        "reason": "Threats",
        "matches": ["device", "fingerprint", "network"],
        "createdAt": "2027-01-15T08:00:00.000Z",
        "until": "2027-01-22T08:00:00.000Z",
    }
    ((device, fingerprint, network),) = crowd.rows("SELECT device, fingerprint, network FROM moderation_bans")
    assert {DEVICE, FINGERPRINT, ELSEWHERE}.isdisjoint({device, fingerprint, network})
    assert len(network) == 5
    text = str(reply.body) + str((await olga.ask("get_bans")).data)
    assert all(mark not in text for mark in (device, fingerprint, f"'{network}'"))


@pytest.mark.gen_test
async def test_no_network_is_stored_of_people_who_are_not_banned(crowd: Any) -> None:
    olga, mallory = await crowd.owner(), await crowd.enter("Mallory", network=ELSEWHERE)
    await crowd.enter("Bob", network="192.0.2.77")
    await olga.ask("ban", target(mallory))
    (banned,) = crowd.rows("SELECT network FROM moderation_bans")[0]
    other = await crowd.server.ephemeral.get(f"plugin:moderation:network:{crowd.people[-1].session_id}")
    assert other is not None
    assert other.decode() != banned
    stored = str([crowd.rows(f'SELECT * FROM "{table}"') for table in tables_in(crowd.folder)])
    assert banned in stored
    assert all(address not in stored for address in (ELSEWHERE, "192.0.2.77"))
    await crowd.server.dispatcher.settle()
    assert await crowd.server.ephemeral.get(f"plugin:moderation:network:{mallory.session_id}") is None


@pytest.mark.gen_test
async def test_unban_lets_in_at_once(crowd: Any) -> None:
    olga, mallory = await crowd.owner(), await crowd.enter("Mallory", deviceId=DEVICE)
    banned = (await olga.ask("ban", target(mallory))).data
    assert (await olga.ask("unban", {"banId": banned["banId"]})).data == {"banId": banned["banId"]}
    assert (await olga.ask("unban", {"banId": banned["banId"]})).data["code"] == "not_found"
    back = await crowd.enter("Mallory", deviceId=DEVICE)
    again = (await olga.ask("ban", target(back))).data
    assert (await crowd.rest("DELETE", f"/bans/{again['banId']}", by=olga)).body == {"banId": again["banId"]}
    await crowd.enter("Mallory", deviceId=DEVICE)


@pytest.mark.gen_test
async def test_a_ban_of_one_room_holds_in_no_other(crowd: Any) -> None:
    olga, mallory = await crowd.owner(), await crowd.enter("Mallory", deviceId=DEVICE)
    banned = (await olga.ask("ban", target(mallory))).data
    crowd.room = await open_room(crowd.server)
    there = await crowd.enter("Mallory", deviceId=DEVICE)
    chief = await crowd.owner("Chief")
    assert (await chief.ask("unban", {"banId": banned["banId"]})).data["code"] == "not_found"
    assert (await olga.ask("ban", target(there))).data["code"] == "not_found"


@pytest.mark.gen_test
async def test_the_list_comes_in_pages(crowd: Any) -> None:
    olga = await crowd.owner()
    for number in range(5):
        await olga.ask("kick", target(await crowd.enter(f"Troll {number}", deviceId=f"device-number-{number}")))
        crowd.clock.advance(1)
    first = (await olga.ask("get_bans", {"limit": 3})).data
    assert [ban["username"] for ban in first["bans"]] == ["Troll 4", "Troll 3", "Troll 2"]
    assert first["hasMore"] is True
    last = first["bans"][-1]["banId"]
    rest = (await crowd.rest("GET", f"/bans?limit=3&before={last}", by=olga)).body
    assert [ban["username"] for ban in rest["bans"]] == ["Troll 1", "Troll 0"]
    assert rest["hasMore"] is False
    assert (await olga.ask("get_bans", {"before": "nothing"})).data["code"] == "not_found"


@pytest.mark.gen_test
async def test_a_ban_is_stored_before_the_session_ends(crowd: Any) -> None:
    """So whoever is banned stays out also if the server dies in between: here the database refuses to end sessions."""
    olga = await crowd.owner()
    joined = (await crowd.join("Mallory")).body  # gave no device and no fingerprint, and has not connected
    with failing(crowd.folder, "DELETE ON sessions"):
        answer = await olga.ask("ban", {"targetSessionId": joined["sessionId"]})
    assert answer.event == "error"
    assert crowd.rows(f"SELECT id FROM sessions WHERE id = '{joined['sessionId']}'")
    back = await crowd.identify("Mallory", joined["sessionId"], joined["sessionToken"])
    assert back.welcome[-1].data["code"] == "banned"
    assert back.socket.close_code == 4403


@pytest.mark.gen_test
@pytest.mark.parametrize(
    ("event", "field"), [("kick", "coolOffSeconds"), ("ban", "durationSeconds"), ("mute", "durationSeconds")]
)
async def test_no_longer_than_the_operator_allows(crowd: Any, event: str, field: str) -> None:
    olga, bob = await crowd.owner(), await crowd.enter("Bob")
    for wrong in (0, 2**39, "60", 1.5):
        answer = await olga.ask(event, target(bob, **{field: wrong}))
        assert answer.data["code"] == "validation_failed", wrong
        assert list(answer.data["errors"]) == [field]
    assert (await bob.say("still here")).event == "message_ack"
