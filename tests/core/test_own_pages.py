"""What the server's own pages say: how long rooms live, as it was asked for, and who runs the server."""

from __future__ import annotations

from pathlib import Path

import pytest

from anonchat.testing import running_server, settings_in
from anonchat.testing.people import open_room, request


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"ephemeral": False}, "chatDurationSeconds"),
        ({"ephemeral": False, "chatDurationSeconds": 60, "retentionSeconds": 60}, "retentionSeconds"),
    ],
)
@pytest.mark.gen_test
async def test_how_long_a_room_lives_is_never_other_than_asked(
    tmp_path: Path, body: dict[str, object], field: str
) -> None:
    """A room without an end where the operator wants none, and a retention that would be left out."""
    settings = settings_in(tmp_path, rooms={"endless": False})
    async with running_server(settings) as server:
        reply = await request(server, "POST", "/api/rooms", {"title": "Lunch", **body})
        assert (reply.status, list(reply.body["errors"])) == (422, [field])
        kept = await open_room(server, ephemeral=False, chatDurationSeconds=60)
        assert "Every room ends." in (await request(server, "GET", "/privacy")).body.decode()
        assert "Messages are kept until the room ends." in (await request(server, "GET", f"/r/{kept.id}")).body.decode()


@pytest.mark.gen_test
async def test_a_room_may_have_no_end_and_its_page_says_so(tmp_path: Path) -> None:
    async with running_server(settings_in(tmp_path)) as server:
        kept = await open_room(server, ephemeral=False)
        assert "This room has no fixed end." in (await request(server, "GET", f"/r/{kept.id}")).body.decode()
        assert "may have no end" in (await request(server, "GET", "/privacy")).body.decode()


@pytest.mark.gen_test
async def test_who_runs_the_server_stands_first_on_its_page(tmp_path: Path) -> None:
    async with running_server(settings_in(tmp_path, server={"port": 0, "contact": "Ada <ada@example.org>"})) as server:
        page = (await request(server, "GET", "/privacy")).body.decode()
    assert "<ul><li>This server is run by Ada &lt;ada@example.org&gt;.</li>" in page


@pytest.mark.gen_test
async def test_moderators_say_anew_what_the_room_is_about(tmp_path: Path) -> None:
    async with running_server(settings_in(tmp_path)) as server:
        room = await open_room(server, "Lunch", description="At noon")
        path = f"/api/rooms/{room.id}"
        async with room.enter("Mona", moderator=True) as mona, room.enter("Bob") as bob:
            changed = await request(server, "PATCH", path, {"title": "Dinner"}, token=mona.token)
            assert (changed.body["title"], changed.body["description"]) == ("Dinner", "At noon")
            assert (await bob.hear("room_updated")).data == {"room": {"title": "Dinner"}}
            same = await request(server, "PATCH", path, {"title": "Dinner", "description": ""}, token=mona.token)
            assert same.body["description"] == ""
            assert (await bob.hear("room_updated")).data == {"room": {"description": ""}}
            for body, field in (
                ({"title": " "}, "title"),
                ({"description": "x" * 1_001}, "description"),
                ({"seq": 1}, "seq"),
            ):
                refused = await request(server, "PATCH", path, body, token=mona.token)
                assert (refused.status, list(refused.body["errors"])) == (422, [field])
            await request(server, "PATCH", path, {"title": "Dinner"}, token=mona.token)
            await mona.say("Now.")
            assert (await bob.read()).event == "message", "what is as it was is told to nobody"  # type: ignore[union-attr]
