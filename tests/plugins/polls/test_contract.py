"""What the plugin really sends, held against the documents that the server publishes."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pytest

from anonchat.testing.clients import Rest, Socket, connected
from anonchat.testing.contract import Contract

if TYPE_CHECKING:
    from tests.plugins.polls.conftest import Booth

SENT = "poll_created vote_recorded vote_pending vote_removed poll_update poll_closed poll_results open_polls"


@pytest.mark.parametrize("secrecy", ["open", "hidden", "secret"])
@pytest.mark.gen_test
async def test_events_and_routes_are_as_documented(booth: Booth, secrecy: str) -> None:
    contract = await asyncio.to_thread(Contract.of, f"http://127.0.0.1:{booth.server.port}")
    rest = Rest(booth.server.port, contract)
    body: Mapping[str, Any] = {"username": "Olga", "moderatorToken": booth.room.moderator_token}
    token = (await rest.acall("POST", f"/api/rooms/{booth.room.id}/join", body)).body["sessionToken"]
    async with connected(booth.server.port, contract=contract) as socket:
        await socket.ask("identify", {"token": token})
        poll_id = await walk(booth, socket, secrecy)
        async with connected(booth.server.port, contract=contract) as other:
            await other.ask("identify", {"token": token})
            await other.until("open_polls")
        await socket.ask("close_poll", {"pollId": poll_id})
        while "poll_closed" not in contract.seen:
            await socket.read()
    path = f"/api/rooms/{booth.room.id}/polls"
    assert (await rest.acall("GET", path, token=token)).status == 200
    for kind in ("json", "csv"):
        assert (await rest.acall("GET", f"{path}/{poll_id}/export?format={kind}", token=token)).status == 200
    expected = set(SENT.split()) - (
        {"vote_recorded", "vote_removed", "poll_update"} if secrecy == "secret" else {"vote_pending"}
    )
    assert expected <= contract.seen


async def walk(booth: Booth, socket: Socket, secrecy: str) -> str:
    """Make a poll, vote in it and, where it can be, change one's mind."""
    asked = booth.asked(secrecy=secrecy, allowMultipleAnswers=True)
    poll_id: str = (await socket.ask("create_poll", asked))["data"]["pollId"]
    await socket.ask("vote", {"pollId": poll_id, "optionIds": ["1", "2"]})
    await socket.ask("unvote", {"pollId": poll_id, "optionId": "1"})
    if secrecy != "secret":
        booth.clock.advance(1)
        await socket.until("poll_update")
    await socket.ask("get_poll_results", {"pollId": poll_id})
    return poll_id
