"""Who may act on whom: decided on the server, by the ranks of that moment."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from anonchat.testing.databases import failing
from anonchat.testing.people import request

ACTS = ("kick", "ban", "mute", "unmute", "promote", "demote", "purge_messages")


def target(person: Any, **more: Any) -> dict[str, Any]:
    return {"targetSessionId": person.session_id, **more}


@pytest.mark.gen_test
@pytest.mark.parametrize("act", ACTS)
async def test_nobody_acts_on_an_equal_or_a_higher_one(crowd: Any, act: str) -> None:
    owners = [await crowd.owner(name) for name in ("Olga", "Oleg")]
    promoted = [await crowd.promoted(owners[0], name) for name in ("Meg", "Max")]
    people = [await crowd.enter(name) for name in ("Pia", "Pit")]
    for actor, others, code in (
        (people[0], [people[1], promoted[0], owners[0]], "not_moderator"),
        (promoted[0], [promoted[1], *owners], "rank_too_low"),
        (owners[0], [owners[1]], "rank_too_low"),
    ):
        for other in others:
            answer = await actor.ask(act, target(other))
            assert (answer.event, answer.data["code"]) == ("error", code), (actor.username, other.username)
            path = "/purge-messages" if act == "purge_messages" else f"/{act}"
            reply = await crowd.rest("POST", path, target(other), by=actor)
            assert (reply.status, reply.body["code"]) == (403, code)
        answer = await actor.ask(act, target(actor))
        assert answer.data["code"] == ("forbidden" if actor is not people[0] else "not_moderator")
    for person in (*owners, *promoted, *people):
        assert (await person.say("still here")).event == "message_ack"
    assert {act for (act,) in crowd.rows("SELECT act FROM moderation_log")} == {"promote"}


@pytest.mark.gen_test
@pytest.mark.parametrize("act", ["kick", "ban", "mute"])
async def test_higher_ones_act_on_lower_ones(crowd: Any, act: str) -> None:
    olga = await crowd.owner()
    meg, max_ = await crowd.promoted(olga, "Meg", deviceId="device-of-meg"), await crowd.promoted(olga, "Max")
    pia = await crowd.enter("Pia", deviceId="device-of-pia")
    assert (await max_.ask(act, target(pia))).event == f"{act}_ack"
    assert (await olga.ask(act, target(meg))).event == f"{act}_ack"


@pytest.mark.gen_test
async def test_only_owners_appoint_moderators(crowd: Any) -> None:
    olga, pia = await crowd.owner(), await crowd.enter("Pia")
    meg = await crowd.promoted(olga, "Meg")
    assert (await meg.ask("promote", target(pia))).data["code"] == "rank_too_low"
    assert (await meg.ask("rotate_moderator_token")).data["code"] == "rank_too_low"
    assert (await olga.ask("promote", target(meg))).data["code"] == "conflict"
    assert (await olga.ask("demote", target(pia))).data["code"] == "conflict"


@pytest.mark.gen_test
async def test_promotion_and_demotion_hold_on_open_sockets_at_once_and_are_seen_by_all(crowd: Any) -> None:
    olga, meg, pia = await crowd.owner(), await crowd.enter("Meg"), await crowd.enter("Pia")
    assert (await meg.ask("mute", target(pia))).data["code"] == "not_moderator"
    answer = await olga.ask("promote", target(meg))
    assert answer.data == {"sessionId": meg.session_id, "role": "moderator"}
    assert (await meg.ask("mute", target(pia))).event == "mute_ack"
    assert (await meg.ask("unmute", target(pia))).event == "unmute_ack"
    await olga.ask("demote", target(meg))
    assert (await meg.ask("mute", target(pia))).data["code"] == "not_moderator"
    told = [heard.data["user"] for heard in await crowd.heard_by(pia) if heard.data.get("event") == "change"]
    assert [(user["username"], user["role"]) for user in told] == [("Meg", "moderator"), ("Meg", "participant")]


@pytest.mark.gen_test
async def test_an_invite_for_moderators_gives_the_rank_of_the_promoted(crowd: Any) -> None:
    olga = await crowd.owner()
    invite = await crowd.rest("POST", "/invites", {"role": "moderator"}, by=olga)
    meg = await crowd.enter("Meg", token=invite.body["inviteToken"])
    assert (await meg.ask("kick", target(olga))).data["code"] == "rank_too_low"
    assert (await olga.ask("demote", target(meg))).event == "demote_ack"


@pytest.mark.gen_test
async def test_people_of_other_rooms_and_people_who_left_are_not_found(crowd: Any) -> None:
    olga, pia = await crowd.owner(), await crowd.enter("Pia")
    await pia.ask("leave")
    for act in ACTS:
        for somebody in (pia.session_id, "00000000-0000-4000-8000-000000000000"):
            answer = await olga.ask(act, {"targetSessionId": somebody})
            assert answer.data["code"] == "not_found", act
    other = await request(crowd.server, "POST", "/api/rooms", {"title": "Other"})
    path = f"/api/rooms/{other.body['roomId']}"
    body = {"username": "Eve", "moderatorToken": other.body["moderatorToken"]}
    eve = (await request(crowd.server, "POST", f"{path}/join", body)).body
    for act in ACTS:
        assert (await olga.ask(act, {"targetSessionId": eve["sessionId"]})).data["code"] == "not_found", act
    refused = await crowd.rest("POST", "/end", by=type(olga)("Eve", eve["sessionId"], eve["sessionToken"], olga.socket))
    assert refused.body["code"] == "forbidden"


@pytest.mark.gen_test
async def test_moderators_who_act_on_each_other_at_once_leave_no_forbidden_state(crowd: Any) -> None:
    """Kicks, promotions, demotions and mutes by two owners and two moderators on each other, many at a time.

    A moderator may act on the other one in the moments in which that one is demoted, and on owners never.
    """
    owners = [await crowd.owner(name) for name in ("Olga", "Oleg")]
    promoted = [await crowd.promoted(owners[0], name) for name in ("Meg", "Max")]
    moderators = [*owners, *promoted]
    sent = []
    for _ in range(5):
        for actor in moderators:
            for other in moderators:
                for act in ("kick", "promote", "demote", "mute") if other is not actor else ():
                    if act == "kick" and other in promoted:
                        continue  # may be allowed, and ends the game
                    sent.append((actor, other, act, await actor.send(act, target(other))))
    outcomes: Counter[str] = Counter()
    for actor, other, act, number in sent:
        answer = await actor.answer(number)
        outcomes[answer.event] += 1
        if answer.event != "error":
            assert other in promoted, (actor.username, act)
            assert actor in owners or act == "mute", (actor.username, act)
    assert outcomes["error"] > 20
    assert outcomes["demote_ack"] > 0
    ranks = dict(crowd.rows("SELECT username, rank FROM sessions"))
    assert (ranks["Olga"], ranks["Oleg"]) == (2, 2)
    assert {ranks["Meg"], ranks["Max"]} <= {0, 1}
    assert crowd.rows("SELECT id FROM moderation_bans") == []
    for owner in owners:
        assert (await owner.say("still here")).event == "message_ack"


@pytest.mark.gen_test
async def test_a_kick_and_a_promotion_of_one_person_at_once(crowd: Any) -> None:
    """Twenty times: a moderator kicks whom an owner promotes. Either the kick came first, or it was refused."""
    olga = await crowd.owner()
    meg = await crowd.promoted(olga, "Meg")
    outcomes: Counter[str] = Counter()
    for number in range(20):
        pia = await crowd.enter(f"Pia {number}", deviceId=f"device-of-pia-{number}")
        acts = [(olga, "promote"), (meg, "kick")]
        sent = [(who, await who.send(act, target(pia))) for who, act in (acts if number % 2 else reversed(acts))]
        answers = {who.username: await who.answer(frame) for who, frame in sent}
        rank = crowd.rows(f"SELECT rank FROM sessions WHERE id = '{pia.session_id}'")
        outcomes[answers["Meg"].event] += 1
        if answers["Meg"].event == "error":
            assert answers["Meg"].data["code"] == "rank_too_low"
            assert rank == [(1,)]
        else:
            assert rank == []  # gone, whatever the promotion was answered with
            assert answers["Olga"].event == "promote_ack" or answers["Olga"].data["code"] == "not_found"
    assert sum(outcomes.values()) == 20


# --- a new moderator link


@pytest.mark.gen_test
async def test_rotation_refuses_the_old_token_and_deposes_who_came_by_it(crowd: Any) -> None:
    olga, thief = await crowd.owner(), await crowd.owner("Thief")
    away = (await crowd.join("Away", moderator=True)).body
    meg = await crowd.promoted(olga, "Meg")
    token = (await olga.ask("rotate_moderator_token")).data["moderatorToken"]
    refused = await crowd.join("Mallory", moderator=True)
    assert (refused.status, refused.body["code"]) == (403, "invalid_invite")
    assert (await thief.ask("kick", target(meg))).data["code"] == "not_moderator"
    assert (await thief.ask("rotate_moderator_token")).data["code"] == "not_moderator"
    back = await crowd.identify("Away", away["sessionId"], away["sessionToken"])
    assert back.welcome[1].data["role"] == "participant"
    assert (await olga.ask("kick", target(thief))).event == "kick_ack"
    assert (await meg.ask("get_bans")).event == "bans"  # the promoted stay
    chief = await crowd.enter("Chief", token=token, moderator=True)
    assert (await chief.ask("demote", target(meg))).event == "demote_ack"
    assert token not in str(crowd.rows("SELECT * FROM invites"))


@pytest.mark.gen_test
async def test_a_rotation_that_fails_is_not_in_the_log(crowd: Any) -> None:
    olga = await crowd.owner()
    with failing(crowd.folder, "DELETE ON invites"):
        assert (await olga.ask("rotate_moderator_token")).event == "error"
    assert crowd.rows("SELECT act FROM moderation_log") == []
    await crowd.owner("Oleg")


@pytest.mark.gen_test
async def test_of_two_rotations_at_once_one_holds(crowd: Any) -> None:
    owners = [await crowd.owner(name) for name in ("Olga", "Oleg")]
    numbers = [await person.send("rotate_moderator_token") for person in owners]
    answers = [await person.answer(number) for person, number in zip(owners, numbers, strict=True)]
    won = [answer for answer in answers if answer.event == "rotate_moderator_token_ack"]
    assert len(won) == 1
    lost = next(answer for answer in answers if answer.event == "error")
    assert lost.data["code"] in ("conflict", "not_moderator")
    assert sorted(rank for (rank,) in crowd.rows("SELECT rank FROM sessions")) == [0, 2]
    await crowd.enter("Chief", token=won[0].data["moderatorToken"], moderator=True)


# --- moderators who come back


@pytest.mark.gen_test
async def test_a_moderator_who_drops_is_still_moderator_and_passes_their_own_lock(crowd: Any) -> None:
    olga = await crowd.enter("Olga", moderator=True, deviceId="device-of-olga")
    meg, pia = await crowd.promoted(olga, "Meg"), await crowd.enter("Pia")
    assert (await olga.ask("close_room")).data == {"isOpen": False}
    for person in (olga, meg, pia):
        await person.close()
    crowd.clock.advance(3_600)  # longer than names are held
    for person, role in ((olga, "moderator"), (meg, "moderator"), (pia, "participant")):
        back = await crowd.again(person)
        assert (back.welcome[1].event, back.welcome[1].data["role"]) == ("identified", role)
    assert (await crowd.join("Stranger")).body["code"] == "room_closed"
    # Also with the link and without the old session.
    await crowd.enter("Other Olga", moderator=True)


@pytest.mark.gen_test
async def test_roles_hold_for_requests_too(crowd: Any) -> None:
    olga, meg = await crowd.owner(), await crowd.enter("Meg")
    assert (await crowd.rest("GET", "/bans", by=meg)).body["code"] == "not_moderator"
    assert (await crowd.rest("POST", "/promote", target(meg), by=olga)).status == 200
    assert (await crowd.rest("GET", "/bans", by=meg)).status == 200
    assert (await crowd.rest("POST", "/demote", target(meg), by=olga)).status == 200
    assert (await crowd.rest("GET", "/bans", by=meg)).status == 403
    token = (await crowd.rest("POST", "/rotate-moderator-token", by=olga)).body["moderatorToken"]
    await crowd.enter("Chief", token=token, moderator=True)
    assert (await crowd.rest("GET", "/bans")).body["code"] == "not_identified"


@pytest.mark.gen_test
async def test_the_role_is_asked_at_the_act_and_not_when_the_request_began(crowd: Any) -> None:
    """A moderator who sends many kicks is demoted in between: none of them happens after that."""
    olga = await crowd.owner()
    meg = await crowd.promoted(olga, "Meg")
    crowd_of_ten = [await crowd.enter(f"Pia {number}", deviceId=f"device-of-{number}") for number in range(10)]
    kicks = [await meg.send("kick", target(person)) for person in crowd_of_ten[:5]]
    demotion = await olga.send("demote", target(meg))
    kicks += [await meg.send("kick", target(person)) for person in crowd_of_ten[5:]]
    assert (await olga.answer(demotion)).event == "demote_ack"
    late = await meg.ask("kick", target(await crowd.enter("Late")))
    assert late.data["code"] == "not_moderator"
    for number, answered in enumerate([await meg.answer(kick) for kick in kicks]):
        assert answered.event == "kick_ack" or answered.data["code"] == "not_moderator", number
    assert answered.data["code"] == "not_moderator" or len(crowd.rows("SELECT id FROM moderation_bans")) == 10


@pytest.mark.gen_test
async def test_a_rank_that_another_node_has_changed_counts_at_once(crowd: Any) -> None:
    """Open sockets of this node do not know of it yet; the database does."""
    olga = await crowd.owner()
    meg, pia, pit = await crowd.promoted(olga, "Meg"), await crowd.enter("Pia"), await crowd.enter("Pit")
    crowd.execute(f"UPDATE sessions SET rank = 1, role = 'moderator' WHERE id = '{pia.session_id}'")
    assert (await meg.ask("kick", target(pia))).data["code"] == "rank_too_low"
    crowd.execute(f"UPDATE sessions SET rank = 0, role = 'participant' WHERE id = '{meg.session_id}'")
    for act in ("kick", "mute", "purge_messages"):
        assert (await meg.ask(act, target(pit))).data["code"] == "not_moderator"
    for act in ("close_room", "end_room"):
        assert (await meg.ask(act)).data["code"] == "not_moderator"
    crowd.execute(f"UPDATE sessions SET rank = 1 WHERE id = '{olga.session_id}'")
    assert (await olga.ask("rotate_moderator_token")).data["code"] == "rank_too_low"
    assert (await olga.ask("promote", target(pit))).data["code"] == "rank_too_low"
