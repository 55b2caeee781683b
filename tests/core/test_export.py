"""A moderator takes the transcript home; nobody else does."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from tornado.httpclient import AsyncHTTPClient, HTTPResponse

from anonchat.app import Server
from anonchat.errors import ChatError
from anonchat.http import export
from anonchat.models import Receipt
from anonchat.people.seats import Applicant
from anonchat.rooms.rooms import CreatedRoom, NewRoom
from anonchat.testing import running_server, settings_in


async def ask(server: Server, room: CreatedRoom, role: str) -> HTTPResponse:
    """Join as that, write one message, and ask for the export."""
    invite = room.moderator_token if role == "moderator" else room.invite_token
    session, token = await server.seats.join(room.room, Applicant(f"Person {role[:2]}", role, "network"), invite)  # type: ignore[arg-type]
    stored: asyncio.Future[Receipt | ChatError] = asyncio.get_running_loop().create_future()
    await server.intake.send(
        session, {"text": f"by {role}", "client_msg_id": "1", "reply_to_id": None}, stored.set_result
    )
    assert isinstance(await stored, Receipt)
    headers = {"Authorization": f"Bearer {token}"}
    url = f"{server.url}/api/rooms/{room.room.id}/export"
    return await AsyncHTTPClient().fetch(url, headers=headers, raise_error=False)


@pytest.mark.gen_test
async def test_moderators_get_the_transcript(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running_server(settings_in(tmp_path)) as server:
        room = await server.rooms.create(NewRoom("Room"))
        refused = await ask(server, room, "participant")
        assert (refused.code, json.loads(refused.body)["code"]) == (403, "not_moderator")
        answer = await ask(server, room, "moderator")
        told = json.loads(answer.body)
        assert [message["content"]["text"] for message in told["messages"]] == ["by participant", "by moderator"]
        assert (told["complete"], told["plugins"], told["room"]["title"]) == (True, {}, "Room")


@pytest.mark.gen_test
async def test_a_large_room_says_that_there_is_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "MESSAGES", 1)
    async with running_server(settings_in(tmp_path)) as server:
        room = await server.rooms.create(NewRoom("Room"))
        await ask(server, room, "participant")
        told = json.loads((await ask(server, room, "moderator")).body)
        assert [message["content"]["text"] for message in told["messages"]] == ["by moderator"]
        assert told["complete"] is False
