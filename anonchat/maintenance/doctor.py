"""``anonchat doctor``: what is wrong with this installation, or soon will be, and what to do about it.

Looks only: it changes nothing, and works beside a running server. Each check answers with findings and never raises
what an operator could mend.
"""

from __future__ import annotations

import asyncio
import resource
import time
from collections.abc import Generator, Iterator, Sequence
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from anonchat.clock import Clock
from anonchat.config import Settings
from anonchat.errors import StartError
from anonchat.http.listening import BACKLOG
from anonchat.maintenance.processes import open_files_of_listener
from anonchat.maintenance.rest import Redirected, Unreachable, call, local_address
from anonchat.migrate.revisions import MigrationError, Migrations
from anonchat.migrate.runner import status
from anonchat.plugins.migrations import migrations_of
from anonchat.plugins.options import load_one
from anonchat.plugins.registry import load, names_of
from anonchat.storage.backends import open_backend
from anonchat.storage.maintenance import Finding, Maintenance, maintenance_of
from anonchat.store.upkeep import COUNT_OVERDUE, SELECT_NEWEST

RELEASED = datetime(2026, 1, 1, tzinfo=UTC)  # a clock before this stands wrong
CLOCK_SECONDS = 60.0  # that stored times may lie in the future
OPEN_FILES = 4_096
RESERVED_FILES = 64  # database, logs, listening sockets
SOMAXCONN = Path("/proc/sys/net/core/somaxconn")
HEALTH_SECONDS = 5.0


def examine(settings: Settings) -> Iterator[Finding]:
    """Every check, one after another."""
    yield from _configuration(settings)
    migrations = yield from _plugins(settings)
    try:
        maintenance = maintenance_of(settings.storage.database)
    except StartError as error:
        yield Finding("database", "warn", str(error), "Look after it there.")
        served = False
    else:
        findings = list(maintenance.findings())
        yield from findings
        served = maintenance.is_served()
        if ("database", "fail") not in {(finding.check, finding.state) for finding in findings}:
            yield from _contents(maintenance, settings, migrations)
    yield from dict.fromkeys(_between_nodes(settings))  # both roles may be on one server, and say the same of it
    yield from _server(settings, served)
    yield from _clock()
    yield from _system(open_files_of_listener(settings.server.port) if served else None)


def _configuration(settings: Settings) -> Iterator[Finding]:
    for warning in settings.warnings:
        yield Finding("configuration", "warn", warning)
    if not settings.warnings:
        yield Finding("configuration", "ok", "The configuration is valid.")


def _plugins(settings: Settings) -> Generator[Finding, None, Migrations]:
    """Answers the migrations of the plugins that can be loaded, too."""
    enabled = names_of(settings.plugins.enabled)
    sound = []
    for name in enabled:
        try:
            load_one(name, settings.plugins)
            sound.append(name)
        except StartError as error:
            yield Finding("plugins", "fail", str(error), "Mend or update it, or take it out of [plugins] enabled.")
    if len(sound) == len(enabled):
        yield Finding("plugins", "ok", f"{len(sound)} enabled.")
    return migrations_of(load(sound, settings.plugins.plugins_dir))


def _contents(maintenance: Maintenance, settings: Settings, migrations: Migrations) -> Sequence[Finding]:
    try:
        return maintenance.read(lambda connection: list(_tables(connection, settings, migrations)))
    except MigrationError as error:
        return [Finding("tables", "fail", str(error))]
    except StartError:
        return ()  # there is no database yet, which has been said


def _tables(connection: Connection, settings: Settings, migrations: Migrations) -> Iterator[Finding]:
    pending = [owner.owner for owner in status(connection, migrations.sets) if owner.pending]
    if pending:
        yield Finding("tables", "ok", f"The next start will migrate the tables of {', '.join(pending)}.")
    if "core" in pending:
        return
    now = time.time() * 1_000
    newest = connection.execute(SELECT_NEWEST).scalar()
    if newest is not None and newest > now + CLOCK_SECONDS * 1_000:
        text = "Rooms in the database were made in the future: the clock has been set back."
        yield Finding("clock", "fail", text, "Set the clock; nothing is deleted in time until then.")
    late = round(now) - settings.retention.overdue_seconds * 1_000
    overdue = connection.execute(COUNT_OVERDUE, {"late": late}).scalar_one()
    if overdue:
        text = f"{overdue} rooms hold what should have been deleted."
        yield Finding("retention", "warn", text, "Start the server; if it runs, its log says why deleting fails.")
    else:
        yield Finding("retention", "ok", "Nothing is kept longer than promised.")


def _between_nodes(settings: Settings) -> Iterator[Finding]:
    storage = settings.storage
    if storage.bus.startswith("memory:") and not storage.database.startswith("sqlite:"):
        text = "memory:// is for one node: what is said on another one would be heard a second late."
        yield Finding("bus", "warn", text, "Start no second node on this database, or name a Redis.")
    for role in ("bus", "ephemeral"):
        try:
            yield from asyncio.run(open_backend(role, getattr(storage, role), Clock()).findings())
        except StartError as error:
            yield Finding(role, "fail", str(error))


def _server(settings: Settings, served: bool) -> Iterator[Finding]:
    if settings.server.port == 0:
        yield Finding("server", "ok", f"{'A' if served else 'No'} server is running, on a port that the system chose.")
        return
    address = local_address(settings)
    try:
        _, state = call("GET", f"{address}/health/ready", seconds=HEALTH_SECONDS)
    except Unreachable:
        if served:
            text = f"A server works on the database, but none answers at {address}."
            yield Finding("server", "warn", text, "Was it started with another configuration?")
        else:
            yield Finding("server", "ok", "No server is running.")
        return
    except Redirected:
        state = {}
    if not isinstance(state.get("dependencies"), dict):
        text = f"Something else answers at {address}."
        yield Finding("server", "fail", text, "[server] port chooses another port.")
        return
    yield from _health(state, address)


def _health(state: dict[str, Any], address: str) -> Iterator[Finding]:
    if state.get("status") == "ok":
        yield Finding("server", "ok", f"A server is running at {address}.")
    else:
        down = ", ".join(f"{name}: {code}" for name, code in state["dependencies"].items() if code != "ok")
        yield Finding(
            "server", "fail", f"The server at {address} is {state.get('status')}. {down}", "Look into its log."
        )
    if state.get("unknownProxy"):
        text = "A request brought a forwarding header from an address that is not in [server] trusted_proxies."
        yield Finding(
            "proxy", "warn", text, "Add your proxy there: until then everybody shares the limits of one network."
        )
    lame = [name for name, how in state.get("plugins", {}).items() if how != "running"]
    if lame:
        text = f"Failed too often and no longer observe: {', '.join(lame)}."
        yield Finding("plugins", "warn", text, "The log says why; a restart tries again.")


def _clock() -> Iterator[Finding]:
    now = datetime.now(UTC)
    if now < RELEASED:
        yield Finding(
            "clock", "fail", f"The clock says {now:%Y-%m-%d}.", "Set it, best by NTP: what is deleted hangs on it."
        )
    else:
        yield Finding("clock", "ok", f"The clock says {now:%Y-%m-%d %H:%M:%S} UTC.")


def _system(files: int | None) -> Iterator[Finding]:
    """`files` is how many the running server may open."""
    whose = "the running server"
    if files is None:
        whose = "a server that is started from here"
        _, files = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = files == resource.RLIM_INFINITY
    if not unlimited and files < OPEN_FILES:
        text = f"Only {files - RESERVED_FILES} people can be connected at once to {whose}."
        yield Finding("open files", "warn", text, "Raise the hard limit: ulimit -Hn, or LimitNOFILE= in systemd.")
    else:
        room = "any number of" if unlimited else f"about {files - RESERVED_FILES:,}"
        yield Finding("open files", "ok", f"Enough for {room} connections to {whose}.")
    if SOMAXCONN.exists() and (queue := int(SOMAXCONN.read_text())) < BACKLOG:
        text = f"Only {queue} connections can wait to be accepted when everybody comes back at once."
        advice = f"echo net.core.somaxconn={BACKLOG} > /etc/sysctl.d/anonchat.conf && sysctl --system"
        yield Finding("somaxconn", "warn", text, advice)
    if find_spec("uvloop") is None:
        text = "uvloop is not installed; it makes a busy server 6 to 15 % faster."
        yield Finding("uvloop", "warn", text, "pip install 'anonchat[speed]'")
    else:
        yield Finding("uvloop", "ok", "uvloop is installed.")
