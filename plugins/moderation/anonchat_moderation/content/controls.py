"""What moderators set: preset, slow mode, rules; and the two buttons, panic and calm."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

import orjson

from anonchat import ChatError, Remembered, Row, Session, Transaction
from anonchat_moderation.acts import Acts
from anonchat_moderation.content.held import HeldMessages, is_done
from anonchat_moderation.content.presets import LISTS, Overrides
from anonchat_moderation.content.room_rules import Chosen, RoomRules, RoomState
from anonchat_moderation.content.schemas import DOMAINS, WORDS, RuleChanges
from anonchat_moderation.content.tables import (
    END_PANIC,
    FORGET_COUNTS,
    LOCK_ROOM,
    SELECT_IN_PANIC,
    START_PANIC,
    UPDATE_RULES,
)
from anonchat_moderation.content.tally import Tally
from anonchat_moderation.content.verdicts import PANIC_REASONS, REASONS
from anonchat_moderation.log import Log

T = TypeVar("T")
AT_ONCE = 100  # rooms that one run of the job looks after
MOST = {"words": WORDS, "links": DOMAINS}  # in the list of a rule
_SETTINGS = RuleChanges()
COUNTED = "Held {held}, dropped {dropped}, released {released}."
"""Stands in the log when a panic is over; clients translate it."""


class Controls:
    """Changes what holds in a room. All of it is told to the room and stands in the log."""

    def __init__(self, acts: Acts, log: Log, rooms: RoomRules, held: HeldMessages, tally: Tally) -> None:
        self._acts = acts
        self._log = log
        self._rooms = rooms
        self._held = held
        self._tally = tally
        self._told = Remembered(rooms.read, lambda room_id: acts.ctx.rooms.position(room_id))

    async def at_identify(self, session: Session) -> Mapping[str, Any]:
        """`moderation`: what holds, as of the position that the client is told."""
        return wire(await self._told.of(session.room_id), session)

    async def shown_to(self, session: Session) -> Mapping[str, Any]:
        """The same, read now."""
        return wire(await self._rooms.read(session.room_id), session)

    async def get(self, by: Session, data: Mapping[str, Any]) -> Mapping[str, Any]:
        """The same, for REST."""
        return await self.shown_to(by)

    async def set(self, by: Session, data: Mapping[str, Any]) -> Mapping[str, Any]:
        """`set_moderation`. In a panic it changes what will hold after it."""

        async def work(tx: Transaction, row: Row) -> None:
            chosen = _changed(Chosen.of(row), data)
            rules = orjson.dumps(dict(chosen.overrides)).decode()
            change = {"new_preset": chosen.preset, "new_seconds": chosen.slow_mode_seconds, "new_rules": rules}
            await tx.execute(UPDATE_RULES, {"room": by.room_id, **change})
            await self._tell(tx, by, chosen, "rules")

        await self._change(by, work)
        return await self.shown_to(by)

    async def panic(self, by: Session, data: Mapping[str, Any]) -> Mapping[str, Any]:
        """`panic`: newcomers are frozen, slow mode is on, links are held. Pressed twice it is pressed once."""
        now = self._acts.now

        async def work(tx: Transaction, row: Row) -> None:
            if await tx.execute(START_PANIC, {"room": by.room_id, "now": now}):
                await self._keep_newcomers(tx, by.room_id)
                await self._tell(tx, by, Chosen.of(row)._replace(panic_at=now), "panic")

        await self._change(by, work)
        await self._held.frozen(by.room_id, REASONS["panic"])
        return await self.shown_to(by)

    async def keep_late(self) -> None:
        """The job: what was judged before a panic, here or on another node, and stored in it, waits for a moderator, too."""
        wanted = {"reason": REASONS["newcomers"], "limit": AT_ONCE}
        for row in await self._acts.ctx.db.fetch_all(SELECT_IN_PANIC, wanted):
            room_id = row["room_id"]

            async def work(tx: Transaction, room_id: str = room_id) -> None:
                found = await tx.fetch_one(LOCK_ROOM, {"room": room_id})
                if found is not None and found["panic_at"] is not None:
                    await self._keep_newcomers(tx, room_id)

            if await is_done(self._acts.in_room(room_id, work)):
                await self._held.frozen(room_id, REASONS["panic"])

    async def _keep_newcomers(self, tx: Transaction, room_id: str) -> None:
        """What newcomers have waiting for its time is not shown in the midst of a panic."""
        messages = self._acts.ctx.messages
        await messages.keep_held(tx, room_id, REASONS["newcomers"], instead=REASONS["panic"])

    async def calm(self, by: Session, data: Mapping[str, Any]) -> Mapping[str, Any]:
        """`calm`: what held before holds again. Answers the report, which all moderators get.

        What the panic has held is dropped or released. Safe to repeat: if it was cut off, the rest is done, and reported
        together with what was done before.
        """
        await self._tally.flush(by.room_id)

        async def work(tx: Transaction, row: Row) -> None:
            if row["panic_at"] is not None:
                await tx.execute(END_PANIC, {"room": by.room_id})
                await self._tell(tx, by, Chosen.of(row)._replace(panic_at=None), None)

        await self._change(by, work)
        await self._held.decide(by, PANIC_REASONS, release=data["held"] == "release")
        report = await self._acts.in_room(by.room_id, lambda tx: self._reported(tx, by))
        self._acts.ctx.rooms.broadcast(by.room_id, "panic_report", report, moderators=True, skip=by.id)
        return report

    async def _reported(self, tx: Transaction, by: Session) -> Mapping[str, int]:
        """What was counted since the panic began, written into the log and counted from zero again."""
        row = await tx.fetch_one(LOCK_ROOM, {"room": by.room_id})
        report = _report(row) if row is not None else {"held": 0, "dropped": 0, "released": 0}
        await tx.execute(FORGET_COUNTS, {"room": by.room_id})
        await self._log.write(tx, by.room_id, "calm", by=by, reason=COUNTED.format(**report))
        return report

    async def _change(self, by: Session, work: Callable[[Transaction, Row], Awaitable[T]]) -> T:
        def run(locked: Callable[[Transaction], Awaitable[T]]) -> Awaitable[T]:
            return self._acts.as_moderator(by, lambda tx, _: locked(tx))

        return await self._rooms.change(by.room_id, work, run)

    async def _tell(self, tx: Transaction, by: Session, chosen: Chosen, act: str | None) -> None:
        await tx.append(by.room_id, "moderation_changed", public_wire(self._rooms.state_of(chosen)))
        if act is not None:
            await self._log.write(tx, by.room_id, act, by=by)


def _changed(chosen: Chosen, data: Mapping[str, Any]) -> Chosen:
    """What is stored after a change. A new preset keeps only what people have typed in."""
    overrides: Overrides = chosen.overrides
    if "preset" in data:
        kept = {kind: overrides.get(kind, {}).get(name) for kind, name in LISTS.items()}
        overrides = {kind: {LISTS[kind]: value} for kind, value in kept.items() if value}
        chosen = chosen._replace(preset=data["preset"], slow_mode_seconds=None)
    if "slow_mode_seconds" in data:
        chosen = chosen._replace(slow_mode_seconds=data["slow_mode_seconds"])
    changes = data.get("rules", {})
    merged = {
        kind: _merged(kind, overrides.get(kind, {}), change) for kind, change in changes.items() if change is not None
    }
    kept_rules = {kind: settings for kind, settings in overrides.items() if kind not in changes}
    return chosen._replace(overrides={**kept_rules, **merged})


def _merged(kind: str, settings: Mapping[str, Any], change: Mapping[str, Any]) -> Mapping[str, Any]:
    """The settings of a rule after a change. Raises `validation_failed` where its list would be too long."""
    merged = {**settings, **change}
    added, removed = merged.pop("add", ()), merged.pop("remove", ())
    if added or removed:
        name = LISTS[kind]
        kept = [one for one in merged.get(name, ()) if one not in removed]
        merged[name] = list(dict.fromkeys((*kept, *added)))
        if len(merged[name]) > MOST[kind]:
            raise ChatError("validation_failed", errors={"rules": {kind: {"add": [f"At most {MOST[kind]}."]}}})
    return merged


def _report(row: Row) -> dict[str, int]:
    dropped, released = row["dropped"], row["released"]
    return {"held": dropped + released, "dropped": row["refused"] + dropped, "released": released}


def public_wire(state: RoomState) -> dict[str, Any]:
    """What everybody may know: never a list of words."""
    return {
        "preset": state.chosen.preset,
        "slowModeSeconds": state.slow_mode_seconds,
        "panic": state.chosen.panic_at is not None,
        "rules": state.actions(),
    }


def wire(state: RoomState, session: Session) -> dict[str, Any]:
    """What `session` may know."""
    if not session.is_moderator:
        return public_wire(state)
    return public_wire(state) | {"settings": _SETTINGS.dump(state.rules.settings())}
