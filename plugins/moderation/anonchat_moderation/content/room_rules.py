"""What holds in each room, and how it is changed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar
from weakref import WeakValueDictionary

import orjson

from anonchat import ChatError, Row, Session, Transaction
from anonchat_moderation.acts import Acts
from anonchat_moderation.at_hand import AtHand
from anonchat_moderation.content.presets import PRESETS, Overrides, RuleSet
from anonchat_moderation.content.rules.links import Links
from anonchat_moderation.content.rules.words import WordList
from anonchat_moderation.content.tables import INSERT_ROOM, LOCK_ROOM, SELECT_ROOMS
from anonchat_moderation.content.verdicts import Rule

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


class RoomRules:
    """The rules of rooms.

    A change holds the lock of its room alone, so that one that stalls holds up no other room. A room that is being
    changed is not at hand.
    """

    def __init__(self, acts: Acts) -> None:
        self._acts = acts
        self._words: WordList | None = None
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()  # of rooms that somebody waits for
        self._at_hand = AtHand(self._read, lambda: acts.now)
        self.at_hand = self._at_hand.get
        """(room id, now) -> what holds, if it was read a moment ago."""

    def open(self) -> None:
        """Called once, by `setup`."""
        if words := self._acts.ctx.config["words"]:
            self._words = WordList.of(words)

    # --- asking

    async def of(self, room_id: str) -> RoomState:
        """What holds, at most a second old. Raises `room_ended`."""
        async with self._lock_of(room_id):
            return await self._at_hand.of(room_id)

    async def read(self, room_id: str) -> RoomState:
        """What holds, read now."""
        reads = self._at_hand.reads
        async with self._lock_of(room_id):
            return await self._at_hand.read(room_id, reads)

    def _lock_of(self, room_id: str) -> asyncio.Lock:
        return self._locks.setdefault(room_id, asyncio.Lock())

    async def _read(self, room_ids: Sequence[str]) -> Mapping[str, RoomState]:
        rows = await self._acts.ctx.db.fetch_all(SELECT_ROOMS, {"rooms": room_ids})
        return {row["id"]: self._state(row["id"], self._chosen(row)) for row in rows}

    def _chosen(self, row: Row) -> Chosen:
        """What is stored, else what the room was made with, else the server's default."""
        if row["preset"] is not None:
            return Chosen.of(row)
        asked = orjson.loads(row["settings"]).get("moderation")
        preset = asked.get("preset") if isinstance(asked, Mapping) else None
        return Chosen(preset if isinstance(preset, str) and preset in PRESETS else self._acts.ctx.config["preset"])

    def _state(self, room_id: str, chosen: Chosen) -> RoomState:
        """As before, where nothing has changed: words are taken apart only once."""
        known = self._at_hand.latest(room_id)
        return known if known is not None and known.chosen == chosen else self.state_of(chosen)

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

    def forget(self, room_id: str) -> None:
        """Drop what is at hand of a room."""
        self._at_hand.drop(room_id)

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
            self._at_hand.drop(room_id)
            return await run(locked)
