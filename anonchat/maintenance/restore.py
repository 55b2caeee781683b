"""Bring a backup back: checked, migrated, and rid of everything whose time has passed, before anybody can see it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import Connection

from anonchat.config import Settings
from anonchat.config.settings import StorageSettings
from anonchat.delivery.epoch import renew_epoch
from anonchat.errors import StartError
from anonchat.node import Node
from anonchat.storage.maintenance import Maintenance, maintenance_of
from anonchat.store.upkeep import COUNTS, SELECT_LAST_ENDED, SELECT_ROOM_IDS

REMEMBERED = 100_000  # rooms that ended last, which a restore does not bring back


class _Ended(NamedTuple):
    """Why a room ended, and when it was purged, or is to be."""

    reason: str
    purge_at: int


async def restore(settings: Settings, backup: Path, *, keep: bool) -> Mapping[str, int]:
    """Replace the database by a backup; returns how many rooms, messages and sessions of it were removed at once.

    They are those whose time has passed, and the rooms that have ended since as far as the replaced database knows.
    Clients that come back get a fresh start, for the epoch is a new one. With `keep` the replaced database stays beside.
    Raises `StartError`; the database is then as it was.
    """
    maintenance = maintenance_of(settings.storage.database)
    with maintenance.restoring(backup, keep=keep) as url:
        ended = _ended_rooms(maintenance)
        node = Node(replace(settings, storage=StorageSettings(database=url)))
        await node.open()
        try:
            await renew_epoch(node.journal)
            before = await _count(node)
            await _remove_what_is_over(node, ended)
            after = await _count(node)
        finally:
            await node.close()
    return {name: before[name] - after[name] for name in before}


def _ended_rooms(maintenance: Maintenance) -> Mapping[str, _Ended]:
    """The rooms that ended in the database that is to be replaced, by their ids; none if it cannot be read."""

    def look(connection: Connection) -> Mapping[str, _Ended]:
        rows = connection.execute(SELECT_LAST_ENDED, {"limit": REMEMBERED})
        return {row.id: _Ended(row.reason, row.purge_at) for row in rows}

    try:
        return maintenance.read(look)
    except StartError:
        return {}


async def _count(node: Node) -> Mapping[str, int]:
    found = {}
    for name, statement in COUNTS.items():
        row = await node.journal.fetch_one(statement)
        found[name] = int(row[0]) if row else 0
    return found


async def _remove_what_is_over(node: Node, ended: Mapping[str, _Ended]) -> None:
    for row in await node.journal.fetch_all(SELECT_ROOM_IDS):
        if row["id"] in ended:
            await node.retention.end(row["id"], ended[row["id"]].reason, purge_at=ended[row["id"]].purge_at)
    while await node.retention.expire():
        pass
    while await node.retention.purge():
        pass
    while (await node.retention.run())[1]:  # messages: a run sees a number of rooms at most
        pass
    while await node.sessions.expire():
        pass
