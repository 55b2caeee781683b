"""The proxies whose samples are in deploy/, run as the samples say, but for ports, folders and certificates."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import trustme

SAMPLES = Path(__file__).parent.parent.parent / "deploy"
PLACES = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"
HOST = "chat.example.org"
SECONDS = 60.0

Command = Callable[[Path, int, Sequence[int], bool], tuple[list[str], Mapping[str, str]]]
"""Writes a configuration: into a folder, with its port, those of the nodes, and TLS or not. Returns arguments and variables."""


def nginx(folder: Path, port: int, nodes: Sequence[int], tls: bool) -> tuple[list[str], Mapping[str, str]]:
    """The sample on another port, with certificates of the test, or without TLS."""
    site = (SAMPLES / "nginx.conf").read_text(encoding="utf-8")
    site = re.sub(r"^ *listen \[.*\n", "", site, flags=re.MULTILINE)
    if tls:
        _make_certificate(folder)
        site = site.replace(f"/etc/letsencrypt/live/{HOST}", str(folder))
    else:
        site = re.sub(r"^ *ssl_.*\n", "", site, flags=re.MULTILINE)
    site = site.replace("listen 443 ssl", f"listen 127.0.0.1:{port}{' ssl' * tls}")
    upstreams = "\n".join(f"    server 127.0.0.1:{node} max_fails=1 fail_timeout=5s;" for node in nodes)
    site = re.sub(r"^ *server 127\.0\.0\.1:5000 .*;$", upstreams, site, flags=re.MULTILINE)
    site = site.replace("listen 80;", f"listen unix:{folder}/plain;").replace("/var/log/nginx", str(folder))
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = "".join(f"{kind}_temp_path {folder}/{kind};" for kind in kinds)
    own = f"daemon off; master_process off; pid {folder}/pid; events {{}} http {{ {temporary} access_log off;\n{site}}}"
    (folder / "nginx.conf").write_text(own, encoding="utf-8")
    return ["-e", f"{folder}/error.log", "-p", str(folder), "-c", f"{folder}/nginx.conf"], {}


def caddy(folder: Path, port: int, nodes: Sequence[int], tls: bool) -> tuple[list[str], Mapping[str, str]]:
    """The sample as it is, without the port for administration, and with certificates of its own authority, or without TLS."""
    options = ["admin off", *(("local_certs", "skip_install_trust", "auto_https disable_redirects") if tls else ())]
    site = (SAMPLES / "Caddyfile").read_text(encoding="utf-8")
    more = "".join(f"\t{option}\n" for option in options)
    (folder / "Caddyfile").write_text(site.replace("\n{\n", f"\n{{\n{more}", 1))
    variables = {
        "PUBLIC_HOST": f"http{'s' * tls}://{HOST}:{port}",
        "NODES": " ".join(f"127.0.0.1:{node}" for node in nodes),
    }
    homes = {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    return ["run", "--config", f"{folder}/Caddyfile", "--adapter", "caddyfile"], variables | homes


AUTHORITIES = {
    "nginx": "ca.pem",
    "caddy": "caddy/pki/authorities/local/root.crt",
}  # whom clients have to know, by proxy


def _make_certificate(folder: Path) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert(HOST)
    authority.cert_pem.write_to_path(str(folder / AUTHORITIES["nginx"]))
    certificate.private_key_pem.write_to_path(str(folder / "privkey.pem"))
    certificate.cert_chain_pems[0].write_to_path(str(folder / "fullchain.pem"))


def is_installed(command: Command) -> bool:
    return shutil.which(command.__name__, path=PLACES) is not None


@contextmanager
def proxied(command: Command, folder: Path, nodes: Sequence[int], *, tls: bool = False) -> Iterator[int]:
    """A proxy before the nodes on these ports; yields its own port."""
    program = shutil.which(command.__name__, path=PLACES)
    assert program is not None
    with closing(socket.socket()) as found:
        found.bind(("127.0.0.1", 0))
        port = int(found.getsockname()[1])
    arguments, variables = command(folder, port, nodes, tls)
    with (folder / "proxy.log").open("w") as log:
        process = subprocess.Popen([program, *arguments], env={**os.environ, **variables}, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + SECONDS
        while _refuses(port):
            assert process.poll() is None, (folder / "proxy.log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        yield port
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


def _refuses(port: int) -> bool:
    with closing(socket.socket()) as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0
