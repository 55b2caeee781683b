# ruff: noqa: RUF001 - characters that look like others are what these tests are about
"""Nobody comes in under a name that readers could take for that of somebody present, nor hides anything in what is shown."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from anonchat.app import Server
from anonchat.testing import running_server, settings_in
from anonchat.testing.people import open_room, request

# Forty ways to be taken for the moderator "Alice Miller", by what they do.
SPOOFS = {
    "case": ("alice miller", "ALICE MILLER", "aLICE mILLER"),
    "space": ("AliceMiller", "Alice  Miller", "Alice\u00a0Miller", "Alice\u3000Miller", " Alice Miller "),
    "punctuation": (
        "Alice.Miller",
        "Alice-Miller",
        "Alice_Miller",
        "*Alice Miller*",
        "Alice Miller.",
        "~Alice Miller~",
    ),
    "digits": ("A1ice Miller", "Alice Mi11er", "AIice MiIIer", "A|ice Miller", "Alice MiIler"),
    "Cyrillic": ("Аlice Miller", "Alicе Miller", "Alіce Miller", "Alice Мiller"),
    "Greek": ("Αlice Miller", "Alιce Miller", "Alice Μiller"),
    "styles": ("Ａｌｉｃｅ Miller", "𝐀𝐥𝐢𝐜𝐞 𝐌𝐢𝐥𝐥𝐞𝐫", "𝓐𝓵𝓲𝓬𝓮 Miller", "Ⓐⓛⓘⓒⓔ Miller", "ᴀʟɪᴄᴇ ᴍɪʟʟᴇʀ"),
    "marks": ("Álice Miller", "Alice Mílleŕ", "Ali\u0323ce Miller", "Ałice Miller"),
    "hidden": ("Al\u200bice Miller", "\u202eAlice Miller", "Alice\ufeff Miller", "Al\u00adice Miller"),
    "claims": ("Alice Miller ✓", "★ Alice Miller", "Alice Miller (moderator)"),
}
OTHERS = (
    "Alina Miller",
    "Alice Müllner",
    "Alfred Hiller",
    "Bob Miller",
    "Алиса Миллер",
    "Alice Miller 2",
    "Elias Miller",
)


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    async with running_server(settings_in(tmp_path)) as running:
        yield running


@pytest.mark.gen_test
async def test_no_spoof_of_a_moderator_gets_in(server: Server) -> None:
    spoofs = [(way, name) for way, names in SPOOFS.items() for name in names]
    assert len(spoofs) >= 40
    room = await open_room(server)
    async with room.enter("Alice Miller", moderator=True):
        for way, name in spoofs:
            reply = await room.join(name)
            assert reply.body["code"] in ("username_taken", "username_invalid"), (way, name)
        for name in OTHERS:  # the control
            assert (await room.join(name)).status == 201, name


@pytest.mark.gen_test
async def test_what_rooms_and_people_are_called_turns_and_hides_nothing(server: Server) -> None:
    """Marks of direction, controls and separators are out of titles and descriptions, and refused in names and avatars."""
    hidden = ("\u202e", "\u2066", "\u200f", "\u061c", "\x1b", "\u2028", "\x85")
    for sign in hidden:
        room = await open_room(server, f"Lunch{sign}room", description=f"At{sign}noon")
        shown = (await request(server, "GET", f"/api/rooms/{room.id}")).body
        assert (shown["title"], sign in shown["description"]) == ("Lunch room", False)
        assert (await room.join(f"An{sign}n")).status == 422, repr(sign)
        assert (await room.join("Ann", avatar=f"a{sign}b")).status == 422, repr(sign)
        assert (await room.join("Ann", avatar="fox")).status == 201  # the control
