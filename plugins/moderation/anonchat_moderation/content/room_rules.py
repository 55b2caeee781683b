"""What holds in each room: stored, and at hand for a second so that a message costs a look-up in a dictionary."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar
from weakref import WeakValueDictionary

import orjson

from anonchat import ChatError, Room, Row, Session, Transaction
from anonchat_moderation.acts import Acts
from anonchat_moderation.content.presets import PRESETS, Overrides, RuleSet
from anonchat_moderation.content.rules.links import Links
from anonchat_moderation.content.rules.words import WordList
from anonchat_moderation.content.tables import INSERT_ROOM, LOCK_ROOM, SELECT_ROOMS
from anonchat_moderation.content.verdicts import Rule

FRESH_MILLISECONDS = 1_000  # after which a change of another node is in force here
ROOMS = 5_000  # whose rules are kept at hand

T = TypeVar("T")


class Chosen(NamedTuple):
    """What is stored of a room."""

    preset: str
    slow_mode_seconds: int | None = None
    overrides: Overrides = MappingProxyType({})
    panic_at: int | None = None

    @classmethod
    def of(cls, row: Row | Mapping[str, Any]) -> Chosen:
        return cls(row["preset"], row["slow_mode_seconds"], orjson.loads(row["rules"]), row["panic_at"])

    def row(self, room_id: str) -> dict[str, Any]:
        """The parameters of a new row."""
        rules = orjson.dumps(dict(self.overrides)).decode()
        counts = {"refused": 0, "dropped": 0, "released": 0}
        own = {"preset": self.preset, "slow_mode_seconds": self.slow_mode_seconds, "rules": rules}
        return {"room_id": room_id, **own, "panic_at": self.panic_at, **counts}


@dataclass(frozen=True, slots=True)
class RoomState:
    """What holds in a room now. `active` are the rules that can answer anything; in a panic links are among them."""

    chosen: Chosen
    rules: RuleSet
    active: tuple[Rule, ...]
    slow_mode_seconds: int
    newcomers_since: int | None
    """In a panic: everything is held of those who joined at this time or later."""

    def actions(self) -> dict[str, str]:
        """Kind -> "hold" or "refuse", of the rules that are on; in a panic links are among them."""
        in_panic = {} if self.newcomers_since is None else {"links": "hold"}
        return in_panic | self.rules.actions()

    @property
    def is_free(self) -> bool:
        """Whether nothing at all is asked of a message."""
        return not self.active and not self.slow_mode_seconds and self.newcomers_since is None

    def is_frozen(self, session: Session) -> bool:
        """Whether everything that `session` writes is held."""
        return self.newcomers_since is not None and session.created_at >= self.newcomers_since


@dataclass(slots=True)
class _Known:
    state: RoomState
    read_at: int

    def is_fresh(self, now: int) -> bool:
        """False also where the clock was set back."""
        return self.read_at <= now < self.read_at + FRESH_MILLISECONDS


class RoomRules:
    """The rules of rooms. One query at a time reads all rooms in which somebody has written lately.

    A change holds the lock of its room alone, so that one that stalls holds up no other room. A room that is being
    changed is not at hand, and a query that began before the change does not bring it back.
    """

    def __init__(self, acts: Acts) -> None:
        self._acts = acts
        self._words: WordList | None = None
        self._reading = asyncio.Lock()
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()  # of rooms that somebody waits for
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._talking: set[str] = set()

    def open(self) -> None:
        """Called once, by `setup`."""
        if words := self._acts.ctx.config["words"]:
            self._words = WordList.of(words)

    # --- asking

    def at_hand(self, room_id: str, now: int) -> RoomState | None:
        """What holds, if it was read a moment ago."""
        known = self._known.get(room_id)
        if known is None or not known.is_fresh(now):
            return None
        self._talking.add(room_id)
        return known.state

    async def of(self, room_id: str) -> RoomState:
        """What holds, at most a second old. Whoever waits shares one query. Raises `room_ended`."""
        async with self._lock_of(room_id), self._reading:
            state = self.at_hand(room_id, self._acts.now)
            return state if state is not None else await self._read(room_id)

    async def read(self, room_id: str) -> RoomState:
        """What holds, read now."""
        async with self._lock_of(room_id), self._reading:
            return await self._read(room_id)

    def _lock_of(self, room_id: str) -> asyncio.Lock:
        return self._locks.setdefault(room_id, asyncio.Lock())

    async def _read(self, room_id: str) -> RoomState:
        now = self._acts.now
        others = {room: self._known[room] for room in self._talking if room in self._known and room != room_id}
        self._talking.clear()
        found = await self._acts.ctx.db.fetch_all(SELECT_ROOMS, {"rooms": [room_id, *others]})
        rows = {row["room_id"]: Chosen.of(row) for row in found}
        if room_id not in rows and room_id not in self._known:
            rows[room_id] = self._preset_of(await self._acts.ctx.rooms.find(room_id))
        for room, before in others.items():
            if self._known.get(room) is before:
                self._keep(room, rows.get(room), now)
        return self._keep(room_id, rows.get(room_id), now)

    def _preset_of(self, room: Room) -> Chosen:
        """What the room was made with, else the server's default."""
        asked = room.settings.get("moderation")
        preset = asked.get("preset") if isinstance(asked, Mapping) else None
        return Chosen(preset if isinstance(preset, str) and preset in PRESETS else self._acts.ctx.config["preset"])

    def _keep(self, room_id: str, chosen: Chosen | None, now: int) -> RoomState:
        known = self._known.get(room_id)
        if known is not None and chosen in (None, known.state.chosen):
            known.read_at = now
            self._known.move_to_end(room_id)
            return known.state
        state = self.state_of(chosen or Chosen(self._acts.ctx.config["preset"]))
        self._known[room_id] = _Known(state, now)
        self._known.move_to_end(room_id)
        if len(self._known) > ROOMS:
            self._known.popitem(last=False)
        return state

    def state_of(self, chosen: Chosen) -> RoomState:
        """What holds where this is stored."""
        preset = PRESETS[chosen.preset]
        rules = preset.rules.changed(chosen.overrides).with_words(self._words)
        slow = preset.slow_mode_seconds if chosen.slow_mode_seconds is None else chosen.slow_mode_seconds
        if chosen.panic_at is None:
            return RoomState(chosen, rules, tuple(rule for rule in rules if rule.is_on), slow, None)
        links = rules.links if rules.links.action == "refuse" else Links("hold", kind="panic_links")
        active = tuple(rule for rule in replace(rules, links=links) if rule.is_on)
        since = chosen.panic_at - self._acts.ctx.config["newcomer_seconds"] * 1_000
        return RoomState(chosen, rules, active, max(slow, self._acts.ctx.config["panic_slow_mode_seconds"]), since)

    # --- changing

    async def change(
        self,
        room_id: str,
        work: Callable[[Transaction, Row], Awaitable[T]],
        run: Callable[[Callable[[Transaction], Awaitable[T]]], Awaitable[T]],
    ) -> T:
        """Run `work(tx, row)` on the locked row of a room, in the transaction that `run` makes of it.

        Messages that come meanwhile wait for its end, and are decided by what holds then.
        """
        state = await self.of(room_id)

        async def locked(tx: Transaction) -> T:
            await tx.execute(INSERT_ROOM, state.chosen.row(room_id))
            row = await tx.fetch_one(LOCK_ROOM, {"room": room_id})
            if row is None:
                raise ChatError("room_ended")
            return await work(tx, row)

        async with self._lock_of(room_id):
            self._known.pop(room_id, None)
            return await run(locked)
