"""TLS to Postgres and Redis: certificates are looked at, and a wrong one lets nobody through."""

from __future__ import annotations

import shutil
import ssl
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import trustme

from anonchat.clock import Clock
from anonchat.errors import ChatError, StartError
from anonchat.testing import running_server, settings_in
from anonchat.testing.databases import run_aside
from anonchat.testing.lines import Line
from anonchat.testing.people import open_room, request
from anonchat.testing.postgres import LOOPBACK, PostgresServer
from anonchat.testing.redis import RedisServer
from anonchat_postgres.connecting import Address, connect
from anonchat_redis import RedisEphemeral

SELECT_ENCRYPTED = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[trustme.CA, Path]:
    """One that signs the certificates of servers, and the file that clients know it by."""
    found, file = trustme.CA(), tmp_path_factory.mktemp("authority") / "ca.pem"
    found.cert_pem.write_to_path(str(file))
    return found, file


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of an authority that has signed nothing here."""
    file = tmp_path_factory.mktemp("stranger") / "ca.pem"
    trustme.CA().cert_pem.write_to_path(str(file))
    return file


@pytest.fixture(scope="module")
def encrypted(authority: tuple[trustme.CA, Path]) -> Iterator[PostgresServer]:
    """A Postgres that speaks TLS."""
    server = PostgresServer("ssl=on")
    certificate = authority[0].issue_cert(LOOPBACK)
    data = server.folder / "data"
    certificate.private_key_pem.write_to_path(str(data / "server.key"))
    certificate.cert_chain_pems[0].write_to_path(str(data / "server.crt"))
    for name in ("server.key", "server.crt"):
        (data / name).chmod(0o600)
        shutil.chown(data / name, data.stat().st_uid)
    try:
        server.start()
    except RuntimeError as error:
        server.remove()
        if "not supported by this build" not in str(error):
            raise
        pytest.skip("this build of Postgres has no TLS: that of the Linux distribution does (apt install postgresql)")
    yield server
    server.remove()


@pytest.fixture
async def way(redis: RedisServer, authority: tuple[trustme.CA, Path]) -> AsyncIterator[Line]:
    """A Redis behind something that ends TLS, as stunnel does: the one that comes from PyPI is built without."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority[0].issue_cert(LOOPBACK).configure_cert(context)
    async with Line(redis.port, tls=context) as line:
        yield line


@pytest.mark.gen_test
async def test_a_node_talks_to_both_through_tls(
    encrypted: PostgresServer, way: Line, authority: tuple[trustme.CA, Path], tmp_path: Path
) -> None:
    redis = f"rediss://{LOOPBACK}:{way.port}/0?prefix={tmp_path.name}:&ssl_ca_certs={authority[1]}"
    database = f"{encrypted.url()}?sslmode=verify-full&sslrootcert={authority[1]}"
    storage = {"database": database, "bus": redis, "ephemeral": redis}
    async with running_server(settings_in(tmp_path, storage=storage)) as server:
        async with (await open_room(server)).enter("Alice") as alice:
            assert (await alice.say("Hello")).event == "message_ack"
        ready = await request(server, "GET", "/health/ready")
        assert ready.body["dependencies"] == {"database": "ok", "bus": "ok", "ephemeral": "ok"}


@pytest.mark.parametrize(("mode", "is_encrypted"), [("verify-full", True), ("require", True), ("disable", False)])
def test_the_mode_of_the_url_holds(
    encrypted: PostgresServer, authority: tuple[trustme.CA, Path], mode: str, is_encrypted: bool
) -> None:
    async def look() -> bool:
        root = f"&sslrootcert={authority[1]}" if mode == "verify-full" else ""
        connection = await connect(Address.of(f"{encrypted.url()}?sslmode={mode}{root}"), "test")
        try:
            return bool(await connection.fetchval(SELECT_ENCRYPTED))
        finally:
            await connection.close()

    assert run_aside(look()) is is_encrypted


def test_a_postgres_that_somebody_else_has_signed_is_refused(encrypted: PostgresServer, stranger: Path) -> None:
    address = Address.of(f"{encrypted.url()}?sslmode=verify-full&sslrootcert={stranger}")
    with pytest.raises(StartError, match="certificate that is not trusted"):
        run_aside(connect(address, "test"))


@pytest.mark.gen_test
async def test_a_redis_that_somebody_else_has_signed_is_never_spoken_to(
    way: Line, authority: tuple[trustme.CA, Path], stranger: Path
) -> None:
    for file, is_known in ((authority[1], True), (stranger, False)):
        ephemeral = RedisEphemeral(f"rediss://{LOOPBACK}:{way.port}/0?ssl_ca_certs={file}", Clock())
        await ephemeral.start()
        try:
            if is_known:
                await ephemeral.check()
            else:
                with pytest.raises(ChatError, match="storage_unavailable"):
                    await ephemeral.check()
        finally:
            await ephemeral.close()
