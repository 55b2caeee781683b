"""Routes about the server itself: health, metrics, privacy."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tornado.httpclient import AsyncHTTPClient, HTTPResponse

import anonchat.http.server
from anonchat.app import Server
from anonchat.http.server import _outcome
from anonchat.store.tables import sessions
from anonchat.testing import running_server, settings_in

TOKEN = "the-token-of-the-operator"


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    """A server with an operator and a port for metrics."""
    settings = settings_in(tmp_path, server={"port": 0, "operator_token": TOKEN, "metrics_port": 0})
    async with running_server(settings) as running:
        yield running


async def _get(url: str, **headers: str) -> HTTPResponse:
    return await AsyncHTTPClient().fetch(url, headers=headers, raise_error=False)


@pytest.mark.gen_test
async def test_health(server: Server) -> None:
    answer = await _get(f"{server.url}/health")
    assert (answer.code, json.loads(answer.body)) == (200, {"status": "ok"})


@pytest.mark.gen_test
async def test_ready_tells_each_dependency(server: Server) -> None:
    answer = await _get(f"{server.url}/health/ready")
    state = json.loads(answer.body)
    assert (answer.code, state["status"], state["dependencies"]["database"]) == (200, "ok", "ok")
    assert set(state["dependencies"].values()) == {"ok"}
    assert "unknownProxy" not in state


@pytest.mark.gen_test
async def test_ready_says_what_is_missing(server: Server) -> None:
    await server.database.close()
    answer = await _get(f"{server.url}/health/ready")
    state = json.loads(answer.body)
    assert (answer.code, state["status"]) == (503, "degraded")
    assert state["dependencies"]["database"] == "storage_unavailable"


@pytest.mark.gen_test
async def test_a_dependency_that_never_answers_has_a_code(monkeypatch: pytest.MonkeyPatch) -> None:
    async def never() -> None:
        await asyncio.Event().wait()

    async def answer_at_once() -> None: ...

    monkeypatch.setattr(anonchat.http.server, "CHECK_SECONDS", 0.05)
    assert [await _outcome(check) for check in (never, answer_at_once)] == ["storage_unavailable", "ok"]


@pytest.mark.gen_test
async def test_ready_tells_of_an_unknown_proxy(server: Server) -> None:
    await _get(f"{server.url}/health", **{"X-Forwarded-For": "203.0.113.9"})
    assert json.loads((await _get(f"{server.url}/health/ready")).body)["unknownProxy"] is True


@pytest.mark.gen_test
async def test_metrics_are_for_the_operator(server: Server) -> None:
    unknown = await _get(f"{server.url}/metrics")
    assert (unknown.code, unknown.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert (await _get(f"{server.url}/metrics", Authorization="Bearer not-that-token")).code == 403
    answer = await _get(f"{server.url}/metrics", Authorization=f"Bearer {TOKEN}")
    assert answer.code == 200
    assert b"anonchat_connections 0.0" in answer.body


@pytest.mark.gen_test
async def test_metrics_have_a_loopback_port_that_serves_nothing_else(server: Server) -> None:
    url = f"http://127.0.0.1:{server.metrics_port}"
    answer = await _get(f"{url}/metrics")
    assert (answer.code, b"anonchat_connections 0.0" in answer.body) == (200, True)
    for path in ("/", "/health", "/api/rooms", "/ws"):
        assert (await _get(f"{url}{path}")).code == 404
    assert (await _get(f"{url}/metrics", Host="rebound.example.org")).code == 421


@pytest.mark.gen_test
async def test_who_watches_over_it_is_not_limited_and_who_guesses_tokens_is(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, server={"operator_token": TOKEN}, limits={"requests_per_network": "2/hour"})
    async with running_server(settings) as server:

        async def codes(path: str, **headers: str) -> list[int]:
            return [(await _get(f"{server.url}{path}", **headers)).code for _ in range(3)]

        for path in ("/health", "/health/ready", "/metrics"):
            assert await codes(path, Authorization=f"Bearer {TOKEN}") == [200, 200, 200], path
        assert await codes("/metrics", Authorization="Bearer guessed") == [403, 403, 429]
        assert await codes("/health") == [200, 200, 200]
        assert await codes("/api/rooms") == [429, 429, 429]


@pytest.mark.gen_test
async def test_metrics_tell_what_is_missing_and_what_the_process_uses(server: Server) -> None:
    """Readiness alone would not tell of what lies between nodes: it stays 200."""
    await server.database.close()
    told = (await _get(f"http://127.0.0.1:{server.metrics_port}/metrics")).body
    assert b'anonchat_dependency_up{name="database"} 0.0' in told
    assert b"process_open_fds " in told


@pytest.mark.gen_test
async def test_privacy_follows_the_configuration(tmp_path: Path) -> None:
    settings = settings_in(
        tmp_path,
        rooms={"purge_grace_seconds": 7_200, "default_retention_seconds": 3_600},
        retention={"interval_seconds": 120},
    )
    async with running_server(settings) as server:
        answer = await _get(f"{server.url}/privacy")
    page = answer.body.decode()
    assert answer.headers["Content-Type"].startswith("text/html")
    assert "after 2 hours" in page
    assert "1 hour" in page
    assert "by the next run of retention, as a rule within 2 minutes" in page
    assert "Backups" in page


@pytest.mark.gen_test
async def test_privacy_tells_of_hashes_and_of_what_is_switched_off(tmp_path: Path) -> None:
    """What a session and a plugin that is off leave in the database is told, not only what is not there."""
    async with running_server(settings_in(tmp_path)) as server:
        page = (await _get(f"{server.url}/privacy")).body.decode()
    assert {"device_hash", "fingerprint_hash"} < set(sessions.c.keys())
    assert "hashes of the device and the browser" in page
    assert "before they were switched off" in page
