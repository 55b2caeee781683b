"""Two nodes behind the proxies of deploy/, with TLS: one dies, one is told to go, and people come back through the proxy."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from anonchat.testing.postgres import PostgresServer
from anonchat.testing.redis import RedisServer

from ..e2e.proxies import AUTHORITIES, HOST, Command, caddy, is_installed, nginx, proxied
from .cluster import cluster, crowd
from .ledgers import broken, of

SESSIONS = {"lease_seconds": 60, "grace_seconds": 20}


@pytest.mark.parametrize("command", [nginx, caddy])
@pytest.mark.gen_test
async def test_nothing_is_lost_behind_a_proxy(
    command: Command, own_redis: RedisServer, own_postgres: PostgresServer, folder: Path
) -> None:
    if not is_installed(command):
        pytest.skip(f"{command.__name__} is not installed: apt install {command.__name__}")
    server = {"allowed_hosts": [HOST], "trusted_proxies": ["127.0.0.1"]}
    async with cluster(2, own_postgres, own_redis, folder, server=server, sessions=SESSIONS) as found:
        first, second = (node.process for node in found.nodes)
        authority = str(folder / AUTHORITIES[command.__name__])
        with proxied(command, folder, [first.port, second.port], tls=True) as port:
            async with crowd(found, 4, proxy=port, host=HOST, authority=authority) as people:
                assert await people.can("progress")
                first.kill()
                assert await people.can("progress"), "one node was killed"
                await found.nodes[0].start()
                assert await found.missing(30) == []
                assert await asyncio.to_thread(second.stop) == 0
                assert await people.can("progress"), "the other was told to go"
                assert await people.can("finish")
                entries = people.entries()
        stored = found.stored()
    assert broken(entries, stored, most_seconds=10) == []
    assert [entry for entry in of(entries, "presence") if entry["event"] == "leave"] == []
    assert [*of(entries, "cut")], "the control: somebody was on the node that died"
