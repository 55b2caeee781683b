"""``anonchat serve`` as a process: its address, its refusals, its goodbye."""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from anonchat.server.serving import MOST_FILES
from anonchat.testing.processes import ServerProcess

SERVE = (sys.executable, "-P", "-m", "anonchat", "serve")
UNLIMITED = {"ANONCHAT_LIMITS__MESSAGES_PER_SESSION": "off", "ANONCHAT_LIMITS__EVENTS_PER_SESSION": "off"}
SENDS = 300


def _refused(folder: Path, *options: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*SERVE, *options], cwd=folder, env={**os.environ, **variables}, capture_output=True, text=True, timeout=120
    )


def _post(url: str, body: dict[str, Any]) -> dict[str, Any]:
    with urllib.request.urlopen(urllib.request.Request(url, json.dumps(body).encode()), timeout=60) as answer:
        found: dict[str, Any] = json.load(answer)
    return found


def _join(server: ServerProcess, link: str, name: str) -> str:
    room, _, token = link.rpartition("/")[2].partition("#")
    joined = _post(f"{server.url}/api/rooms/{room}/join", {"inviteToken": token, "username": name})
    return str(joined["sessionToken"])


@contextmanager
def _identified(server: ServerProcess, token: str) -> Iterator[ClientConnection]:
    with connect(f"ws://127.0.0.1:{server.port}/ws", compression=None) as client:
        client.send(json.dumps({"event": "identify", "data": {"token": token}}))
        while json.loads(client.recv(10))["event"] != "history_chunk":
            pass
        yield client


def _ended(server: ServerProcess) -> int:
    """Wait until the process has ended by itself; its exit code. `stop` would send a signal of its own."""
    os.waitid(os.P_PID, server.pid, os.WEXITED | os.WNOWAIT)
    return server.stop()


def _rest(client: ClientConnection) -> tuple[list[dict[str, Any]], int | None]:
    """Every event up to the end of the connection, and its close code."""
    events = []
    try:
        while True:
            events.append(json.loads(client.recv(10)))
    except ConnectionClosed as error:
        return events, error.rcvd.code if error.rcvd else None


def test_every_problem_of_the_configuration_is_named(tmp_path: Path) -> None:
    (tmp_path / "anonchat.toml").write_text('[server]\nport = "x"\n[limits]\ntext_lenght = 1\n')
    done = _refused(tmp_path)
    assert done.returncode == 2
    assert "server.port" in done.stderr
    assert "text_length" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_taken_port_is_told_in_a_sentence(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = _refused(tmp_path, "--port", str(taken.getsockname()[1]))
    assert done.returncode == 2
    assert done.stderr.startswith("anonchat: Cannot listen on 127.0.0.1:")
    assert "Traceback" not in done.stderr


def test_a_taken_port_for_metrics_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = _refused(tmp_path, "--port", "0", ANONCHAT_SERVER__METRICS_PORT=str(taken.getsockname()[1]))
    assert done.returncode == 2
    assert "[server] metrics_port chooses another" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "anonchat.db").exists()


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_start_that_came_too_early_may_be_repeated(tmp_path: Path, workers: str) -> None:
    """Whoever starts it tells by the exit code whether that makes sense."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    redis = dict.fromkeys(("ANONCHAT_STORAGE__BUS", "ANONCHAT_STORAGE__EPHEMERAL"), "redis://127.0.0.1/0")
    url = f"postgresql://somebody@127.0.0.1:{port}/nothing"
    done = _refused(tmp_path, "--port", "0", "--workers", workers, ANONCHAT_STORAGE__DATABASE=url, **redis)
    assert (done.returncode, "cannot be reached" in done.stderr) == (75, True)


@pytest.mark.parametrize("url", ["sqlite:///missing/chat.db", "mysql://here/there"])
def test_a_database_that_cannot_be_opened_is_told_in_a_sentence(tmp_path: Path, url: str) -> None:
    done = _refused(tmp_path, "--port", "0", ANONCHAT_STORAGE__DATABASE=url)
    assert done.returncode == 2
    assert done.stderr.startswith("anonchat: ")
    assert "Traceback" not in done.stderr


@pytest.mark.sqlite
def test_the_database_is_private(tmp_path: Path) -> None:
    with ServerProcess(tmp_path):
        assert {path.stat().st_mode & 0o777 for path in tmp_path.glob("anonchat.db*")} == {0o600}


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells how large the table is")
def test_the_table_of_open_files_never_has_to_grow(tmp_path: Path) -> None:
    with ServerProcess(tmp_path) as server:
        size = re.search(r"FDSize:\s*(\d+)", Path(f"/proc/{server.pid}/status").read_text())
        assert size is not None
        assert int(size[1]) >= min(resource.getrlimit(resource.RLIMIT_NOFILE)[1], MOST_FILES)


def test_sigterm_says_goodbye_and_loses_nothing(tmp_path: Path) -> None:
    command = (*SERVE, "--room")
    with ServerProcess(tmp_path, UNLIMITED, command) as server:
        room = _post(f"{server.url}/api/rooms", {"title": "Lunch"})
        token = _join(server, room["joinUrl"], "Alice")
        with _identified(server, token) as client:
            for number in range(SENDS):
                frame = {"event": "send_message", "data": {"text": f"Number {number}", "clientMsgId": str(number)}}
                client.send(json.dumps(frame))
            while json.loads(client.recv(10))["event"] != "message_ack":
                pass
            told = time.monotonic()
            os.kill(server.pid, signal.SIGTERM)
            events, code = _rest(client)
        assert code == 1001
        (goodbye,) = [event["data"] for event in events if event["event"] == "going_away"]
        assert 1_000 <= goodbye["reconnectAfterMs"] <= 5_000
        acked = {event["data"]["serverMessageId"] for event in events if event["event"] == "message_ack"}
        assert acked
        assert _ended(server) == 0
        assert time.monotonic() - told < 10
        server.start()
        assert acked <= _stored(server, room["roomId"], token)
        assert "Traceback" not in server.log


def _stored(server: ServerProcess, room: str, token: str) -> set[str]:
    """The ids of all messages of a room."""
    found: set[str] = set()
    before = ""
    while True:
        request = urllib.request.Request(f"{server.url}/api/rooms/{room}/messages?limit=200{before}")
        request.add_header("Authorization", f"Bearer {token}")
        with urllib.request.urlopen(request, timeout=60) as answer:
            page = json.load(answer)
        found |= {message["id"] for message in page["messages"]}
        if not page["hasMore"]:
            return found
        before = f"&before={min(message['seq'] for message in page['messages'])}"


@pytest.mark.timeout(30)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_at_once(tmp_path: Path, number: signal.Signals) -> None:
    with ServerProcess(tmp_path) as server:
        room = _post(f"{server.url}/api/rooms", {"title": "Lunch"})
        token = _join(server, room["joinUrl"], "Alice")
        with socket.create_connection(("127.0.0.1", server.port)) as deaf:  # never answers the close frame
            _handshake(deaf, token)
            os.kill(server.pid, number)
            while b"going_away" not in deaf.recv(65_536):
                pass
            started = time.monotonic()
            os.kill(server.pid, number)
            code = _ended(server)
            assert time.monotonic() - started < 2
        assert code == 128 + number
        assert "Traceback" not in server.log


def _handshake(deaf: socket.socket, token: str) -> None:
    deaf.settimeout(10)
    deaf.sendall(
        f"GET /ws?t={token} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
    )
    received = b""
    while b"history_chunk" not in received:
        received += deaf.recv(65_536)


def test_a_shutdown_that_takes_too_long_is_cut_off(tmp_path: Path) -> None:
    (tmp_path / "stuck.py").write_text(
        "import asyncio\nfrom anonchat import hookimpl\n\n"
        "class Plugin:\n    @hookimpl\n    async def shutdown(self):\n        await asyncio.sleep(60)\n"
    )
    environ = {
        "ANONCHAT_PLUGINS__ENABLED": '["stuck"]',
        "ANONCHAT_PLUGINS__PLUGINS_DIR": str(tmp_path),
        "ANONCHAT_SERVER__DRAIN_SECONDS": "1",
    }
    with ServerProcess(tmp_path, environ) as server:
        started = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - started < 5
        assert "cut off" in server.log


def test_room_prints_links_that_open_it(tmp_path: Path) -> None:
    process = subprocess.Popen([*SERVE, "--room", "--port", "0"], cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(4)]
    finally:
        process.terminate()
        process.communicate(timeout=120)
    links = re.findall(r"http://127\.0\.0\.1:\d+/r/[0-9a-f-]{36}#[\w-]{24}", "".join(lines))
    assert len(set(links)) == 2
    assert process.returncode == 0
