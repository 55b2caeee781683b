"""What a URL says, and connections to where it leads."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit, urlunsplit

from redis.asyncio.connection import Connection, SSLConnection, parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, AuthorizationError, NoPermissionError, RedisError, ResponseError

from anonchat import StartError

CONNECT_SECONDS = 2.0
PREFIX = "anonchat:"
SENTINEL_PORT = 26_379
REFUSED = (AuthenticationError, AuthorizationError, NoPermissionError, ResponseError)
FAILURES = (RedisError, OSError, TimeoutError)

Open = Connection | SSLConnection


@dataclass(frozen=True, slots=True)
class Address:
    """``redis://user:password@host:port/database?prefix=anonchat:``, ``rediss://`` for TLS.

    ``redis+sentinel://host:port,host:port/name/database`` (or ``rediss+sentinel``) asks Sentinels for the master at each
    connection; `sentinel_username` and `sentinel_password` are for them. All other parameters are those of redis-py
    (`ssl_ca_certs=/a/file`), but for `socket_timeout`: a second is waited for an answer.
    """

    prefix: str
    shown: str
    _arguments: dict[str, Any]
    _class: type[Open]
    _sentinels: Sequence[tuple[str, int]] = ()
    _service: str = ""
    _sentinel_arguments: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, url: str) -> Address:
        """Raises `StartError` for a URL that cannot be one."""
        parts = urlsplit(url)
        asked = dict(parse_qsl(parts.query, keep_blank_values=True))
        prefix = asked.pop("prefix", PREFIX)
        scheme, _, sentinel = parts.scheme.partition("+")
        try:
            if sentinel:
                return cls._of_sentinel(parts.netloc, parts.path, scheme, asked, prefix)
            host = f"{parts.hostname or 'localhost'}:{parts.port or 6379}"
            kwargs: dict[str, Any] = dict(parse_url(urlunsplit(parts._replace(query=urlencode(asked)))))
            _check_database(parts.path)
            return cls(prefix, host, _arguments(kwargs), kwargs.get("connection_class", Connection))
        except (ValueError, TypeError) as error:
            raise StartError(
                f"A Redis URL cannot be used ({error}). Write redis://user:password@host:6379/0 or rediss:// for TLS."
            ) from error

    @classmethod
    def _of_sentinel(cls, netloc: str, path: str, scheme: str, asked: dict[str, str], prefix: str) -> Address:
        login, _, hosts = netloc.rpartition("@")
        service, _, database = path.strip("/").partition("/")
        if not service:
            raise ValueError("redis+sentinel:// names the master after the hosts: …:26379/mymaster/0")
        _check_database(database)
        own = {"username": asked.pop("sentinel_username", None), "password": asked.pop("sentinel_password", None)}
        base = f"{scheme}://{login + '@' if login else ''}sentinel/{database}?{urlencode(asked)}"
        kwargs: dict[str, Any] = dict(parse_url(base))
        sentinels = [(unquote(host), int(port or SENTINEL_PORT)) for host, _, port in map(_split, hosts.split(","))]
        own_arguments = {
            **{name: value for name, value in own.items() if value},
            **{name: value for name, value in kwargs.items() if name.startswith("ssl_")},
        }
        shown = f"{service} of the Sentinels {hosts}"
        connection_class = kwargs.get("connection_class", Connection)
        return cls(prefix, shown, _arguments(kwargs), connection_class, sentinels, service, _arguments(own_arguments))

    async def connect(self) -> Open:
        """A connection that has said who it is. Raises one of `FAILURES`, in bounded time."""
        if not self._sentinels:
            return await _opened(self._class(**self._arguments))
        return await self._connect_to_master()

    async def _connect_to_master(self) -> Open:
        """To the one that the first Sentinel names whose word is good; one that is silent, or wrong, costs two seconds.

        Not by redis-py's `Sentinel`: if its caller is cancelled, it leaves a connection open.
        """
        failure: Exception = ConnectionError("no Sentinel is named")
        for host, port in self._sentinels:
            try:
                sentinel = await _opened(self._class(host=host, port=port, **self._sentinel_arguments))
                master, its_port = await _asked(sentinel, self._service)
                return await _opened(self._class(**{**self._arguments, "host": master, "port": its_port}))
            except FAILURES as error:
                failure = error
        raise failure


async def _opened(connection: Open) -> Open:
    try:
        # redis-py bounds the TCP connection alone; a server may take it and never say a word.
        with writing():
            async with asyncio.timeout(CONNECT_SECONDS):
                await connection.connect()  # type: ignore[no-untyped-call]
    except BaseException:
        await disconnect(connection)
        raise
    return connection


async def _asked(sentinel: Open, service: str) -> tuple[str, int]:
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            with writing():
                await sentinel.send_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", service)
            found = await sentinel.read_response()
    finally:
        await disconnect(sentinel)
    if found is None:
        raise ConnectionError(f"the Sentinel at {sentinel.host}:{sentinel.port} knows no master {service}")
    host, port = found
    return host.decode(), int(port)


async def disconnect(connection: Open) -> None:
    """Close at once, whatever state it is in."""
    with suppress(*FAILURES):
        await connection.disconnect(nowait=True)


@contextmanager
def writing() -> Iterator[None]:
    """One of `FAILURES` for a write into a connection that was reset, which uvloop calls a RuntimeError."""
    try:
        yield
    except RuntimeError as error:
        raise ConnectionResetError(str(error)) from error


def _split(host: str) -> tuple[str, str, str]:
    return host.strip().rpartition(":") if ":" in host else (host.strip(), ":", "")


def _check_database(path: str) -> None:
    number = path.strip("/")
    if number and not number.isdecimal():
        raise ValueError(f"its database must be a number, not {number!r}")


def _arguments(kwargs: dict[str, Any]) -> dict[str, Any]:
    """Of a connection: no retries, which would turn a second into fifteen; whoever waits has a time of their own.

    With a `socket_timeout` redis-py sends within `asyncio.wait_for`, which in Python 3.11 swallows a cancellation.
    """
    if kwargs.get("socket_timeout") is not None:
        raise ValueError("socket_timeout is not for it: whoever waits for an answer has a second")
    kept = {name: value for name, value in kwargs.items() if name != "connection_class"}
    ours = {"socket_timeout": None, "socket_connect_timeout": CONNECT_SECONDS, "socket_keepalive": True}
    return {**ours, **kept, "protocol": 2, "retry": Retry(NoBackoff(), 0), "client_name": "anonchat"}
