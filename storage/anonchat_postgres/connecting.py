"""Connections to Postgres: what a URL says, and what holds for each of them, so that nothing waits for ever."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import asyncpg

from anonchat import NotYet, StartError

CONNECTIONS = 10
LEAST_CONNECTIONS = 4  # of which half read, one writes for many rooms and one for one
CONNECT_SECONDS = 5.0
COMMAND_SECONDS = 8.0  # that an answer of the server is waited for
STATEMENTS = 512  # kept prepared by each connection

NODE = "anonchat"
COMMAND_LINE = "anonchat command"
AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"  # where most distributions of Linux have those of the public

# Milliseconds. Whoever waits for a lock is told after three seconds; a statement ends in half a minute, which is for the
# deletion of a large room; a node that hangs in a transaction loses it and with it what others wait for.
LIMITS = {
    "lock_timeout": "3000",
    "statement_timeout": "30000",
    "idle_in_transaction_session_timeout": "15000",
    "jit": "off",  # all statements are short
    # A plan is kept. One made while a table was empty would read all rows, until Postgres has looked at what came since.
    "enable_seqscan": "off",
}
OLDEST = 14


@dataclass(frozen=True, slots=True)
class Address:
    """What ``postgresql://user:password@host:port/name?connections=10`` says.

    `connections` is how many a node opens at most. All else is a parameter of libpq (`sslmode`, `host=/a/folder`) or a
    setting of the session, which wins over ours (`statement_timeout=60000`).
    """

    dsn: str
    connections: int
    settings: dict[str, str]
    shown: str

    @classmethod
    def of(cls, url: str) -> Address:
        """Raises `StartError` for a URL that cannot be one."""
        parts = urlsplit(url)
        asked = dict(parse_qsl(parts.query))
        connections = asked.pop("connections", str(CONNECTIONS))
        if not connections.isdecimal() or int(connections) < LEAST_CONNECTIONS:
            raise StartError(
                f"The database URL asks for connections={connections}: write a whole number from {LEAST_CONNECTIONS} on."
            )
        authority = asked.get("sslrootcert")
        if authority and not Path(authority).is_file():
            raise StartError(
                f"The database URL names sslrootcert={authority}, and there is no such file. Write the file of the server's "
                f"authority, or {AUTHORITIES} for the public ones."
            )
        settings = {name: asked.get(name, value) for name, value in LIMITS.items()}
        shown = (
            f"{parts.path.lstrip('/') or asked.get('dbname', '')} at {parts.hostname or asked.get('host', 'localhost')}"
        )
        kept = urlencode({name: value for name, value in asked.items() if name != "application_name"})
        return cls(urlunsplit(parts._replace(query=kept)), int(connections), settings, shown.strip())

    def arguments(self, program: str, command_seconds: float | None = COMMAND_SECONDS) -> dict[str, Any]:
        """What `asyncpg.connect` and `asyncpg.create_pool` are given."""
        return {
            "dsn": self.dsn,
            "timeout": CONNECT_SECONDS,
            "command_timeout": command_seconds,
            "statement_cache_size": STATEMENTS,
            "max_cached_statement_lifetime": 0,
            "server_settings": {**self.settings, "application_name": program},
        }


async def connect(
    address: Address, program: str, command_seconds: float | None = COMMAND_SECONDS
) -> asyncpg.Connection[asyncpg.Record]:
    """One connection. Raises `StartError` with a sentence for the operator."""
    try:
        connection: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(
            **address.arguments(program, command_seconds)
        )
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, ValueError) as error:
        kind = NotYet if _is_passing(error) else StartError
        raise kind(_why(address, error)) from error
    problem = await _unfit(connection)
    if problem is not None:
        await connection.close()
        raise StartError(f"The database {address.shown} {problem}")
    return connection


async def _unfit(connection: asyncpg.Connection[asyncpg.Record]) -> str | None:
    version = connection.get_server_version()
    if version.major < OLDEST:
        return f"is served by Postgres {version.major}: anonchat needs {OLDEST} or newer."
    encoding = await connection.fetchval("SHOW server_encoding")
    if encoding != "UTF8":
        return f"has the encoding {encoding}: make one with CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0."
    return None


def _is_tls(error: Exception) -> bool:
    return isinstance(error, ssl.SSLError) or (isinstance(error, ConnectionError) and "SSL upgrade" in str(error))


def _is_passing(error: Exception) -> bool:
    """Whether a server that is coming up, or a way that is being mended, would fail like this."""
    if isinstance(error, OSError):  # also TimeoutError
        return not _is_tls(error)
    return isinstance(error, asyncpg.CannotConnectNowError | asyncpg.TooManyConnectionsError)


def _why(address: Address, error: Exception) -> str:
    match error:
        case asyncpg.InvalidCatalogNameError():
            reason, advice = "is not there", "Make it: CREATE DATABASE … ENCODING 'UTF8'."
        case asyncpg.InvalidAuthorizationSpecificationError():
            reason, advice = "refuses the user or the password", "Look at the URL, and at pg_hba.conf of the server."
        case TimeoutError():
            reason, advice = (
                f"did not answer within {CONNECT_SECONDS:g} seconds",
                "Does the server run, is the way open?",
            )
        case (
            asyncpg.UndefinedObjectError()
            | asyncpg.InvalidParameterValueError()
            | asyncpg.CantChangeRuntimeParamError()
        ):
            reason, advice = f"cannot do what the URL sets ({error.args[0]})", "Take it out of the URL, or correct it."
        case asyncpg.PostgresError():
            reason, advice = f"refuses connections ({error.args[0]})", "Start again when it takes them."
        case ssl.SSLCertVerificationError():
            reason = f"shows a certificate that is not trusted ({error.verify_message})"
            advice = "Name the file of its authority in the URL: ?sslrootcert=/a/file."
        case OSError() if _is_tls(error):
            reason, advice = (
                "does not speak TLS as the URL wants it",
                "Look at sslmode in the URL, and at ssl of the server.",
            )
        case OSError():
            reason, advice = "cannot be reached", "Does the server run, and are host and port of the URL right?"
        case _ if "root certificate" in str(error):  # which libpq looks for at home
            reason = "is to prove who it is, and the URL does not say by which authority"
            advice = f"Add &sslrootcert={AUTHORITIES}, or the file of your own one."
        case _:
            reason, advice = f"cannot be opened ({error})", "Write postgresql://user:password@host:port/name."
    return f"The database {address.shown} {reason}. {advice}"
