"""What ``anonchat doctor`` finds on a Redis: whether it does what a node asks of it, and what it does with what it hears."""

from __future__ import annotations

import asyncio
import ipaddress
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any

from redis.asyncio.connection import SSLConnection
from redis.exceptions import ResponseError

from anonchat import Finding, clock_findings
from anonchat_redis.address import FAILURES, REFUSED, Address, Open, disconnect, writing

ANSWER_SECONDS = 2.0  # for all questions together

Command = Sequence[Any]


async def examine(address: Address, role: str, commands: Sequence[Command]) -> list[Finding]:
    """Look at a server, and see whether it takes the `commands` of a role; the last may be a SUBSCRIBE."""
    try:
        connection = await address.connect()
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                about_server = [finding async for finding in _look(connection, address.shown)]
                for command in commands:
                    await _ask(connection, *command)
        finally:
            await disconnect(connection)
    except REFUSED as error:
        text = f"Redis at {address.shown} refuses what a node does ({error})."
        return [Finding(role, "fail", text, "Look at user, password, database and rights.")]
    except FAILURES as error:
        text = f"Redis at {address.shown} does not answer ({str(error) or 'timeout'})."
        return [Finding(role, "fail", text, "Does it run, and are host, port and TLS of the URL right?")]
    return [Finding(role, "ok", f"Redis at {address.shown} answers."), *about_server]


async def _look(connection: Open, shown: str) -> AsyncIterator[Finding]:
    if not isinstance(connection, SSLConnection) and not await _is_near(connection.host):
        text = f"Names of people, and what they write, go to Redis at {shown} in the clear."
        yield Finding("privacy", "warn", text, "Write rediss:// into the URL.")
    for finding in await _look_at_clock(connection, shown):
        yield finding
    try:
        found = await _ask(connection, b"CONFIG", b"GET", b"maxmemory-policy", b"save", b"appendonly")
    except ResponseError:
        text = f"Redis at {shown} does not tell this user its settings."
        yield Finding("redis", "ok", text, 'It should have maxmemory-policy noeviction, save "" and appendonly no.')
        return
    set_to = {name.decode(): value.decode() for name, value in zip(found[::2], found[1::2], strict=True)}
    policy = set_to.get("maxmemory-policy", "noeviction")  # a server that is none of Redis' own may know none
    if policy != "noeviction":
        text = f"Redis at {shown} forgets limits and who is there when its memory is full (maxmemory-policy {policy})."
        yield Finding("redis", "warn", text, "Set maxmemory-policy noeviction.")
    if set_to.get("save") or set_to.get("appendonly", "no") != "no":
        text = f"Redis at {shown} writes what it holds to a disk, names of people among it."
        yield Finding("privacy", "warn", text, 'Set save "" and appendonly no.')


async def _look_at_clock(connection: Open, shown: str) -> Sequence[Finding]:
    before = time.time()
    try:
        seconds, microseconds = await _ask(connection, b"TIME")
    except ResponseError:  # a user who is there for the bus alone may not, and need not
        return ()
    return clock_findings(f"Redis at {shown}", int(seconds) + int(microseconds) / 1_000_000, before, time.time())


async def _ask(connection: Open, *command: Any) -> Any:
    with writing():
        await connection.send_command(*command)
    return await connection.read_response()


async def _is_near(host: str) -> bool:
    """Whether a name or an address means this machine."""
    found = await asyncio.get_running_loop().getaddrinfo(host, None)
    return all(ipaddress.ip_address(str(address[0])).is_loopback for *_, address in found)
