"""What a room has chosen: presets, rules of its own, who may set and see them, and from when on they hold."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from anonchat import StartError
from anonchat.testing import running_server, settings_in
from anonchat.testing.clocks import SettableClock
from anonchat.testing.databases import run_sql
from anonchat.testing.people import open_room, request
from anonchat_moderation.content.presets import PRESETS
from anonchat_moderation.content.verdicts import REASONS

from .conftest import House, Moderated, heard_by, texts

LINK = "look at example.com"
RELAXED = {"flooding": "refuse", "repeats": "refuse"}
CAREFUL = {"flooding": "refuse", "links": "hold", "shouting": "refuse", "repeats": "refuse", "newcomers": "hold"}
STRICT = {"flooding": "refuse", "links": "refuse", "shouting": "refuse", "repeats": "refuse", "newcomers": "hold"}


@pytest.mark.gen_test
async def test_presets(house: House) -> None:
    async with house.enter("Alice") as alice:
        state = (await alice.hear("moderation")).data
        assert state == {"preset": "relaxed", "slowModeSeconds": 0, "panic": False, "rules": RELAXED}
        assert (await alice.say(LINK)).event == "message_ack"
        house.clock.advance(700)  # nobody is a newcomer any more
        for preset, rules, slow, answer in (
            ("careful", CAREFUL, 0, "message_held"),
            ("strict", STRICT, 5, "error"),
            ("relaxed", RELAXED, 0, "message_ack"),
        ):
            await house.press("set_moderation", preset=preset)
            changed = (await alice.hear("moderation_changed")).data
            assert changed == {"preset": preset, "slowModeSeconds": slow, "panic": False, "rules": rules}
            house.clock.advance(400)
            assert (await alice.say(LINK)).event == answer


@pytest.mark.gen_test
async def test_each_rule_may_allow_hold_or_refuse_and_tells_why(house: House) -> None:
    """The same six texts under each of the three actions."""
    shouted = "WHY DOES NOBODY LISTEN"
    cases: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
        "words": ({"words": ["war"]}, ("no w.a.r please",)),
        "links": ({}, (LINK,)),
        "shouting": ({"percent": 60}, (shouted,)),
        "repeats": ({"times": 1}, ("what I always say", "What I always say!")),
        "flooding": ({"perMinute": 1}, ("one", "two")),
        "newcomers": ({"seconds": 86_400, "messages": 1}, ("I am new",)),
    }
    for kind, (settings, said) in cases.items():
        for action, event in (("allow", "message_ack"), ("hold", "message_held"), ("refuse", "error")):
            house.clock.advance(3_700)
            async with house.enter(f"{kind.title()} {action}") as person:
                await house.rules(**{kind: {"action": action, **settings}})
                answers = [await person.say(text) for text in said]
                assert [answer.event for answer in answers[:-1]] == ["message_ack"] * (len(said) - 1), kind
                assert answers[-1].event == event, (kind, action)
                if action != "allow":
                    told = answers[-1].data
                    assert told["reason" if action == "hold" else "message"] == REASONS[kind]
                if action == "refuse":
                    assert told["code"] == ("muted" if kind == "flooding" else "message_refused")
                    assert (told.get("retryAfterMs") is not None) == (kind in ("flooding", "newcomers"))


@pytest.mark.gen_test
async def test_flooding_mutes_for_some_seconds(house: House) -> None:
    await house.rules(flooding={"action": "refuse", "perMinute": 3, "muteSeconds": 40})
    async with house.enter("Mallory") as mallory, house.enter("Bob") as bob:
        answers = [await mallory.say(f"{number}") for number in range(4)]
        assert [answer.event for answer in answers] == ["message_ack"] * 3 + ["error"]
        assert (answers[3].data["code"], answers[3].data["retryAfterMs"]) == ("muted", 40_000)
        await mallory.hear("muted")
        house.clock.advance(30)
        assert (await mallory.say("again")).data["retryAfterMs"] == 10_000
        assert (await bob.say("I may speak")).event == "message_ack"
        house.clock.advance(10)
        assert (await mallory.say("sorry")).event == "message_ack"
        entries = (await house.press("get_moderation_log"))["entries"]
        assert [entry["by"] for entry in entries if entry["act"] == "mute"] == ["rule"]


@pytest.mark.parametrize("leaves", [True, False], ids=["one after another", "at once"])
@pytest.mark.gen_test
async def test_what_one_device_writes_under_many_names_is_counted_together(house: House, leaves: bool) -> None:
    """Floods and repeats; also where each name calls its sends the same."""
    await house.rules(
        flooding={"action": "refuse", "perMinute": 5}, repeats={"action": "refuse", "times": 1, "sessions": 2}
    )
    same = {"text": "come and see what I have for you", "clientMsgId": "the same"}
    async with AsyncExitStack() as there, house.enter("Bob", deviceId="device of bob") as bob:
        answers = []
        for name in ("Ann", "Ben", "Cid", "Dan"):
            mallory = await there.enter_async_context(house.enter(name, deviceId="device of mallory"))
            answers += [await mallory.ask("send_message", same), await mallory.say(f"this is {name}")]
            if leaves:
                await mallory.ask("leave")
        codes = [answer.data.get("code") for answer in answers[:6]]
        assert codes == [None, None, "message_refused", None, "message_refused", "muted"]
        assert (await bob.ask("send_message", same)).event == "message_ack", "one person is no crowd"


@pytest.mark.gen_test
async def test_moderators_are_exempt(house: House) -> None:
    await house.press("set_moderation", preset="strict", slowModeSeconds=60)
    await house.press("panic")
    for _ in range(15):
        assert (await house.olga.say(f"{LINK} WHY DOES NOBODY LISTEN")).event == "message_ack"


@pytest.mark.gen_test
async def test_an_edit_passes_the_same_rules(house: House) -> None:
    """Else one edits a link in. An edit cannot wait, so that it is refused where a message would be held."""
    async with house.enter("Alice") as alice:
        await house.rules()
        said = {"messageId": (await alice.say("look at this")).data["serverMessageId"]}
        assert (await alice.ask("edit_message", {**said, "text": "look at that"})).event == "edit_ack"
        for action in ("hold", "refuse"):
            await house.rules(links={"action": action})
            refused = await alice.ask("edit_message", {**said, "text": LINK})
            assert (refused.data["code"], refused.data["message"]) == ("message_refused", REASONS["links"])
        await house.rules(newcomers={"action": "hold", "seconds": 100, "messages": 1})
        for _ in range(2):  # the second time, too: whoever edits is not muted for it
            refused = await alice.ask("edit_message", {**said, "text": "x"})
            assert (refused.data["code"], refused.data["message"]) == ("message_refused", REASONS["newcomers"])
        house.clock.advance(100)
        assert (await alice.ask("edit_message", {**said, "text": "x"})).event == "edit_ack"
        await house.rules(repeats={"action": "refuse", "times": 1})
        other = {"messageId": (await alice.say("something else")).data["serverMessageId"]}
        assert (await alice.ask("edit_message", {**other, "text": "Something else!"})).event == "edit_ack"
        assert (await alice.ask("edit_message", {**said, "text": "Something else."})).data["message"] == REASONS[
            "repeats"
        ]


@pytest.mark.gen_test
async def test_words_and_domains_of_the_room(house: House) -> None:
    rules = {"words": {"words": ["frob*"]}, "links": {"action": "refuse", "allowed": ["example.com"]}}
    await house.press("set_moderation", rules=rules)
    async with house.enter("Alice") as alice:
        assert (await alice.say("frobnicate")).data["message"] == REASONS["words"]
        assert (await alice.say(LINK)).event == "message_ack"
        assert (await alice.say("but example.org")).data["message"] == REASONS["links"]
        state = await house.press("set_moderation", preset="careful")
        assert state["settings"]["words"] == {"action": "refuse", "words": ["frob*"]}
        assert state["settings"]["links"] == {"action": "hold", "allowed": ["example.com"]}
        state = await house.press("set_moderation", rules={"words": None, "links": None})
        assert state["settings"]["words"]["words"] == state["settings"]["links"]["allowed"] == []
        for frame in await heard_by(alice):
            assert "frob" not in str(frame.data) or frame.event == "message"


@pytest.mark.gen_test
async def test_one_change_leaves_the_others(house: House) -> None:
    await house.press("set_moderation", rules={"repeats": {"times": 2}, "links": {"action": "hold"}})
    state = await house.press("set_moderation", slowModeSeconds=7, rules={"repeats": {"seconds": 9}})
    repeats = {"action": "refuse", "times": 2, "seconds": 9, "sessions": 10, "nearly": False}
    assert state["settings"]["repeats"] == repeats
    assert (state["settings"]["links"]["action"], state["slowModeSeconds"]) == ("hold", 7)
    assert (await house.press("set_moderation", slowModeSeconds=None))["slowModeSeconds"] == 0
    assert (await house.press("set_moderation", preset="relaxed"))["rules"] == RELAXED


@pytest.mark.gen_test
async def test_two_changes_at_once_are_both_there(house: House) -> None:
    async with house.room.enter("Otto", moderator=True) as otto:
        kinds = ["links", "shouting", "newcomers", "repeats", "flooding"]
        askers = [house.olga, otto]
        numbers = [
            (askers[at % 2], await askers[at % 2].send("set_moderation", {"rules": {kind: {"action": "hold"}}}))
            for at, kind in enumerate(kinds)
        ]
        for asker, number in numbers:
            assert (await asker.answer(number)).event == "moderation"
        assert (await house.press("get_moderation"))["rules"] == dict.fromkeys(kinds, "hold")


@pytest.mark.parametrize(
    ("rule", "name", "entries"),
    [("words", "words", ["weasel", "badger", "stoat"]), ("links", "allowed", ["a.example", "b.example", "c.example"])],
)
@pytest.mark.gen_test
async def test_entries_that_two_add_at_once_are_both_there(
    house: House, rule: str, name: str, entries: list[str]
) -> None:
    first, second, third = entries

    async def known() -> list[str]:
        settings: dict[str, Any] = (await house.press("get_moderation"))["settings"][rule]
        assert settings.keys() == {"action", name}
        return list(settings[name])

    async with house.room.enter("Otto", moderator=True) as otto:
        numbers = [await olga_or_otto.send("set_moderation", {"rules": {rule: {"add": [entry]}}})
                   for olga_or_otto, entry in ((house.olga, first), (otto, second))]  # fmt: skip
        assert (await house.olga.answer(numbers[0])).event == (await otto.answer(numbers[1])).event == "moderation"
    assert sorted(await known()) == sorted([first, second])
    await house.press("set_moderation", rules={rule: {"add": [first, third], "remove": [second, "nothing"]}})
    assert await known() == [first, third]
    await house.press("set_moderation", preset="strict")
    assert await known() == [first, third]
    await house.press("set_moderation", rules={rule: {name: [second]}})
    assert await known() == [second]


@pytest.mark.gen_test
async def test_no_list_grows_beyond_its_most(house: House) -> None:
    await house.press("set_moderation", rules={"words": {"words": [f"word{number}" for number in range(200)]}})
    answer = await house.olga.ask("set_moderation", {"rules": {"words": {"add": ["weasel"]}}})
    assert answer.data["code"] == "validation_failed"
    assert answer.data["errors"] == {"rules": {"words": {"add": ["At most 200."]}}}
    await house.press("set_moderation", rules={"words": {"add": ["weasel"], "remove": ["word0"]}})
    assert len((await house.press("get_moderation"))["settings"]["words"]["words"]) == 200


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"preset": "wild"},
        {"preset": None},
        {"slowModeSeconds": -1},
        {"slowModeSeconds": 3_601},
        {"rules": {"colour": {}}},
        {"rules": {"links": {"action": "shrug"}}},
        {"rules": {"links": {"allowed": ["https://example.com"]}}},
        {"rules": {"links": {"allowed": ["example.com"] * 51}}},
        {"rules": {"words": {"words": ["x"] * 201}}},
        {"rules": {"words": {"words": ["x" * 65]}}},
        {"rules": {"words": {"words": ["..."]}}},
        {"rules": {"words": {"add": ["..."]}}},
        {"rules": {"links": {"add": ["https://example.com"]}}},
        {"rules": {"shouting": {"add": ["x"]}}},
        {"rules": {"words": {"words": ["a*"]}}},
        *({"rules": {"words": {"words": [word]}}} for word in ("a$$", "$ex", "c++", "@$", "f|ck")),
        {"rules": {"words": {"words": ["a*bcd"]}}},
        {"rules": {"repeats": {"times": 0}}},
        {"rules": {"repeats": {"times": "1"}}},
        {"rules": {"flooding": {"perMinute": 61}}},
        {"rules": {"newcomers": {"lists": 1}}},
        {"rules": []},
    ],
)
@pytest.mark.gen_test
async def test_what_cannot_be_set(house: House, data: dict[str, Any]) -> None:
    before = await house.press("get_moderation")
    assert (await house.olga.ask("set_moderation", data)).data["code"] == "validation_failed"
    reply = await request(house.server, "PATCH", f"/api/rooms/{house.room.id}/moderation", data, token=house.olga.token)
    assert (reply.status, reply.body["code"]) == (422, "validation_failed")
    assert await house.press("get_moderation") == before


@pytest.mark.gen_test
async def test_only_moderators(house: House) -> None:
    path = f"/api/rooms/{house.room.id}"
    requests = [
        ("GET", "/moderation", None),
        ("PATCH", "/moderation", {"preset": "strict"}),
        ("POST", "/panic", {}),
        ("POST", "/calm", {}),
        ("GET", "/held-messages", None),
        ("POST", "/held-messages/x/release", {}),
        ("DELETE", "/held-messages/x", None),
    ]
    async with house.enter("Mallory") as mallory:
        for event in ("get_moderation", "set_moderation", "panic", "calm", "get_held_messages", "release_message",
                      "drop_message"):  # fmt: skip
            assert (await mallory.ask(event, {"preset": "strict"})).data["code"] == "not_moderator"
        for method, end, body in requests:
            reply = await request(house.server, method, path + end, body, token=mallory.token)
            assert (reply.status, reply.body["code"]) == (403, "not_moderator"), end
    other = await open_room(house.server, "Another")
    reply = await request(house.server, "POST", f"/api/rooms/{other.id}/panic", {}, token=house.olga.token)
    assert reply.status == 403


@pytest.mark.gen_test
async def test_rest(house: House) -> None:
    path, token = f"/api/rooms/{house.room.id}", house.olga.token
    changed = await request(house.server, "PATCH", f"{path}/moderation", {"preset": "careful"}, token=token)
    assert (changed.status, changed.body["preset"]) == (200, "careful")
    shown = await request(house.server, "GET", f"{path}/moderation", token=token)
    assert shown.body == changed.body
    assert (await request(house.server, "POST", f"{path}/panic", {}, token=token)).body["panic"] is True
    async with house.enter("Alice") as alice:
        ids = [(await alice.say(f"message {number}")).data["messageId"] for number in range(3)]
        held = await request(house.server, "GET", f"{path}/held-messages", token=token)
        assert [one["message"]["id"] for one in held.body["messages"]] == ids
        released = await request(house.server, "POST", f"{path}/held-messages/{ids[0]}/release", {}, token=token)
        assert released.body == {"messageId": ids[0]}
        dropped = await request(house.server, "DELETE", f"{path}/held-messages/{ids[1]}", token=token)
        assert dropped.body["messageId"] == ids[1]
        calm = await request(house.server, "POST", f"{path}/calm", {"held": "release"}, token=token)
        assert calm.body == {"held": 3, "dropped": 1, "released": 2}
        assert texts(await heard_by(alice)) == ["message 0", "message 2"]


@pytest.mark.gen_test
async def test_a_room_may_be_made_with_a_preset(moderated: Moderated) -> None:
    async with moderated(preset="careful") as server:
        for settings, preset in (
            ({"moderation": {"preset": "strict"}}, "strict"),
            ({"moderation": {"preset": "wild"}}, "careful"),
            ({"moderation": {"preset": ["strict"]}}, "careful"),
            ({"moderation": 5}, "careful"),
            ({}, "careful"),
        ):
            room = await open_room(server, settings=settings)
            async with room.enter("Alice") as alice:
                assert (await alice.hear("moderation")).data["preset"] == preset
                refused = (await alice.say(LINK)).event == "error"
                assert refused is (preset == "strict")


@pytest.mark.gen_test
async def test_words_of_the_whole_server(moderated: Moderated) -> None:
    async with moderated(words=["frobnicate"]) as server, (await open_room(server)).enter("Alice") as alice:
        assert (await alice.say("Do not frobn1cate")).data["message"] == REASONS["words"]
        assert "words" in (await alice.hear("moderation")).data["rules"]


@pytest.mark.parametrize(
    "options", [{"preset": "wild"}, {"words": ["..."]}, {"newcomer_seconds": -1}, {"panic_slow_mode_seconds": "10"}]
)
@pytest.mark.gen_test
async def test_settings_that_cannot_be(moderated: Moderated, options: dict[str, Any]) -> None:
    with pytest.raises(StartError, match=rf"plugins\.moderation\.{next(iter(options))}"):
        async with moderated(**options):
            pass


@pytest.mark.gen_test
async def test_who_comes_back_knows_what_holds(house: House) -> None:
    """The event is replayed, and the state is told at each identify; also after a restart of the server."""
    async with house.enter("Alice") as alice:
        identified = next(heard.data for heard in alice.welcome if heard.event == "identified")
        position = {"since": identified["seq"], "epoch": identified["epoch"]}
        await house.press("set_moderation", preset="strict")
        again = await house.room.identify("Alice", alice.session_id, alice.token, **position)
        replayed = next(heard.data for heard in again.welcome if heard.event == "replay")
        assert "moderation_changed" in [event["event"] for event in replayed["events"]]
        assert (await again.hear("moderation")).data["preset"] == "strict"
        await again.close()


@pytest.mark.gen_test
async def test_a_change_on_another_node_holds_within_a_second(tmp_path: Path, clock: SettableClock) -> None:
    """The other node is a hand in the database here."""
    settings = settings_in(tmp_path, plugins={"enabled": ("moderation",)})
    async with running_server(settings, clock) as server:
        room = await open_room(server)
        async with room.enter("Alice") as alice:
            assert (await alice.say("before")).event == "message_ack"
            values = f"""'{room.id}', 'relaxed', '{{"links": {{"action": "refuse"}}}}', 0, 0, 0"""
            columns = "room_id, preset, rules, refused, dropped, released"
            run_sql(tmp_path, f"INSERT INTO moderation_rooms ({columns}) VALUES ({values})")
            assert (await alice.say(f"still at hand: {LINK}")).event == "message_ack"
            clock.advance(1)
            assert (await alice.say(f"a second later: {LINK}")).event == "error"


@pytest.mark.gen_test
async def test_one_query_reads_the_rules_of_all_who_wait(house: House) -> None:
    """Many rooms at once in which somebody speaks, again and again a second later."""
    rooms = [await open_room(house.server, f"Room {number}") for number in range(20)]
    people = [await room.join("Alice") for room in rooms]
    sockets = [
        await room.identify("Alice", reply.body["sessionId"], reply.body["sessionToken"])
        for room, reply in zip(rooms, people, strict=True)
    ]
    for second in range(3):
        answers = await asyncio.gather(*(person.say(f"Second {second}") for person in sockets))
        assert {answer.event for answer in answers} == {"message_ack"}
        house.clock.advance(1)
    for person in sockets:
        await person.close()


def test_presets_grow_stricter() -> None:
    """What a preset does not allow, a stricter one does not allow either."""
    order = ("allow", "hold", "refuse")
    relaxed, careful, strict = (PRESETS[name].rules for name in ("relaxed", "careful", "strict"))
    for mild, hard in ((relaxed, careful), (careful, strict)):
        for one, other in zip(mild.settings().values(), hard.settings().values(), strict=True):
            assert order.index(one["action"]) <= order.index(other["action"])
        assert mild.flooding.per_minute >= hard.flooding.per_minute
        assert mild.repeats.times >= hard.repeats.times
