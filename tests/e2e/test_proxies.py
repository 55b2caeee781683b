"""The samples in deploy/ with the real proxies: WebSockets pass, and addresses that a client makes up are not believed.

nginx and Caddy are programs of the system, which no Python package brings: a test whose proxy is not installed is skipped,
and says so.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from websockets.asyncio.client import connect

from anonchat.testing.clients import Rest, Socket
from anonchat.testing.processes import ServerProcess, environment

from .proxies import HOST, Command, caddy, is_installed, nginx, proxied

REQUESTS = 5  # that a network may make


def claiming(port: int, count: int) -> list[int]:
    """The answers to requests that each claim to come from another address."""
    asked = (
        Rest(port).call("GET", "/api/rooms", headers={"Host": HOST, "X-Forwarded-For": f"203.0.{number}.1"})
        for number in range(count)
    )
    return [reply.status for reply in asked]


@pytest.mark.sqlite
@pytest.mark.parametrize("command", [nginx, caddy])
@pytest.mark.gen_test(timeout=60)
async def test_people_meet_through_it_and_addresses_cannot_be_made_up(command: Command, tmp_path: Path) -> None:
    if not is_installed(command):
        pytest.skip(f"{command.__name__} is not installed: apt install {command.__name__}")
    server = {"allowed_hosts": [HOST], "trusted_proxies": ["127.0.0.1"]}
    limits = {"requests_per_network": f"{REQUESTS}/hour"}
    variables = environment(server=server, limits=limits)
    with ServerProcess(tmp_path, variables) as node, proxied(command, tmp_path, [node.port]) as port:
        made = Rest(port).call("POST", "/api/rooms", {"title": "Lunch"}, headers={"Host": HOST})
        assert made.status == 201, made.body
        path, body = f"/api/rooms/{made.body['roomId']}/join", {"inviteToken": made.body["inviteToken"]}
        joined = Rest(port).call("POST", path, body | {"username": "Alice"}, headers={"Host": HOST})
        uri = f"ws://{HOST}:{port}/ws"
        async with connect(uri, host="127.0.0.1", port=port, compression=None, proxy=None) as raw:
            alice = Socket(raw)
            await alice.send("identify", {"token": joined.body["sessionToken"]})
            await alice.until("history_chunk")
            sent = {"text": "Hello", "clientMsgId": "1"}
            assert (await alice.ask("send_message", sent))["event"] == "message_ack"
        assert 429 in claiming(port, REQUESTS), "all of them come from one network"
        assert 429 not in claiming(node.port, 3 * REQUESTS), "the control: from a proxy itself they are believed"
