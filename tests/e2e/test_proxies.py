"""The samples in deploy/ with the real proxies: WebSockets pass, and addresses that a client makes up are not believed.

nginx and Caddy are programs of the system, which no Python package brings: a test whose proxy is not installed is skipped,
and says so.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from websockets.asyncio.client import connect

from anonchat.testing.clients import Rest, Socket
from anonchat.testing.processes import ServerProcess, environment

SAMPLES = Path(__file__).parent.parent.parent / "deploy"
PLACES = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"
HOST = "chat.example.org"
SECONDS = 15.0
REQUESTS = 5  # that a network may make
Command = Callable[[Path, int, int], tuple[list[str], Mapping[str, str]]]


def nginx(folder: Path, port: int, upstream: int) -> tuple[list[str], Mapping[str, str]]:
    """The sample on another port, without TLS, whose certificates are somewhere else on each machine."""
    site = (SAMPLES / "nginx.conf").read_text(encoding="utf-8")
    site = re.sub(r"^ *(listen \[|ssl_).*\n", "", site, flags=re.MULTILINE)
    site = site.replace("listen 443 ssl", f"listen 127.0.0.1:{port}").replace("127.0.0.1:5000", f"127.0.0.1:{upstream}")
    site = site.replace("listen 80;", f"listen unix:{folder}/plain;").replace("/var/log/nginx", str(folder))
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = "".join(f"{kind}_temp_path {folder}/{kind};" for kind in kinds)
    own = f"daemon off; master_process off; pid {folder}/pid; events {{}} http {{ {temporary} access_log off;\n{site}}}"
    (folder / "nginx.conf").write_text(own, encoding="utf-8")
    return ["-e", f"{folder}/error.log", "-p", str(folder), "-c", f"{folder}/nginx.conf"], {}


def caddy(folder: Path, port: int, upstream: int) -> tuple[list[str], Mapping[str, str]]:
    """The sample as it is, without TLS and without the port for administration."""
    (folder / "Caddyfile").write_text("{\n\tadmin off\n}\n" + (SAMPLES / "Caddyfile").read_text(encoding="utf-8"))
    variables = {"PUBLIC_HOST": f"http://{HOST}:{port}", "NODES": f"127.0.0.1:{upstream}"}
    homes = {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    return ["run", "--config", f"{folder}/Caddyfile", "--adapter", "caddyfile"], variables | homes


@contextmanager
def proxied(name: str, command: Command, folder: Path, upstream: int) -> Iterator[int]:
    """A proxy before the server on port `upstream`; yields its own port."""
    program = shutil.which(name, path=PLACES)
    assert program is not None
    with closing(socket.socket()) as found:
        found.bind(("127.0.0.1", 0))
        port = int(found.getsockname()[1])
    arguments, variables = command(folder, port, upstream)
    with (folder / "proxy.log").open("w") as log:
        process = subprocess.Popen([program, *arguments], env={**os.environ, **variables}, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + SECONDS
        while _refuses(port):
            assert process.poll() is None, (folder / "proxy.log").read_text()
            assert time.monotonic() < deadline
        yield port
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


def _refuses(port: int) -> bool:
    with closing(socket.socket()) as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


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
    name = command.__name__
    if shutil.which(name, path=PLACES) is None:
        pytest.skip(f"{name} is not installed: apt install {name}")
    server = {"allowed_hosts": [HOST], "trusted_proxies": ["127.0.0.1"]}
    limits = {"requests_per_network": f"{REQUESTS}/hour"}
    variables = environment(server=server, limits=limits)
    with ServerProcess(tmp_path, variables) as node, proxied(name, command, tmp_path, node.port) as port:
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
