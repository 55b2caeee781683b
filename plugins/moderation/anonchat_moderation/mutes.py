"""Mutes: who may not speak until when.

A mute holds for all sessions of a device. It follows who joins after it began: with the same fingerprint, or, giving
neither device nor fingerprint, from the same network.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from anonchat import RANK_PARTICIPANT, ChatError, Rejected, Row, Session, Transaction, iso, new_id
from anonchat_moderation import statements
from anonchat_moderation.acts import Acts, Ranks, chosen
from anonchat_moderation.at_hand import AtHand
from anonchat_moderation.log import Log
from anonchat_moderation.networks import Networks

MUTES = 1_000  # that a room may have


class Mute(NamedTuple):
    """When it began and ends, in milliseconds, and why."""

    at: int
    until: int
    reason: str | None


class _Marks(NamedTuple):
    """What somebody is known by; None is what was not given or does not count."""

    session: str
    device: str | None = None
    fingerprint: str | None = None
    network: str | None = None


@dataclass(frozen=True, slots=True)
class _Mutes:
    """A room's mutes by mark, and how many there are."""

    by_mark: Mapping[str, Sequence[Mute]]
    count: int

    def of(self, marks: _Marks, joined_at: int) -> Iterator[Mute]:
        """The mutes of somebody who is known by these marks."""
        for mark in filter(None, (marks.session, marks.device)):
            yield from self.by_mark.get(mark, ())
        for mark in filter(None, (marks.fingerprint, marks.network)):
            yield from (mute for mute in self.by_mark.get(mark, ()) if mute.at < joined_at)


class Mutes:
    """Mute, unmute, and who is muted."""

    def __init__(self, acts: Acts, log: Log, networks: Networks) -> None:
        self._acts = acts
        self._log = log
        self._networks = networks
        self._at_hand = AtHand(self._read, lambda: acts.now)

    # --- asking

    def has_none(self, room_id: str, now: int) -> bool:
        """Whether it is at hand that nobody in the room is muted: then there is no need to `check`."""
        known = self._at_hand.get(room_id, now)
        return known is not None and not known.count

    async def of(self, session: Session) -> Mute | None:
        """The mute that lasts longest, or None. Mostly a few look-ups in a dictionary."""
        now = self._acts.now
        known = await self._at_hand.of(session.room_id)
        if not known.count:
            return None
        found = known.of(await self._marks(session), session.created_at)
        return max((mute for mute in found if mute.until > now), key=lambda mute: mute.until, default=None)

    async def _marks(self, session: Session) -> _Marks:
        """A moderator is not muted with somebody else who uses the same device."""
        if session.is_moderator:
            return _Marks(session.id)
        device, fingerprint = session.device_hash, session.fingerprint_hash
        network = None if device or fingerprint else await self._networks.of(session)
        return _Marks(session.id, device, fingerprint, network)

    async def has_place(self, room_id: str) -> bool:
        """Whether one more person can be muted, as far as is at hand: a room that is full costs no transactions."""
        return (await self._at_hand.of(room_id)).count < MUTES

    async def _read(self, room_ids: Sequence[str]) -> Mapping[str, _Mutes]:
        wanted = {"rooms": room_ids, "now": self._acts.now, "limit": 2 * MUTES * len(room_ids)}
        found: dict[str, list[Row]] = {room_id: [] for room_id in room_ids}
        for row in await self._acts.ctx.db.fetch_all(statements.SELECT_MUTES, wanted):
            found[row["room_id"]].append(row)
        return {room_id: _Mutes(_by_mark(rows), len(rows)) for room_id, rows in found.items()}

    async def check(self, session: Session) -> Rejected | None:
        """The filter's answer for somebody who wants to speak."""
        mute = await self.of(session)
        if mute is None:
            return None
        text = "You are muted for now." if mute.reason is None else f"You are muted for now: {mute.reason}"
        return Rejected("muted", text, retry_after_ms=mute.until - self._acts.now)

    # --- acting

    async def put(self, session: Session, until: int, reason: str | None, by: Session | None) -> None:
        """Mute somebody until a time in milliseconds; `by` None: a rule of the room decides, and no rank is compared.

        A rule does nothing where somebody is muted for longer already. In force at once on this node, within a second on
        others. Raises what `Acts.on` raises, and `conflict` where the room has `MUTES` of them already.
        """

        network = await self._networks.of(session)

        async def work(tx: Transaction, ranks: Ranks | None = None) -> bool:
            row = self._row(session, network, until, reason)
            await self._check_place(tx, session)
            if ranks is None:
                if not await tx.execute(statements.LENGTHEN_MUTE, row | {"by_rank": RANK_PARTICIPANT}):
                    return False
            elif not await tx.execute(statements.PUT_MUTE, row | {"by_rank": ranks.by}):
                raise _decided_above()
            await self._log.write(tx, session.room_id, "mute", by=by, target=session, reason=reason, until=until)
            await self._acts.tell(tx, session.room_id, "mute", session.id, reason, until)
            return True

        try:
            is_new = await (
                self._acts.in_room(session.room_id, work) if by is None else self._acts.on(by, session, work)
            )
        finally:
            self._at_hand.drop(session.room_id)  # a room that proved full is read anew, too
        if is_new:
            told = {"until": iso(until), "reason": reason}
            self._acts.ctx.rooms.send(session.room_id, session.id, "muted", told)

    async def _check_place(self, tx: Transaction, session: Session) -> None:
        wanted = {"room": session.room_id, "session": session.id, "now": self._acts.now}
        counted = await tx.fetch_one(statements.COUNT_OTHER_MUTES, wanted)
        if counted is not None and counted["count"] >= MUTES:
            raise ChatError("conflict", f"A room can have {MUTES} mutes at a time.")

    def _row(self, session: Session, network: str | None, until: int, reason: str | None) -> dict[str, Any]:
        return {
            "id": new_id(),
            "room_id": session.room_id,
            "session_id": session.id,
            "device": session.device_hash,
            "fingerprint": session.fingerprint_hash,
            "network": network,
            "reason": reason,
            "at": self._acts.now,
            "until": until,
        }

    def forget(self, room_id: str) -> None:
        """Drop what is at hand of a room."""
        self._at_hand.drop(room_id)

    async def mute(self, by: Session, data: Mapping[str, Any]) -> Mapping[str, Any]:
        """Mute a person for a time."""
        config = self._acts.ctx.config
        seconds = chosen(data["duration_seconds"], config["mute_seconds"], config["max_mute_seconds"])
        until = self._acts.now + seconds * 1_000
        target = await self._acts.find(by, data["target_session_id"])
        await self.put(target, until, data["reason"], by)
        return {"sessionId": target.id, "until": iso(until)}

    async def unmute(self, by: Session, data: Mapping[str, Any]) -> Mapping[str, Any]:
        """Let a person speak again, by lifting every mute that holds for them.

        Raises `conflict` where there is none, and `rank_too_low` where somebody of a higher rank decided one.
        """
        target = await self._acts.find(by, data["target_session_id"])
        marks = (await self._marks(target))._asdict()
        wanted = {**marks, "room": by.room_id, "since": target.created_at, "now": self._acts.now}

        async def work(tx: Transaction, ranks: Ranks) -> None:
            lifted = await tx.fetch_all(statements.DELETE_MUTE, wanted)
            if not lifted:
                raise ChatError("conflict", "This person is not muted.")
            if max(row["by_rank"] for row in lifted) > ranks.by:
                raise _decided_above()
            await self._log.write(tx, by.room_id, "unmute", by=by, target=target)
            await self._acts.tell(tx, by.room_id, "unmute", target.id)

        await self._acts.on(by, target, work)
        self._at_hand.drop(by.room_id)
        self._acts.ctx.rooms.send(by.room_id, target.id, "unmuted", {})
        return {"sessionId": target.id}


def _decided_above() -> ChatError:
    return ChatError("rank_too_low", "Somebody of a higher rank decided that.")


def _by_mark(rows: Iterable[Row]) -> Mapping[str, Sequence[Mute]]:
    mutes: dict[str, list[Mute]] = {}
    for row in rows:
        mute = Mute(row["at"], row["until"], row["reason"])
        for mark in filter(None, (row["session_id"], row["device"], row["fingerprint"], row["network"])):
            mutes.setdefault(mark, []).append(mute)
    return mutes
