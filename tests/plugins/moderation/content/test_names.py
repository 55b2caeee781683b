"""Names are held against the words and links of the room."""

from __future__ import annotations

import pytest

from anonchat_moderation.content.names import REFUSALS
from anonchat_moderation.content.rules.links import Links
from anonchat_moderation.content.rules.words import Words

from .conftest import House

WORDS = {"action": "refuse", "words": ["weasel"]}


@pytest.mark.gen_test
async def test_what_may_not_be_written_is_no_name(house: House) -> None:
    await house.rules(words=WORDS, links={"action": "hold", "allowed": ["example.org"]})
    for name, rule in (("The w.e.a.s.e.l", Words), ("W3asel", Words), ("example.com", Links)):
        refused = await house.room.join(name)
        assert (refused.status, refused.body["code"], refused.body["detail"]) == (
            422,
            "username_invalid",
            REFUSALS[rule],
        )
    for name in ("Alice", "Weaseling", "example.org"):
        assert (await house.room.join(name)).status == 201
    assert (await house.room.join("Weasel", moderator=True)).status == 201


@pytest.mark.gen_test
async def test_a_room_without_such_rules_takes_any_name(house: House) -> None:
    await house.rules()
    for name in ("Weasel", "example.com"):
        assert (await house.room.join(name)).status == 201


@pytest.mark.gen_test
async def test_in_a_panic_no_name_is_a_link(house: House) -> None:
    await house.rules()
    await house.press("panic")
    assert (await house.room.join("example.com")).body["code"] == "username_invalid"
    await house.press("calm")
    assert (await house.room.join("example.com")).status == 201
