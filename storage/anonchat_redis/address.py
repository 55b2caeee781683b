"""What a URL says, and connections to where it leads."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit, urlunsplit

from redis.asyncio.connection import Connection, SSLConnection, parse_url
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
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
    (`ssl_ca_certs=/a/file`).
    """

    prefix: str
    shown: str
    _arguments: dict[str, Any]
    _class: type[Open]
    _sentinels: Sequence[tuple[str, int]] = ()
    _service: str = ""
    _sentinel_arguments: Any = None

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
            "ssl": scheme == "rediss",
            # With a time of its own redis-py sends within `asyncio.wait_for`, which in Python 3.11 swallows a cancellation.
            "socket_timeout": None,
            "socket_connect_timeout": CONNECT_SECONDS,
            "retry": Retry(NoBackoff(), 0),
        }
        shown = f"{service} of the Sentinels {hosts}"
        connection_class = kwargs.get("connection_class", Connection)
        return cls(prefix, shown, _arguments(kwargs), connection_class, sentinels, service, own_arguments)

    async def connect(self) -> Open:
        """A connection that has said who it is. Raises one of `FAILURES`, in bounded time."""
        arguments = dict(self._arguments)
        if self._sentinels:
            arguments["host"], arguments["port"] = await self._master()
        connection = self._class(**arguments)
        try:
            # redis-py bounds the TCP connection alone; a server may take it and never say a word.
            with writing():
                async with asyncio.timeout(CONNECT_SECONDS):
                    await connection.connect()  # type: ignore[no-untyped-call]
        except BaseException:
            with suppress(*FAILURES):
                await connection.disconnect(nowait=True)
            raise
        return connection

    async def _master(self) -> tuple[str, int]:
        """Of the first Sentinel that knows it; one that is silent costs two seconds."""
        failure: Exception = ConnectionError("no Sentinel is named")
        for place in self._sentinels:
            sentinel = Sentinel([place], sentinel_kwargs=self._sentinel_arguments)  # type: ignore[no-untyped-call]
            try:
                with writing():
                    async with asyncio.timeout(CONNECT_SECONDS):
                        host, port = await sentinel.discover_master(self._service)
                return str(host), int(port)
            except FAILURES as error:
                failure = error
            finally:
                with suppress(*FAILURES):
                    await sentinel.aclose()
        raise failure


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
    """Of a connection: no retries, which would turn a second into fifteen; whoever waits has a time of their own."""
    kept = {name: value for name, value in kwargs.items() if name != "connection_class"}
    ours = {"socket_timeout": None, "socket_connect_timeout": CONNECT_SECONDS, "socket_keepalive": True}
    return {**ours, **kept, "protocol": 2, "retry": Retry(NoBackoff(), 0), "client_name": "anonchat"}
