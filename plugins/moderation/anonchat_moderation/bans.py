"""Kicks and bans: who is kept out until when, recognised by marks that mean nothing outside of the room.

A kick is a short ban. Marks are what the core gives: hashes of device, fingerprint and network under the room's own key.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from anonchat import (
    RANK_MODERATOR,
    RANK_PARTICIPANT,
    Applicant,
    ChatError,
    Denied,
    Row,
    Session,
    Transaction,
    iso,
    new_id,
)
from anonchat_moderation import statements
from anonchat_moderation.acts import Acts, Person, Ranks, chosen
from anonchat_moderation.at_hand import AtHand
from anonchat_moderation.content.sent_away import SentAway
from anonchat_moderation.log import Log
from anonchat_moderation.networks import Networks
from anonchat_moderation.pages import read_page
from anonchat_moderation.purges import Purges

BANS = 1_000  # that a room may have, kicks included
NEVER = 2**62  # later than every ban
YOUNG_MILLISECONDS = 10_000  # longer than a join takes, and than another node takes to hear of a ban
CLOSE_CODE = 4403
DONE = {"kick": "kicked", "ban": "banned"}  # the code that refuses, and the reason that the room hears
SAYS = {
    "kick": "You were asked to leave this room for now",
    "ban": "You are banned from this room",
}


class Bans:
    """Kick, ban, unban, list, and the two guards."""

    def __init__(self, acts: Acts, log: Log, networks: Networks, purges: Purges, sent_away: SentAway) -> None:
        self._acts = acts
        self._log = log
        self._networks = networks
        self._purges = purges
        self._sent_away = sent_away
        self._any = AtHand(self._read_any, lambda: acts.now)

    # --- at the door

    async def check_join(self, room_id: str, applicant: Applicant) -> Denied | None:
        """Keep out an applicant who shares a mark with somebody who is kept out.

        A neighbour whose device was here before the ban comes back, as on connect. In force on all nodes at once: whoever
        was sent away must not come in by another one meanwhile.
        """
        is_moderator = applicant.role == "moderator"
        marks = {
            "session": "",
            "device": applicant.device_hash,
            "fingerprint": applicant.fingerprint_hash,
            "network": None if is_moderator else applicant.network,
            "since": NEVER,
            "rank": RANK_MODERATOR if is_moderator else RANK_PARTICIPANT,
        }
        denied = await self._check(room_id, marks)
        if denied is None or applicant.device_hash is None:
            return denied
        before = await self._acts.ctx.sessions.find_by_device(room_id, applicant.device_hash)
        if not before:
            return denied
        return await self._check(room_id, {**marks, "since": min(session.created_at for session in before)})

    async def check_connect(self, session: Session, network: str) -> Denied | None:
        """Keep out a session that is banned, or began after the ban of its network; remember its network in passing."""
        marks = {
            "session": session.id,
            "device": session.device_hash,
            "fingerprint": session.fingerprint_hash,
            "network": None if session.is_moderator else network,
            "since": session.created_at,
            "rank": session.rank,
        }
        # Thousands may connect at once, and sessions of whom was sent away are over on all nodes: for those who share
        # a network with them what was read a second ago will do. Not for who has only just joined, since that may have
        # been let in before the ban, and be stored after it: these share what is read now.
        room_id = session.room_id
        is_young = session.created_at > self._acts.now - YOUNG_MILLISECONDS
        is_any = await (self._any.read(room_id, self._any.reads) if is_young else self._any.of(room_id))
        denied = await self._check(room_id, marks) if is_any else None
        if denied is None:
            await self._networks.remember(session, network)
        return denied

    async def _read_any(self, room_ids: Sequence[str]) -> Mapping[str, bool]:
        """Whether anybody is kept out of each room."""
        wanted = {"rooms": list(room_ids), "now": self._acts.now}
        banned = {row["room_id"] for row in await self._acts.ctx.db.fetch_all(statements.SELECT_BANNED_ROOMS, wanted)}
        return {room_id: room_id in banned for room_id in room_ids}

    def forget(self, room_id: str) -> None:
        """Drop what is at hand of a room."""
        self._any.drop(room_id)

    async def _check(self, room_id: str, marks: Mapping[str, Any]) -> Denied | None:
        now = self._acts.now
        wanted = {**marks, "room": room_id, "now": now}
        if not self._networks.are_used:
            wanted["network"] = None
        row = await self._acts.ctx.db.fetch_one(statements.SELECT_MATCHING, wanted)
        if row is None:
            return None
        # Why somebody is kept out is not for those who only share a network with them.
        is_meant = any(
            marks[mark] and marks[mark] == row[column]
            for mark, column in (("session", "session_id"), ("device", "device"), ("fingerprint", "fingerprint"))
        )
        text = SAYS[row["kind"]] + (f": {row['reason']}" if row["reason"] and is_meant else ".")
        return Denied(DONE[row["kind"]], text, retry_after_ms=row["until"] - now)

    # --- acting

    async def kick(self, by: Session, data: Mapping[str, Any]) -> Mapping[str, Any]:
        """End somebody's session and keep them out for a short time."""
        config = self._acts.ctx.config
        asked, most = data["cool_off_seconds"], config["max_cool_off_seconds"]
        seconds = chosen(asked, config["cool_off_seconds"], most, "coolOffSeconds")
        target = await self._acts.find(by, data["target_session_id"])
        ban, _ = await self._keep_out("kick", by, target, seconds, data["reason"])
        return {"sessionId": target.id, "banId": ban["id"], "coolOffSeconds": seconds, "until": iso(ban["until"])}

    async def ban(self, by: Session, data: Mapping[str, Any]) -> Mapping[str, Any]:
        """End somebody's session and keep them out for long; with `purge_messages` what they wrote is deleted."""
        config = self._acts.ctx.config
        seconds = chosen(data["duration_seconds"], config["ban_seconds"], config["max_ban_seconds"])
        target = await self._acts.find(by, data["target_session_id"])
        ban, sessions = await self._keep_out("ban", by, target, seconds, data["reason"])
        removed = 0
        for session in sessions if data["purge_messages"] else ():
            removed += await self._purges.remove(by, session)
        return {"sessionId": target.id, "banId": ban["id"], "until": iso(ban["until"]), "removed": removed}

    async def _keep_out(
        self, kind: str, by: Session, target: Session, seconds: int, reason: str | None
    ) -> tuple[Mapping[str, Any], Sequence[Session]]:
        """Store who is kept out, then drop what waits of them and end their sessions; answers what is stored, and these.

        A crash in between leaves somebody who cannot come back, and what waits to `SentAway.drop_left`.
        """
        now = self._acts.now
        until = now + seconds * 1_000
        row: dict[str, Any] = {
            "id": new_id(),
            "room_id": by.room_id,
            "kind": kind,
            "session_id": target.id,
            "username": target.username,
            "anonymous_id": target.anonymous_id,
            **await self._marks(kind, target),
            "reason": reason,
            "at": now,
            "until": until,
        }

        async def work(tx: Transaction, ranks: Ranks) -> int:
            counted = await tx.fetch_one(statements.COUNT_BANS, {"room": by.room_id, "now": now})
            if counted is not None and counted["count"] >= BANS:
                raise ChatError("conflict", f"A room can have {BANS} bans at a time; lift some first.")
            await tx.execute(statements.INSERT_BAN, row | {"by_rank": ranks.by})
            await self._log.write(tx, by.room_id, kind, by=by, target=target, reason=reason, until=until)
            await self._acts.tell(tx, by.room_id, kind, target.id, reason, until)
            return ranks.by

        try:
            rank = await self._acts.on(by, target, work)
        finally:
            self._any.drop(by.room_id)
        sessions = (target, *await self._same_device(target, rank))
        try:
            await self._sent_away.drop_of(by.room_id, [session.id for session in sessions])
        finally:
            for session in sessions:
                await self._expel(session, kind, seconds, reason)
        return row, sessions

    async def _marks(self, kind: str, target: Session) -> Mapping[str, str | None]:
        """What the person will be known by. A whole classroom may sit behind one address: a kick uses it only in need."""
        marks = {"device": target.device_hash, "fingerprint": target.fingerprint_hash, "network": None}
        if kind == "ban" or not any(marks.values()):
            marks["network"] = await self._networks.of(target)
        return marks

    async def _same_device(self, target: Session, rank: int) -> list[Session]:
        """The other sessions of the same device, connected or not, below the rank of who acts."""
        if target.device_hash is None:
            return []
        found = await self._acts.ctx.sessions.find_by_device(target.room_id, target.device_hash)
        return [session for session in found if session.id != target.id and session.rank < rank]

    async def _expel(self, session: Session, kind: str, seconds: int, reason: str | None) -> None:
        told = {"banned": kind == "ban", "coolOffSeconds": seconds} | ({"reason": reason} if reason else {})
        await self._acts.ctx.sessions.expel(session, DONE[kind], "kicked", told, CLOSE_CODE)
        gone = {"sessionId": session.id, "reason": DONE[kind]}
        self._acts.ctx.rooms.broadcast(session.room_id, "presence_removed", gone)

    async def unban(self, by: Session, data: Mapping[str, Any]) -> Mapping[str, Any]:
        """Lift a ban or the rest of a kick. Raises `not_found`, and `rank_too_low` for that of a higher rank."""
        wanted = {"room": by.room_id, "ban": data["ban_id"], "now": self._acts.now}

        async def work(tx: Transaction, rank: int) -> None:
            row = await tx.fetch_one(statements.DELETE_BAN, wanted)
            if row is None:
                raise ChatError("not_found", "There is no such ban in this room, or it is over.")
            if row["by_rank"] > rank:
                raise ChatError("rank_too_low", "Somebody of a higher rank decided that.")
            target = Person(row["session_id"], row["username"])
            await self._log.write(tx, by.room_id, "unban", by=by, target=target)

        await self._acts.as_moderator(by, work)
        return {"banId": data["ban_id"]}

    async def read(self, by: Session, data: Mapping[str, Any]) -> Mapping[str, Any]:
        """A page of who is kept out now, the newest first."""
        db, now = self._acts.ctx.db, self._acts.now
        rows, more = await read_page(db, statements.SELECT_BANS, statements.SELECT_BAN, by, data, now=now)
        return {"bans": [_wire(row) for row in rows], "hasMore": more}


def _wire(row: Row) -> dict[str, Any]:
    """A ban as moderators see it: which marks it has, and never what they are."""
    return {
        "banId": row["id"],
        "kind": row["kind"],
        "sessionId": row["session_id"],
        "username": row["username"],
        "anonymousId": row["anonymous_id"],
        "reason": row["reason"],
        "matches": [mark for mark in ("device", "fingerprint", "network") if row[mark] is not None],
        "createdAt": iso(row["at"]),
        "until": iso(row["until"]),
    }
