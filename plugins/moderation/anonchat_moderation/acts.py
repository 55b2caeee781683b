"""Who may act on whom: people are looked up and ranks are compared here, and nowhere else."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NamedTuple, TypeVar

from anonchat import RANK_MODERATOR, ChatError, PluginContext, Session, Transaction
from anonchat_moderation import statements

T = TypeVar("T")


class Ranks(NamedTuple):
    """Of the two people of an act, as they are at this moment."""

    by: int
    target: int


class Person(NamedTuple):
    """Somebody of whom only this is known (any more)."""

    id: str
    username: str


Work = Callable[[Transaction, Ranks], Awaitable[T]]


class Acts:
    """What all parts of the plugin share: the context, and the one way to act on a person."""

    ctx: PluginContext

    def open(self, ctx: PluginContext) -> None:
        """Called once, by `setup`."""
        self.ctx = ctx

    @property
    def now(self) -> int:
        """Milliseconds."""
        return self.ctx.clock.now()

    async def find(self, by: Session, session_id: str) -> Session:
        """The person of that id in the room of `by`. Raises `not_found`, and `forbidden` for oneself."""
        if session_id == by.id:
            raise ChatError("forbidden", "You cannot do that to yourself.")
        target = await self.ctx.sessions.get(session_id)
        if target is None or target.room_id != by.room_id:
            raise _gone()
        return target

    async def on(self, by: Session, target: Session, work: Work[T], *, least: int = RANK_MODERATOR) -> T:
        """Run `work(tx, ranks)` in a transaction of its own in which `by` stands above `target`; see `above`."""
        return await self.ctx.db.transaction(self.above(by, target, work, least=least), by.room_id)

    def above(
        self, by: Session, target: Session, work: Work[T], *, least: int = RANK_MODERATOR
    ) -> Callable[[Transaction], Awaitable[T]]:
        """What runs `work(tx, ranks)` in a transaction if `by` stands above `target`.

        Both ranks are those of the database at this moment, not those with which the request began, and acts in a room
        are decided one after another. `least` is the rank that `by` must have. Raises `not_moderator`, `rank_too_low`,
        `not_found`, `room_ended`.
        """

        async def run(tx: Transaction) -> T:
            await tx.lock_room(by.room_id)
            ranks = await _ranks(tx, by, target.id)
            mine = _checked(ranks.get(by.id), least)
            if target.id not in ranks:
                raise _gone()
            if ranks[target.id] >= mine:
                raise ChatError("rank_too_low")
            return await work(tx, Ranks(mine, ranks[target.id]))

        return run

    async def as_moderator(
        self, by: Session, work: Callable[[Transaction, int], Awaitable[T]], *, least: int = RANK_MODERATOR
    ) -> T:
        """Run `work(tx, rank)` in a transaction of its own in which `by` has at least the rank `least`."""
        return await self.ctx.db.transaction(self.moderating(by, work, least=least), by.room_id)

    def moderating(
        self, by: Session, work: Callable[[Transaction, int], Awaitable[T]], *, least: int = RANK_MODERATOR
    ) -> Callable[[Transaction], Awaitable[T]]:
        """What runs `work(tx, rank)` if `by` has at least the rank `least`: for acts on nobody in particular."""

        async def run(tx: Transaction) -> T:
            await tx.lock_room(by.room_id)
            ranks = await _ranks(tx, by, by.id)
            return await work(tx, _checked(ranks.get(by.id), least))

        return run

    async def in_room(self, room_id: str, work: Callable[[Transaction], Awaitable[T]]) -> T:
        """Run `work(tx)` in a transaction of its own among the acts of a room. Raises `room_ended`."""

        async def run(tx: Transaction) -> T:
            await tx.lock_room(room_id)
            return await work(tx)

        return await self.ctx.db.transaction(run, room_id)

    async def tell(
        self, tx: Transaction, room_id: str, act: str, session_id: str, reason: str | None = None,
        until: int | None = None,
    ) -> None:  # fmt: skip
        """Tell other plugins of an act on a person, within its transaction (the hook `write_moderated`)."""
        await self.ctx.hooks.write(
            tx, "write_moderated", room_id=room_id, act=act, session_id=session_id, reason=reason, until=until
        )


async def _ranks(tx: Transaction, by: Session, target_id: str) -> dict[str, int]:
    wanted = {"room": by.room_id, "by": by.id, "target": target_id}
    return {row["id"]: row["rank"] for row in await tx.fetch_all(statements.SELECT_RANKS, wanted)}


def _checked(rank: int | None, least: int) -> int:
    if rank is None:
        raise ChatError("session_expired")
    if rank < RANK_MODERATOR:
        raise ChatError("not_moderator")
    if rank < least:
        raise ChatError("rank_too_low", "Only holders of the moderator link may do that.")
    return rank


def _gone() -> ChatError:
    return ChatError("not_found", "There is no such participant in this room, or they have left.")


def mark_of(session: Session) -> str:
    """What stands for a person where acts are counted: the device that they gave, else the fingerprint, else their session."""
    return session.device_hash or session.fingerprint_hash or session.id


def chosen(asked: int | None, default: int, most: int, name: str = "durationSeconds") -> int:
    """The seconds that hold. Raises `validation_failed` above the operator's maximum."""
    if asked is not None and asked > most:
        raise ChatError("validation_failed", errors={name: [f"At most {most} on this server."]})
    return default if asked is None else asked
